// What an SDK's own retries cost: the official openai package, and a network that loses answers.
import { connect, createServer, type Socket } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { until } from '../sdk/testing.ts'
import { type HostProcess, type HubProcess, startWorld, type World } from './processes.ts'

const ask = { model: 'gpuhub/emulator', messages: [{ role: 'user' as const, content: 'Why is the sky blue?' }] }
let world: World
let hub: HubProcess
let host: HostProcess

beforeAll(async () => {
  world = await startWorld('sqlite')
  hub = await world.startHub()
  host = await world.startHost(hub, 'berlin')
}, 60_000)
afterAll(() => world.close())

/** A line to the hub on which each of the first connections breaks as `breaks` says; then it holds. */
async function line(breaks: ('answer lost' | 'cut while it waits')[]) {
  let connections = 0
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const how = breaks[connections++]
    const upstream = connect(hub.port, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.pipe(upstream)
    client.on('close', () => upstream.destroy())
    if (how === undefined) {
      upstream.pipe(client)
    } else if (how === 'answer lost') {
      // The hub has handed its answer to the network, and has every reason to think that it arrived.
      upstream.once('data', () => {
        client.unpipe(upstream)
        client.removeAllListeners('close')
        client.destroy()
        upstream.resume()
      })
    } else {
      client.once(
        'data',
        () => void host.engine.tally.until((seen) => seen.waiting + seen.running > 0).then(() => client.destroy()),
      )
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  return {
    url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/v1`,
    connections: () => connections,
    close() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

const charged = async (email: string) => {
  const rows = await world.command<{ id: string; state: string; costNanos: string }[]>('requests', '--user', email)
  return rows.filter(({ costNanos, state }) => costNanos !== '0' && state !== 'lost')
}

test('an answer lost on the way is fetched by the retry, under its own request id, and charged once', async () => {
  const { email, key } = await world.client('1.00')
  const broken = await line(['answer lost', 'answer lost'])
  try {
    const openai = new OpenAI({ baseURL: broken.url, apiKey: key, maxRetries: 2 })
    const headers = { 'Idempotency-Key': 'order-7' }
    const { data, response } = await openai.chat.completions.create(ask, { headers }).withResponse()
    expect(broken.connections()).toBe(3)
    expect(response.headers.get('idempotent-replayed')).toBe('true')
    const rows = await charged(email)
    expect(rows.map(({ id }) => id)).toEqual([response.headers.get('x-request-id')!])
    const { usage } = data as { usage?: { cost?: number } }
    expect(BigInt(Math.round((usage?.cost ?? 0) * 1e9))).toBe(BigInt(rows[0]!.costNanos))
    expect((await openai.chat.completions.create(ask, { headers })).choices).toEqual(data.choices)
    expect((await charged(email)).length).toBe(1)
  } finally {
    broken.close()
  }
}, 60_000)

test('a connection cut while its answer was being made costs nothing, so that the retry costs once', async () => {
  const { email, key } = await world.client('1.00')
  for (const headers of [{}, { 'Idempotency-Key': 'order-8' }]) {
    const before = (await charged(email)).length
    const broken = await line(['cut while it waits'])
    host.engine.block()
    const { aborted } = host.engine.tally
    try {
      const openai = new OpenAI({ baseURL: broken.url, apiKey: key, maxRetries: 4 })
      const asked = openai.chat.completions.create(ask, { headers })
      await host.engine.tally.until((seen) => seen.aborted > aborted)
      host.engine.release()
      expect((await asked).choices[0]?.finish_reason).toBe('stop')
      await until('it is in the books', async () => (await charged(email)).length > before)
      expect((await charged(email)).length).toBe(before + 1)
    } finally {
      host.engine.release()
      broken.close()
    }
  }
}, 60_000)

test('a hub killed under a request frees its key: the retry is answered by the next one, and charged once', async () => {
  const { email, key } = await world.client('1.00')
  const openai = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: key, maxRetries: 10 })
  const headers = { 'Idempotency-Key': 'order-9' }
  host.engine.block()
  const before = host.engine.tally.requests
  const asked = openai.chat.completions.create(ask, { headers })
  await host.engine.tally.until((seen) => seen.requests > before)
  await hub.kill()
  host.engine.release()
  hub = await world.startHub(hub.port)
  const answer = await asked
  expect(answer.choices[0]?.finish_reason).toBe('stop')
  const again = await openai.chat.completions.create(ask, { headers })
  expect(again).toEqual(answer)
  await until('it is in the books', async () => (await charged(email)).length > 0)
  expect((await charged(email)).length).toBe(1)
}, 90_000)
