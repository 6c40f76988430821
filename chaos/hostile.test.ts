// What strangers may send to a hub as it is shipped: bytes that no client would write. Bun's own server answers some of
// it, so this is a contract with that version of it, too.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { until } from '../sdk/testing.ts'
import { type HubProcess, startWorld, type World } from './processes.ts'
import { dial, type RawConnection, statusesIn } from './sockets.ts'

const body = JSON.stringify({ model: 'gpuhub/emulator', messages: [{ role: 'user', content: 'hi' }], max_tokens: 2 })
const marker = 'GET /smuggled HTTP/1.1\r\nhost: hub\r\nx-client-request-id: smuggled\r\n\r\n'
let world: World
let hub: HubProcess
let key: string
let head: string
/** Opened first and looked at last: they take the time they take while everything else goes on. */
let lazy: RawConnection[] = []

beforeAll(async () => {
  world = await startWorld('sqlite')
  hub = await world.startHub()
  await world.startHost(hub, 'berlin')
  key = (await world.client('5.00')).key
  head = `POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\n`
  lazy = await Promise.all(Array.from({ length: 300 }, () => dial(hub.port)))
  for (const { write } of lazy) write('POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\nx-slow: ')
}, 60_000)
afterAll(() => world.close())

/** Everything the hub answers until it closes the connection, or has answered and waits for more. */
async function exchange(bytes: string): Promise<{ statuses: number[]; text: string }> {
  const connection = await dial(hub.port)
  connection.write(bytes)
  // A request that nobody can mistake, to know that all before it was answered.
  const probe = 'GET /healthz HTTP/1.1\r\nhost: hub\r\nconnection: close\r\n\r\n'
  await Promise.race([connection.until(/HTTP\/1\.1 [2-5]\d\d[^]*\r\n\r\n/), connection.closed]).catch(() => {})
  connection.write(probe)
  await connection.closed
  return { statuses: statusesIn(connection.text()), text: connection.text() }
}

describe('a request that two servers could read differently is refused, and what hides behind it is never read', () => {
  const chunk = `${body.length.toString(16)}\r\n${body}\r\n`
  const rows: [string, () => string, number][] = [
    [
      'a length and chunks',
      () => `${head}content-length: ${body.length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [
      'chunks and a length',
      () => `${head}transfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n${chunk}0\r\n\r\n`,
      400,
    ],
    ['two lengths', () => `${head}content-length: ${body.length}\r\ncontent-length: 5\r\n\r\n${body}`, 400],
    ['a length with a sign', () => `${head}content-length: +3\r\n\r\nabc`, 400],
    ['a length below zero', () => `${head}content-length: -1\r\n\r\n`, 400],
    ['a list of lengths', () => `${head}content-length: 3, 3\r\n\r\nabc`, 400],
    ['a length in hex', () => `${head}content-length: 0x3\r\n\r\nabc`, 400],
    ['a length with a gap', () => `${head}content-length: 3 3\r\n\r\nabc`, 400],
    ['a length beyond numbers', () => `${head}content-length: 99999999999999999999\r\n\r\nabc`, 400],
    ['an unknown coding', () => `${head}transfer-encoding: xchunked\r\n\r\n0\r\n\r\n`, 400],
    ['identity', () => `${head}transfer-encoding: identity\r\n\r\n`, 400],
    ['chunked that is not last', () => `${head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`, 400],
    ['chunked twice', () => `${head}transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    ['a chunk without a size', () => `${head}transfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n`, 400],
    ['a chunk beyond numbers', () => `${head}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\nabc\r\n`, 400],
    ['a space before the colon', () => `${head}content-length : ${body.length}\r\n\r\n${body}`, 400],
    ['a folded header', () => `${head}x-a: b\r\n c\r\ncontent-length: ${body.length}\r\n\r\n${body}`, 400],
    ['a zero byte', () => `${head}x-a: b\0c\r\ncontent-length: ${body.length}\r\n\r\n${body}`, 400],
    ['a lone carriage return', () => `${head}x-a: b\rc\r\ncontent-length: ${body.length}\r\n\r\n${body}`, 400],
    ['lone line feeds', () => `${head}content-length: ${body.length}\r\n\r\n${body}`.replaceAll('\r\n', '\n'), 505],
    ['no host', () => 'GET /v1/models HTTP/1.1\r\n\r\n', 400],
    ['an empty host', () => 'GET /v1/models HTTP/1.1\r\nhost:\r\n\r\n', 400],
    ['two hosts', () => 'GET /v1/models HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n', 400],
    ['a host that is a path', () => 'GET /v1/models HTTP/1.1\r\nhost: a/../b\r\n\r\n', 400],
    ['another version', () => 'GET /v1/models HTTP/2.0\r\nhost: hub\r\n\r\n', 505],
    ['no version', () => 'GET /v1/models\r\n\r\n', 505],
  ]
  test.each(rows)('%s', async (_, bytes, status) => {
    const { statuses, text } = await exchange(bytes() + marker)
    expect(statuses[0]).toBe(status)
    // Refused by Bun the connection ends there; refused by us, what follows is a request of its own.
    if (!text.includes('"code"')) expect(statuses).toEqual([status])
    expect(text).not.toContain('<html')
  })

  test.each([
    [
      'the same length twice',
      () => `${head}content-length: ${body.length}\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ],
    ['chunked in capitals', () => `${head}transfer-encoding: CHUNKED\r\n\r\n${chunk}0\r\n\r\n`],
    [
      'a chunk with an extension',
      () => `${head}transfer-encoding: chunked\r\n\r\n${chunk.replace('\r\n', ';a=b\r\n')}0\r\n\r\n`,
    ],
    [
      'a request that waits to be asked',
      () => `${head}expect: 100-continue\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
    ],
    [
      'a whole address',
      () => `${head.replace('/v1', 'http://evil.example/v1')}content-length: ${body.length}\r\n\r\n${body}`,
    ],
  ])('what all servers read alike is answered: %s', async (_, bytes) => {
    const { statuses } = await exchange(bytes())
    expect(statuses.filter((status) => status !== 100)).toEqual([200, 200])
  })
})

describe('too much of something', () => {
  test.each([
    ['a header of 20 KB', () => `${head}x-a: ${'a'.repeat(20_000)}\r\ncontent-length: 0\r\n\r\n`, 431],
    ['300 headers', () => `${head}${Array.from({ length: 300 }, (_, at) => `x-${at}: a\r\n`).join('')}\r\n`, 431],
    ['an address of 20 KB', () => `GET /${'a'.repeat(20_000)} HTTP/1.1\r\nhost: hub\r\n\r\n`, 431],
    ['a body of 20 MB, announced', () => `${head}content-length: ${20 * 2 ** 20}\r\n\r\n`, 413],
  ])('%s', async (_, bytes, status) => {
    const { statuses } = await exchange(bytes())
    expect(statuses).toEqual([status])
  })

  test('a body beyond the limit is refused with its envelope before it is sent', async () => {
    const connection = await dial(hub.port)
    connection.write(`${head}content-length: ${5 * 2 ** 20}\r\n\r\n`)
    await connection.until(/"code":"request_too_large"/)
    expect(statusesIn(connection.text())).toEqual([413])
    connection.destroy()
  })

  test.each(['announced', 'not announced'])('a client in the middle of a body too long, %s, reads why', async (how) => {
    const piece = new Uint8Array(2 ** 16).fill(120)
    const length = how === 'announced' ? 12 * 2 ** 20 : undefined
    let sent = 0
    const stream = new ReadableStream({
      pull(controller) {
        if (sent < 12 * 2 ** 20) controller.enqueue(piece)
        else controller.close()
        sent += piece.length
      },
    })
    const response = await fetch(`${hub.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: length === undefined ? stream : new Uint8Array(length).fill(120),
    })
    expect([response.status, await response.text()]).toEqual([413, expect.stringContaining('request_too_large')])
  })

  test('a stranger’s large body is not waited for', async () => {
    const connection = await dial(hub.port)
    connection.write(`POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\ncontent-length: ${10 * 2 ** 20}\r\n\r\n`)
    await connection.until(/"code":"invalid_api_key"/)
    expect(statusesIn(connection.text())).toEqual([401])
    connection.destroy()
  })
})

describe('addresses written in other ways', () => {
  const secrets = ['/api/v1/me', '/api/v1/keys', '/api/v1/balance']
  const spellings = (path: string): string[] => [
    path,
    `${path}/`,
    `/${path}`,
    `/v1/..${path}`,
    `/v1/%2e%2e${path}`,
    `/v1/%2E%2e/.${path}`,
    `/v1/.${path}`,
    `/healthz/..${path}`,
    `/v1%2f..%2f${path}`,
    `/v1/models/../..${path}`,
    `/v1/chat/completions/../../..${path}`,
    `/.${path}`,
    `/..;${path}`,
    `${path};x=1`,
    `${path}%00`,
    `${path}%20`,
    `${path}?x`,
    `${path}#x`,
    path.replace('/v1', '/%76%31'),
    path.replace('/v1', '/V1'),
    path.replaceAll('/', '\\').replace('\\', '/'),
    `http://hub${path}`,
    `http://evil.example${path}`,
  ]
  test.each(secrets.flatMap((path) => spellings(path).map((spelling) => [spelling])))(
    '%s tells a stranger nothing',
    async (spelling) => {
      const { statuses, text } = await exchange(
        `GET ${spelling} HTTP/1.1\r\nhost: hub\r\nx-forwarded-for: ${address()}\r\n\r\n`,
      )
      expect([400, 401, 404]).toContain(statuses[0]!)
      expect(text).toContain('"request_id":"req_')
      expect(text).not.toMatch(/<!doctype|<html/i)
    },
  )

  test.each([
    ['GET', '/nowhere', 404],
    ['GET', '/v1/nowhere', 404],
    ['CONNECT', 'evil.example:443', 404],
    ['TRACE', '/v1/models', 405],
    ['PATCH', '/v1/chat/completions', 405],
    ['DELETE', '/api/v1/prices', 405],
  ])('%s %s is refused in JSON, with a request id', async (method, path, status) => {
    const connection = await dial(hub.port)
    connection.write(`${method} ${path} HTTP/1.1\r\nhost: hub\r\nx-forwarded-for: ${address()}\r\n\r\n`)
    // What follows a CONNECT is no request any more, so nothing would end the connection for half a minute.
    await connection.until(/\r\n\r\n/)
    const text = connection.text()
    connection.destroy()
    expect(statusesIn(text)).toEqual([status])
    expect(text.toLowerCase()).toContain('x-request-id: req_')
    expect(text.toLowerCase()).toContain('content-type: application/json')
  })
})

let addresses = 0
/** A stranger of their own for each test; the hub believes its own machine about whom it speaks for. */
function address(): string {
  addresses++
  return `203.0.113.${addresses % 250}`
}

describe('floods of strangers', () => {
  const flood = async (count: number, headers: string, from: (at: number) => string) => {
    const statuses: Record<number, number> = {}
    await Promise.all(
      Array.from({ length: 20 }, async (_, lane) => {
        for (let at = lane; at < count; at += 20) {
          const response = await fetch(`${hub.url}/v1/chat/completions`, {
            method: 'POST',
            body,
            headers: { 'x-forwarded-for': from(at), ...(headers ? { authorization: headers } : {}) },
          })
          await response.arrayBuffer()
          statuses[response.status] = (statuses[response.status] ?? 0) + 1
        }
      }),
    )
    return statuses
  }
  const answered = async () => {
    const headers = {
      authorization: `Bearer ${key}`,
      'content-type': 'application/json',
      'x-forwarded-for': '198.51.100.1',
    }
    return (await fetch(`${hub.url}/v1/chat/completions`, { method: 'POST', body, headers })).status
  }

  test('a thousand wrong keys from one address: ten are checked, and the client beside it is answered all the while', async () => {
    const [statuses, ...mine] = await Promise.all([
      flood(1_000, `Bearer gh_${'0'.repeat(38)}`, () => '198.51.100.1'),
      ...Array.from({ length: 5 }, answered),
    ])
    expect(mine).toEqual([200, 200, 200, 200, 200])
    expect(statuses[401]! + statuses[429]!).toBe(1_000)
    // Some come back while the flood goes on.
    expect(statuses[401]!).toBeLessThanOrEqual(20)
  })

  test('two thousand requests from two thousand addresses, without a key', async () => {
    const statuses = await flood(2_000, '', (at) => `2001:db8:${(at >> 8).toString(16)}:${(at & 255).toString(16)}::1`)
    expect(statuses).toEqual({ 401: 2_000 })
    expect(await answered()).toBe(200)
  })
})

describe('storms of connections', () => {
  const open = () => readdirSync(`/proc/${hub.process.pid}/fd`).length
  const request = () => `${head}content-length: ${body.length}\r\n\r\n${body}`

  test('that say nothing, or are gone at once, change nothing for a client, and leave nothing', async () => {
    const before = open()
    const silent = await Promise.all(Array.from({ length: 1_500 }, () => dial(hub.port)))
    const fleeting = Array.from({ length: 1_500 }, async () => (await dial(hub.port)).socket.resetAndDestroy())
    for (let times = 0; times < 5; times++) expect((await exchange(request())).statuses).toEqual([200, 200])
    await Promise.all(fleeting)
    for (const { destroy } of silent) destroy()
    await until('the hub has let them go', () => open() <= before + 20, 30_000)
  }, 60_000)

  // A hub that has as many as the system allows.
  test.skipIf(process.platform !== 'linux' || !Bun.which('prlimit'))(
    'that take all there is: who is connected is answered, and who comes as soon as there is room',
    async () => {
      const client = await dial(hub.port)
      const limit = (files: number) =>
        Bun.spawnSync(['prlimit', '--pid', String(hub.process.pid), `--nofile=${files}:`]).exitCode
      const most = Number(/Max open files +(\d+)/.exec(readFileSync(`/proc/${hub.process.pid}/limits`, 'utf8'))![1])
      expect(limit(open() + 100)).toBe(0)
      const storm = await Promise.all(Array.from({ length: 300 }, () => dial(hub.port)))
      try {
        for (let times = 1; times <= 3; times++) {
          client.write(request())
          await client.until(new RegExp(`(HTTP/1.1 200 [^]*?){${times}}`))
        }
        const late = exchange(request())
        for (const { destroy } of storm) destroy()
        expect((await late).statuses).toEqual([200, 200])
      } finally {
        expect(limit(most)).toBe(0)
        client.destroy()
        for (const { destroy } of storm) destroy()
      }
    },
    60_000,
  )
})

describe('(43) slow writers', () => {
  test('bodies that trickle are answered 408 and closed, while others are served', async () => {
    const slow = await Promise.all(Array.from({ length: 300 }, () => dial(hub.port)))
    for (const { write } of slow) write(`${head}content-length: 1000\r\n\r\n{`)
    const drip = setInterval(() => slow.forEach(({ socket, write }) => !socket.destroyed && write(' ')), 500)
    const quick = await exchange(`${head}content-length: ${body.length}\r\n\r\n${body}`)
    expect(quick.statuses).toEqual([200, 200])
    await Promise.all(slow.map(({ closed }) => closed))
    clearInterval(drip)
    for (const { text } of slow) {
      expect(statusesIn(text())).toEqual([408])
      expect(text()).toContain('"code":"request_body_timeout"')
    }
  }, 60_000)

  test('headers that never end are closed, and hold nobody up meanwhile', async () => {
    const quick = await exchange(`${head}content-length: ${body.length}\r\n\r\n${body}`)
    expect(quick.statuses).toEqual([200, 200])
    await Promise.all(lazy.map(({ closed }) => closed))
    expect(lazy.flatMap(({ text }) => statusesIn(text())).filter((status) => status < 400)).toEqual([])
  }, 60_000)
})

test('nothing of all this was billed or left a hold', async () => {
  await until(
    'the books are quiet',
    async () => (await world.command<{ openHolds: number }>('ledger', 'check')).openHolds === 0,
  )
  expect(await world.command('ledger', 'check')).toMatchObject({ ok: true, sum: '0', openHolds: 0 })
  const rows = await world.command<{ state: string }[]>('requests', '--limit', '1000')
  expect(new Set(rows.map(({ state }) => state))).toEqual(new Set(['completed']))
}, 60_000)
