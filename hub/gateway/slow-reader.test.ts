// Clients that do not read, through a real socket; the clock that decides is the test's.
import { connect, type Socket } from 'node:net'
import { afterEach, expect, spyOn, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { charge } from '../../sdk/money.ts'
import { until } from '../../sdk/testing.ts'
import { EventStream } from './event-stream.ts'
import { MODEL, startHub, type TestHub } from '../testing.ts'

const flushes = spyOn(EventStream.prototype, 'flush')
const open: (() => void)[] = []
afterEach(() => {
  flushes.mockClear()
  for (const close of open.splice(0)) close()
})

/** The hub behind a port, and an engine that has very much to say. */
async function talkative(): Promise<{ hub: TestHub; port: number }> {
  const hub = await startHub({ credit: { ada: '$10' }, hosts: { berlin: {} } })
  const { engine } = hub.host('berlin')
  const answer = engine.fetch.bind(engine)
  engine.fetch = async (request) => {
    const body = { ...((await request.json()) as object), ignore_eos: true }
    const { url, headers, signal } = request
    return answer(new Request(url, { method: 'POST', headers, signal, body: JSON.stringify(body) }))
  }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 30,
    development: false,
    fetch: async (request, own) => (await hub.hub.fetch(request, own as never))!,
  })
  open.push(() => void server.stop(true))
  return { hub, port: server.port! }
}

/** More than the network between two programs on one machine holds. */
const VERY_LONG = { stream: true, n: 2, max_tokens: 4_000, logprobs: true, top_logprobs: 20 }

/** Asks, and reads nothing of what comes back. */
function askWithoutReading(port: number, key: string, more: object): Socket {
  const body = JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'go on' }], ...more })
  const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer ${key}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n`
  const socket = connect(port, '127.0.0.1')
  socket.on('error', () => {})
  socket.on('connect', () => {
    socket.pause()
    socket.write(head + body)
  })
  open.push(() => socket.destroy())
  return socket
}

/** The hub writes no more, since nobody takes it. */
async function stalled(): Promise<void> {
  let before = 0
  let same = 0
  await until('the hub waits for its reader', () => {
    const writes = flushes.mock.calls.length
    same = writes > 0 && writes === before ? same + 1 : 0
    before = writes
    return same > 100
  })
}

test('(F-stall) a client that reads nothing is cut off after a minute, and pays for what was written', async () => {
  const { hub, port } = await talkative()
  await using _ = hub
  const ada = hub.as('ada')
  const { engine } = hub.host('berlin')
  const socket = askWithoutReading(port, ada.key, VERY_LONG)
  let closed = false
  socket.on('close', () => {
    closed = true
  })
  await stalled()
  await hub.env.advance(59_000)
  expect([closed, hub.hub.platform.running.size]).toEqual([false, 1])
  await hub.env.advance(1_000)
  await until('the connection is reset', () => closed)
  await hub.hub.platform.running.empty()
  const { requests } = hub.world.db.tables
  const [row] = await hub.world.db.query.select().from(requests).where(eq(requests.userId, ada.userId))
  expect(row).toMatchObject({ state: 'cancelled', delivered: true })
  expect(row!.completionTokens).toBeGreaterThan(1_000)
  expect(row!.completionTokens).toBeLessThan(engine.tally.tokens / 2)
  expect(row!.cost).toBe(
    charge({ prompt: 20_000, completion: 100_000 }, { prompt: row!.promptTokens, completion: row!.completionTokens }),
  )
  expect((await hub.hub.platform.ledger.spendable(ada.account)).balance).toBe(10_000_000_000n - row!.cost)
  expect(hub.hub.platform.ledger.openHolds()).toBe(0)
}, 60_000)

test('(F-stall) one that reads again in time has its whole answer', async () => {
  const { hub, port } = await talkative()
  await using _ = hub
  const socket = askWithoutReading(port, hub.as('ada').key, VERY_LONG)
  let text = ''
  const done = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      text = (text + bytes.toString('latin1')).slice(-2_000)
      if (text.includes('data: [DONE]')) resolve()
    })
  })
  await stalled()
  await hub.env.advance(50_000)
  socket.resume()
  await done
  expect(text).toContain('"finish_reason":"length"')
  expect(text).not.toContain('"error"')
}, 60_000)

test('an answer that never ends is ended after its time, with the documented error, and costs nothing', async () => {
  const hub = await startHub({ credit: { ada: '$10' }, hosts: { berlin: {} }, config: { streamMinutes: 1 } })
  await using _ = hub
  const { engine } = hub.host('berlin')
  engine.set({ tokensPerSecond: 50 })
  const answer = engine.fetch.bind(engine)
  engine.fetch = async (request) => {
    const body = { ...((await request.json()) as object), ignore_eos: true }
    const { url, headers, signal } = request
    return answer(new Request(url, { method: 'POST', headers, signal, body: JSON.stringify(body) }))
  }
  const response = await hub.as('ada').chat('go on', { stream: true, max_tokens: 8_000 })
  let text = ''
  const reading = (async () => {
    for await (const bytes of response.body!) text = (text + new TextDecoder().decode(bytes)).slice(-1_000)
  })()
  // Tokens come all the time, so nobody can say that it hangs.
  let seconds = 0
  for (; engine.tally.aborted === 0; seconds++) {
    const { tokens } = engine.tally
    await engine.tally.until((seen) => seen.tokens > tokens || seen.aborted > 0)
    await hub.env.advance(1_000)
  }
  expect(seconds).toBeGreaterThanOrEqual(60)
  expect(seconds).toBeLessThanOrEqual(75)
  await reading
  const [error, done] = text.trim().split('\n\n').slice(-2)
  expect(JSON.parse(error!.replace('data: ', ''))).toMatchObject({ error: { code: 'upstream_timeout' } })
  expect(done).toBe('data: [DONE]')
  expect(await hub.balances()).toEqual({ ada: '$10.00', berlin: '$0.00' })
  expect(engine.tally.aborted).toBe(1)
})
