// What a whole hub does when there is too much: of requests, of keys, of strangers.
import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { formatUsd } from '../../sdk/money.ts'
import { until } from '../../sdk/testing.ts'
import { allow } from '../identity/allowances.ts'
import { addKey } from '../identity/keys.ts'
import { MODEL, startHub, type TestHub } from '../testing.ts'

const body = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hello' }] })
const codeOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { code: string; request_id: string } }
  expect(response.headers.get('x-request-id')).toBe(error.request_id)
  return `${response.status} ${error.code}`
}
const countOf = (words: string[]) => {
  const counts: Record<string, number> = {}
  for (const word of words) counts[word] = (counts[word] ?? 0) + 1
  return counts
}

/** A request from that address, with that key or none. */
async function from(hub: TestHub, address: string, path: string, init: RequestInit & { key?: string } = {}) {
  const headers = new Headers(init.headers)
  if (init.key) headers.set('authorization', `Bearer ${init.key}`)
  if (init.body) headers.set('content-type', 'application/json')
  const server = { timeout() {}, requestIP: () => ({ address, port: 1, family: 'IPv4' }) }
  return (await hub.hub.fetch(new Request(`http://hub.test${path}`, { ...init, headers }), server as never))!
}

describe('when every host is busy', () => {
  test('requests go on up to the bound, the rest is refused at once, holding nothing', async () => {
    await using hub = await startHub({ credit: { crowd: '$10' }, hosts: { berlin: {} } })
    const { engine } = hub.host('berlin')
    const { running, ledger } = hub.hub.platform
    engine.block()
    // The host works on 64 at a time: 128 places, of which one account may have 96, and 32 that wait.
    const answers = Array.from({ length: 640 }, (_, at) => hub.as('crowd').chat(`hello ${at}`, { max_tokens: 4 }))
    await engine.tally.until((seen) => seen.requests === 96)
    const told = await Promise.all(answers.map((answer) => Promise.race([answer, untilIdle()])))
    const refused = told.filter((answer) => answer !== null)
    expect([refused.length, running.size, running.queued, ledger.openHolds()]).toEqual([512, 96, 32, 96])
    for (const response of refused) {
      const seconds = Number(response.headers.get('retry-after'))
      expect(seconds >= 1 && seconds <= 10 && Number.isInteger(seconds)).toBe(true)
      expect(await codeOf(response)).toBe('503 no_capacity')
    }
    engine.release()
    const statuses = countOf((await Promise.all(answers)).map(({ status }) => String(status)))
    expect(statuses).toEqual({ 200: 128, 503: 512 })
    expect([running.size, running.queued, ledger.openHolds()]).toEqual([0, 0, 0])
  })

  test('another client gets its answers as if nothing were', async () => {
    await using hub = await startHub({ credit: { crowd: '$10', ada: '$1' }, hosts: { berlin: {} } })
    const { engine } = hub.host('berlin')
    engine.block()
    const crowd = Array.from({ length: 500 }, () => hub.as('crowd').chat('hello', { max_tokens: 4 }))
    await engine.tally.until((seen) => seen.requests === 96)
    const ada = Array.from({ length: 20 }, () => hub.as('ada').chat('hello', { max_tokens: 4 }))
    await engine.tally.until((seen) => seen.requests === 116)
    engine.release()
    for (const answer of ada) expect((await answer).status).toBe(200)
    await Promise.all(crowd)
  })

  test('a client that hangs up while it waits costs nothing and takes no place', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
    const { engine } = hub.host('berlin')
    const { running } = hub.hub.platform
    engine.block()
    const leaving = new AbortController()
    const busy = Array.from({ length: 96 }, () => hub.as('ada').chat('hello', { max_tokens: 4 }))
    await engine.tally.until((seen) => seen.requests === 96)
    const waiting = hub.as('ada').chat('hello', {}, { signal: leaving.signal })
    await until('it waits', () => running.queued === 1)
    leaving.abort()
    expect((await waiting).status).toBe(499)
    expect(running.queued).toBe(0)
    engine.release()
    await Promise.all(busy)
    expect(engine.tally.requests).toBe(96)
  })

  test('a hub that stops refuses those that wait', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
    const { engine } = hub.host('berlin')
    const { running } = hub.hub.platform
    engine.block()
    const answers = Array.from({ length: 100 }, () => hub.as('ada').chat('hello', { max_tokens: 4 }))
    await engine.tally.until((seen) => seen.requests === 96)
    await until('four wait', () => running.queued === 4)
    const drained = hub.hub.drain(60_000)
    const refused = await Promise.all(answers.slice(96))
    for (const response of refused) expect(await codeOf(response)).toBe('503 hub_unavailable')
    engine.release()
    expect(await drained).toBe(0)
    for (const answer of answers.slice(0, 96)) expect((await answer).status).toBe(200)
  })
})

/** Null, once the event loop has had time to answer whatever can be answered. */
async function untilIdle(): Promise<null> {
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
  return null
}

describe.each(testDialects)('a key with limits on %s', (database) => {
  const small = { database, credit: { ada: '$1' }, hosts: { berlin: {} } }

  test('has its requests and tokens counted, and is told in headers', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    await allow(hub.world.db, ada.keyId, { requestsPerMinute: 3, tokensPerMinute: 1_000 })
    const first = await ada.chat('hello', { max_tokens: 5 })
    const { usage } = (await first.json()) as { usage: { prompt_tokens: number; total_tokens: number } }
    expect(first.headers.get('x-ratelimit-remaining-requests')).toBe('2')
    const second = await ada.chat('hello', { max_tokens: 5, stream: true })
    expect(second.headers.get('x-ratelimit-limit-tokens')).toBe('1000')
    expect(second.headers.get('x-ratelimit-remaining-tokens')).toBe(
      String(1_000 - usage.total_tokens - usage.prompt_tokens),
    )
    await second.text()
    expect((await ada.chat('hello', { temperature: 9 })).status).toBe(400)
    const refused = await ada.chat('hello')
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(20)
    expect(refused.headers.get('x-ratelimit-remaining-requests')).toBe('0')
    expect(await codeOf(refused)).toBe('429 rate_limit_exceeded')
  })

  test('gets back the tokens of a request that failed', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    await allow(hub.world.db, ada.keyId, { tokensPerMinute: 1_000 })
    hub.host('berlin').engine.set({ refuseStatus: 500 })
    expect((await ada.chat('hello')).status).toBe(502)
    hub.host('berlin').engine.set({ refuseStatus: null })
    const fine = await ada.chat('hello', { max_tokens: 1 })
    const { usage } = (await fine.json()) as { usage: { prompt_tokens: number; total_tokens: number } }
    const next = await ada.chat('hello', { max_tokens: 1 })
    expect(next.headers.get('x-ratelimit-remaining-tokens')).toBe(String(1_000 - 2 * usage.total_tokens))
  })

  test('spends its budget and no more, however many ask at once', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const { key, id } = await addKey(hub.env, hub.world.db, { userId: ada.userId, allowance: { budget: 10_000n } })
    const ask = () => from(hub, '203.0.113.7', '/v1/chat/completions', { method: 'POST', key, body })
    const short = body.replace('}]}', '}],"max_tokens":8}')
    const answers = await Promise.all(
      Array.from({ length: 100 }, () =>
        from(hub, '203.0.113.7', '/v1/chat/completions', { method: 'POST', key, body: short }),
      ),
    )
    const paid = answers.filter(({ status }) => status === 200).length
    expect(paid).toBeGreaterThan(0)
    for (const response of answers)
      if (response.status !== 200) expect(await codeOf(response)).toBe('402 key_budget_exceeded')
    const { limits, requests } = hub.world.db.tables
    const [row] = await hub.world.db.query.select().from(limits).where(eq(limits.subject, id))
    const rows = await hub.world.db.query.select().from(requests).where(eq(requests.keyId, id))
    const spent = rows.reduce((sum, { cost }) => sum + cost, 0n)
    expect(row!.spent).toBe(spent)
    expect(spent <= 10_000n).toBe(true)
    const refused = await ask()
    const { message } = ((await refused.json()) as { error: { message: string } }).error
    expect(message).toContain(`$0.00001 and has spent ${formatUsd(spent)}`)
    expect(hub.hub.platform.ledger.openHolds()).toBe(0)
    // Its account has enough, and so have its other keys.
    expect((await ada.chat('hello')).status).toBe(200)
  })

  test('has a refund back in its budget', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    await allow(hub.world.db, ada.keyId, { budget: 1_000_000n })
    const spent = async () => {
      const { limits } = hub.world.db.tables
      const [row] = await hub.world.db.query.select().from(limits).where(eq(limits.subject, ada.keyId))
      return row!.spent
    }
    const response = await ada.chat('hello')
    const { usage } = (await response.json()) as { usage: { cost: number } }
    expect(await spent()).toBe(BigInt(Math.round(usage.cost * 1e9)))
    const leaving = new AbortController()
    const { ledger } = hub.hub.platform
    const settle = ledger.settle.bind(ledger)
    ledger.settle = async (...args) => {
      const settled = await settle(...args)
      leaving.abort()
      return settled
    }
    await ada.chat('hello', {}, { signal: leaving.signal })
    await hub.env.flush()
    await until('it is given back', async () => (await spent()) === BigInt(Math.round(usage.cost * 1e9)))
  })

  test('is made and listed by the API, expires, and cannot make itself one without', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const soon = new Date(hub.env.now() + 60_000).toISOString()
    const wish = { name: 'trial', requestsPerMinute: 60, budget: '0.50', expiresAt: soon }
    const made = await ada.fetch('/api/v1/keys', { method: 'POST', body: JSON.stringify(wish) })
    const created = (await made.json()) as { id: string; key: string }
    const shown = {
      ...{ id: created.id, name: 'trial', requestsPerMinute: 60, tokensPerMinute: null, concurrency: null },
      budget: { limit: '0.50', limitNanos: '500000000', spent: '0.00', spentNanos: '0' },
      expiresAt: soon,
    }
    expect(created).toMatchObject(shown)
    const list = (await (await ada.fetch('/api/v1/keys')).json()) as { data: object[] }
    expect(list.data).toContainEqual(expect.objectContaining(shown))
    const ask = (path: string, init: RequestInit = {}) => from(hub, '203.0.113.7', path, { key: created.key, ...init })
    expect((await ask('/v1/chat/completions', { method: 'POST', body })).status).toBe(200)
    for (const [path, init] of [
      ['/api/v1/keys', { method: 'POST', body: '{"name":"free"}' }],
      [`/api/v1/keys/${ada.keyId}`, { method: 'DELETE' }],
    ] as const)
      expect(await codeOf(await ask(path, init))).toBe('403 key_not_allowed')
    hub.env.jump(60_000)
    expect(await codeOf(await ask('/v1/chat/completions', { method: 'POST', body }))).toBe('401 invalid_api_key')
    for (const [change, param] of [
      [{ budget: 'much' }, 'budget'],
      [{ budget: '-1' }, 'budget'],
      [{ requestsPerMinute: -1 }, 'requestsPerMinute'],
      [{ expiresAt: 'yesterday' }, 'expiresAt'],
      [{ expiresAt: '2020-01-01' }, 'expiresAt'],
    ] as const) {
      const response = await ada.fetch('/api/v1/keys', {
        method: 'POST',
        body: JSON.stringify({ name: 'x', ...change }),
      })
      const { error } = (await response.json()) as { error: { code: string; param: string } }
      expect([response.status, error.code, error.param]).toEqual([400, 'invalid_request', param])
    }
  })
})

describe('strangers', () => {
  test('may send some wrong keys a minute; then all of them get the same 429, while a valid key goes on working', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
    const ask = (key: string) => from(hub, '203.0.113.7', '/v1/chat/completions', { method: 'POST', key, body })
    const wrong = ['sk-nonsense', `gh_${'0'.repeat(38)}`]
    const codes = []
    for (let at = 0; at < 50; at++) codes.push(await codeOf(await ask(wrong[at % 2]!)))
    expect(countOf(codes)).toEqual({ '401 invalid_api_key': 10, '429 rate_limit_exceeded': 40 })
    const refused = await ask(wrong[0]!)
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(6)
    expect((await ask(hub.as('ada').key)).status).toBe(200)
    expect(await codeOf(await from(hub, '203.0.113.8', '/api/v1/me', { key: wrong[0] }))).toBe('401 invalid_api_key')
  })

  test('may ask sixty times a minute for what needs no key, on every route together', async () => {
    await using hub = await startHub({ credit: { ada: '$1' } })
    const paths = ['/v1/models', `/v1/models/${MODEL}`, '/api/v1/prices', '/api/v1/receipts/keys', '/api/v1/me']
    const statuses = []
    for (let at = 0; at < 100; at++) statuses.push(String((await from(hub, '203.0.113.7', paths[at % 5]!)).status))
    expect(countOf(statuses)).toEqual({ 200: 48, 401: 12, 429: 40 })
    expect((await from(hub, '203.0.113.7', '/v1/models', { key: hub.as('ada').key })).status).toBe(200)
    expect((await from(hub, '203.0.113.7', '/healthz')).status).toBe(200)
  })

  test('are told apart by address: what they write into headers changes nothing, unless a proxy of ours wrote it', async () => {
    await using hub = await startHub({ config: { strangerRpm: 1, trustedProxies: '10.0.0.0/8' } })
    const ask = async (address: string, forwarded: string) =>
      (await from(hub, address, '/v1/models', { headers: { 'x-forwarded-for': forwarded } })).status
    expect(await ask('203.0.113.7', '198.51.100.1')).toBe(200)
    expect(await ask('203.0.113.7', '198.51.100.2')).toBe(429)
    expect(await ask('10.0.0.1', '198.51.100.1')).toBe(200)
    expect(await ask('10.0.0.2', '1.2.3.4, 198.51.100.1')).toBe(429)
    expect(await ask('10.0.0.1', '198.51.100.3')).toBe(200)
    // Unnamed behind a proxy on this machine all clients look alike, and are not counted.
    for (let at = 0; at < 5; at++) expect(await ask('127.0.0.1', '')).toBe(200)
  })
})

test('the platform API answers one account so often a minute, whatever its keys', async () => {
  await using hub = await startHub({ credit: { ada: '$1', bob: '$1' }, config: { platformRpm: 5 } })
  const statuses = []
  for (let at = 0; at < 8; at++) statuses.push((await hub.as('ada').fetch('/api/v1/me')).status)
  expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429, 429])
  expect((await hub.as('bob').fetch('/api/v1/me')).status).toBe(200)
})

test.each([
  ['deeper than it may be', '['.repeat(10_000), '400 schema_too_deep'],
  ['that is not JSON', '{"name":', '400 invalid_json'],
  ['of a wrong type', '{"name":7}', '400 invalid_request'],
  ['too large', JSON.stringify({ name: 'x'.repeat(70_000) }), '413 request_too_large'],
])('the platform API refuses a body %s', async (_, sent, expected) => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  expect(await codeOf(await hub.as('ada').fetch('/api/v1/keys', { method: 'POST', body: sent }))).toBe(expected)
  expect((await hub.as('ada').fetch('/api/v1/keys', { method: 'POST', body: '{"name":"fine"}' })).status).toBe(200)
})

test('a connection that was allowed to be quiet for an answer is not so for ever', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const quiet = async (sent: string) => {
    const allowed: number[] = []
    const headers = { authorization: `Bearer ${hub.as('ada').key}`, 'content-type': 'application/json' }
    const server = { timeout: (_: Request, seconds: number) => allowed.push(seconds), requestIP: () => null }
    const request = new Request('http://hub.test/v1/chat/completions', { method: 'POST', body: sent, headers })
    await (await hub.hub.fetch(request, server as never))!.text()
    return allowed
  }
  expect(await quiet(body)).toEqual([0, 60])
  expect(await quiet(body.replace('{', '{"stream":true,'))).toEqual([0, 30])
  expect(await quiet(body.replace(MODEL, 'nope'))).toEqual([0, 30])
  expect(await quiet('{')).toEqual([30])
})

test('a hub that was told its names answers by no other, but to those that look whether it lives', async () => {
  await using hub = await startHub({ config: { allowedHosts: 'hub.example, api.example' } })
  const ask = async (host: string, path = '/v1/models') => from(hub, '203.0.113.7', path, { headers: { host } })
  for (const host of ['hub.example', 'API.example:8443']) expect((await ask(host)).status).toBe(200)
  for (const host of ['', 'evil.example', 'hub.example.evil', '10.0.0.1'])
    expect(await codeOf(await ask(host))).toBe('421 misdirected_request')
  expect((await ask('10.0.0.1', '/healthz')).status).toBe(200)
})

test.each([
  ['GET', '/v1/chat/completions', 'POST'],
  ['DELETE', '/v1/completions', 'POST'],
  ['POST', '/v1/models', 'GET, HEAD'],
  ['PUT', '/v1/models/a/b', 'GET, HEAD'],
  ['POST', '/api/v1/prices', 'GET'],
  ['PATCH', '/api/v1/keys', 'GET, POST'],
  ['GET', '/api/v1/keys/key_1', 'DELETE'],
  ['DELETE', '/healthz', 'GET'],
])('%s %s is 405 and says what is allowed', async (method, path, allowed) => {
  await using hub = await startHub({})
  const response = await from(hub, '203.0.113.7', path, { method })
  expect(response.headers.get('allow')).toBe(allowed)
  expect(await codeOf(response)).toBe('405 method_not_allowed')
})
