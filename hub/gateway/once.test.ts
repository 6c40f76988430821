import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { until } from '../../sdk/testing.ts'
import { allow } from '../identity/allowances.ts'
import { addKey } from '../identity/keys.ts'
import { MODEL, startHub, type TestHub } from '../testing.ts'

const HOUR_MS = 60 * 60_000
const withKey = (key: string, init: RequestInit = {}): RequestInit => ({ ...init, headers: { 'idempotency-key': key } })

async function refusal(response: Response) {
  const { error } = (await response.json()) as { error: { code: string; message: string } }
  return {
    status: response.status,
    code: error.code,
    message: error.message,
    retryAfter: response.headers.get('retry-after'),
  }
}

const rowOf = async ({ world }: TestHub, id: string) => {
  const { requests } = world.db.tables
  const [row] = await world.db.query.select().from(requests).where(eq(requests.id, id))
  return row
}

/** Nobody waits for it: whose it is has to be looked up first. */
const refunded = (hub: TestHub, lost: Response) =>
  until('it is refunded', async () => (await rowOf(hub, lost.headers.get('x-request-id')!))?.state === 'lost')

describe.each(testDialects)('an Idempotency-Key on %s', (database) => {
  const small = { database, credit: { ada: '$1' }, hosts: { berlin: {} } }

  test('(F-idem2) sent again gets the same bytes under the same request id, billed once', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const first = await ada.chat('hello', {}, withKey('order-7'))
    const body = await first.text()
    const again = await ada.chat('hello', {}, withKey('order-7'))
    expect(await again.text()).toBe(body)
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    for (const name of ['x-request-id', 'content-type', 'x-gpuhub-cost', 'x-gpuhub-host', 'x-gpuhub-price-prompt'])
      expect([name, again.headers.get(name)]).toEqual([name, first.headers.get(name)])
    expect(first.headers.get('idempotent-replayed')).toBeNull()
    const traced = {
      method: 'POST',
      body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hello' }] }),
    }
    const asked = await ada.fetch('/v1/chat/completions', {
      ...traced,
      headers: { 'idempotency-key': 'order-7', 'x-client-request-id': 'mine' },
    })
    expect([asked.headers.get('x-request-id'), asked.headers.get('x-client-request-id')]).toEqual([
      first.headers.get('x-request-id'),
      'mine',
    ])
    const row = await rowOf(hub, first.headers.get('x-request-id')!)
    expect((await hub.hub.platform.ledger.spendable(ada.account)).balance).toBe(1_000_000_000n - row!.cost)
    expect(hub.host('berlin').engine.tally.requests).toBe(1)
    // Written in another order it is the same request; under another key or on another route it is not.
    const reordered = `{"messages": [{"content": "hello", "role": "user"}],\n "model": ${JSON.stringify(MODEL)}}`
    const same = await ada.fetch('/v1/chat/completions', withKey('order-7', { method: 'POST', body: reordered }))
    expect(await same.text()).toBe(body)
    await ada.chat('hello', {}, withKey('order-8'))
    const prompt = JSON.stringify({ model: MODEL, prompt: 'hello' })
    expect((await ada.fetch('/v1/completions', withKey('order-7', { method: 'POST', body: prompt }))).status).toBe(200)
    expect(hub.host('berlin').engine.tally.requests).toBe(3)
  })

  test('(F-idem1) sent while the first runs is told to come back, and holds nothing', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const { engine } = hub.host('berlin')
    engine.block()
    const first = ada.chat('hello', {}, withKey('order-7'))
    await engine.tally.until((seen) => seen.requests === 1)
    expect(await refusal(await ada.chat('hello', {}, withKey('order-7')))).toMatchObject({
      ...{ status: 409, code: 'idempotency_in_progress', retryAfter: '1' },
    })
    expect(hub.hub.platform.ledger.openHolds()).toBe(1)
    engine.release()
    const body = await (await first).text()
    expect(await (await ada.chat('hello', {}, withKey('order-7'))).text()).toBe(body)
    expect(engine.tally.requests).toBe(1)
  })

  test('(F-idem3) sent with another body is a mistake, running or done', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    await ada.chat('hello', {}, withKey('order-7'))
    for (const [text, more] of [
      ['goodbye', {}],
      ['hello', { max_tokens: 5 }],
      ['hello', { stream: true }],
    ] as const) {
      const response = await ada.chat(text, more, withKey('order-7'))
      expect(await refusal(response)).toMatchObject({ status: 400, code: 'idempotency_mismatch', retryAfter: null })
    }
    expect(hub.host('berlin').engine.tally.requests).toBe(1)
  })

  test('of a request that failed is free again', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const { engine } = hub.host('berlin')
    engine.set({ refuseStatus: 500 })
    expect((await ada.chat('hello', {}, withKey('order-7'))).status).toBe(502)
    engine.set({ refuseStatus: null })
    const response = await ada.chat('goodbye', {}, withKey('order-7'))
    expect([response.status, response.headers.get('idempotent-replayed')]).toEqual([200, null])
  })

  test('of a request that was refused before it began is free again', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    expect((await ada.chat('hello', { temperature: 9 }, withKey('order-7'))).status).toBe(400)
    expect((await ada.chat('hello', { model: 'nope' }, withKey('order-7'))).status).toBe(404)
    await allow(hub.world.db, ada.keyId, { budget: 1n })
    await hub.env.advance(1_000)
    expect((await ada.chat('hello', {}, withKey('order-7'))).status).toBe(402)
    await allow(hub.world.db, ada.keyId, { budget: null })
    await hub.env.advance(1_000)
    expect((await ada.chat('hello', {}, withKey('order-7'))).status).toBe(200)
  })

  test('of a stream prevents a second one while it runs and after its end, but not after it was cut short', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const { engine } = hub.host('berlin')
    const ask = () => ada.chat('hello', { stream: true }, withKey('order-7'))
    engine.set({ hangAfterTokens: 4 })
    const cut = await ask()
    expect(await refusal(await ask())).toMatchObject({ status: 409, code: 'idempotency_in_progress' })
    await cut.body!.cancel()
    await engine.tally.until((seen) => seen.aborted === 1)
    await hub.hub.platform.running.empty()
    engine.set({ hangAfterTokens: null })
    const whole = await ask()
    expect(whole.status).toBe(200)
    expect(await whole.text()).toEndWith('data: [DONE]\n\n')
    const again = await refusal(await ask())
    expect(again).toMatchObject({ status: 400, code: 'idempotency_completed' })
    expect(again.message).toContain(whole.headers.get('x-request-id')!)
  })

  test('an answer that was settled and not delivered is fetched by the retry, and charged once', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const leaving = new AbortController()
    const { ledger } = hub.hub.platform
    const keep = ledger.keep.bind(ledger)
    ledger.keep = async (...args) => {
      const kept = await keep(...args)
      leaving.abort()
      return kept
    }
    const lost = await ada.chat('hello', {}, withKey('order-7', { signal: leaving.signal }))
    const id = lost.headers.get('x-request-id')!
    await hub.env.flush()
    expect(await rowOf(hub, id)).toMatchObject({ state: 'completed', delivered: false })
    const again = await ada.chat('hello', {}, withKey('order-7'))
    expect(again.headers.get('x-request-id')).toBe(id)
    const row = await rowOf(hub, id)
    expect(row).toMatchObject({ state: 'completed', delivered: true })
    expect((await ledger.spendable(ada.account)).balance).toBe(1_000_000_000n - row!.cost)
    expect(hub.host('berlin').engine.tally.requests).toBe(1)
  })

  test('an answer that nobody fetched within a day is given back, and forgotten', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const leaving = new AbortController()
    const { ledger, onces } = hub.hub.platform
    const keep = ledger.keep.bind(ledger)
    ledger.keep = async (...args) => {
      const kept = await keep(...args)
      leaving.abort()
      return kept
    }
    const lost = await ada.chat('hello', {}, withKey('order-7', { signal: leaving.signal }))
    ledger.keep = keep
    const fetched = await ada.chat('hello', {}, withKey('order-8'))
    await hub.env.flush()
    const rows = () => hub.world.db.query.$count(hub.world.db.tables.onces)
    hub.env.jump(23 * HOUR_MS)
    await onces.tidy()
    expect(await rows()).toBe(2)
    hub.env.jump(2 * HOUR_MS)
    await onces.tidy()
    await refunded(hub, lost)
    expect((await rowOf(hub, fetched.headers.get('x-request-id')!))?.state).toBe('completed')
    await onces.tidy()
    expect(await rows()).toBe(0)
    expect((await ada.chat('goodbye', {}, withKey('order-7'))).status).toBe(200)
  })

  test('without one, an answer that was not delivered is refunded, so that a retry costs once', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const leaving = new AbortController()
    const { ledger } = hub.hub.platform
    const settle = ledger.settle.bind(ledger)
    ledger.settle = async (...args) => {
      const settled = await settle(...args)
      leaving.abort()
      return settled
    }
    const lost = await ada.chat('hello', {}, { signal: leaving.signal })
    ledger.settle = settle
    const again = await ada.chat('hello')
    await refunded(hub, lost)
    const row = await rowOf(hub, again.headers.get('x-request-id')!)
    expect((await ledger.spendable(ada.account)).balance).toBe(1_000_000_000n - row!.cost)
  })

  test('what is kept can be read with the API key alone that asked', async () => {
    await using hub = await startHub(small)
    const ada = hub.as('ada')
    const first = await ada.chat('hello', {}, withKey('order-7'))
    const text = ((await first.json()) as { choices: { message: { content: string } }[] }).choices[0]!.message.content
    const [row] = await hub.world.db.query.select().from(hub.world.db.tables.onces)
    expect(JSON.stringify(row)).not.toContain('order-7')
    expect(Buffer.from(row!.answer!, 'base64').toString('latin1')).not.toContain(text.slice(0, 8))
    const { key } = await addKey(hub.env, hub.world.db, { userId: ada.userId })
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': 'order-7' }
    const body = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hello' }] })
    const request = new Request('http://hub.test/v1/chat/completions', { method: 'POST', body, headers })
    const response = (await hub.hub.fetch(request, {} as never))!
    expect(response.headers.get('x-should-retry')).toBe('false')
    const told = await refusal(response)
    expect(told).toMatchObject({ status: 409, code: 'idempotency_body_not_kept' })
    expect(told.message).toContain(first.headers.get('x-request-id')!)
    expect(told.message).toContain(`$${first.headers.get('x-gpuhub-cost')!}`)
  })
})

test.each(['', 'two words', 'ümlaut', 'x'.repeat(256)])('%p is no Idempotency-Key', async (key) => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const response = await hub.as('ada').chat('hello', {}, withKey(encodeURI(key) === key ? key : '\u00fc'))
  expect(await refusal(response)).toMatchObject({ status: 400, code: 'invalid_request' })
  expect(hub.host('berlin').engine.tally.requests).toBe(0)
})
