// The real clients, unchanged, against the compiled hub and host.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI, { APIError, AuthenticationError, BadRequestError, InternalServerError, NotFoundError } from 'openai'
import { oracle } from '../host/testing.ts'
import { GpuHub, NotFoundError as SdkNotFound, PaymentRequiredError } from '../sdk/index.ts'
import { until } from '../sdk/testing.ts'
import { type HostProcess, type HubProcess, startWorld, type World } from './processes.ts'

const MODEL = 'gpuhub/emulator'
const ask = { model: MODEL, messages: [{ role: 'user' as const, content: 'Why is the sky blue?' }] }
let world: World
let hub: HubProcess
let host: HostProcess
let key: string
let openai: OpenAI
let sdk: GpuHub

beforeAll(async () => {
  world = await startWorld('sqlite')
  hub = await world.startHub()
  host = await world.startHost(hub, 'berlin')
  key = (await world.client('5.00')).key
  openai = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: key })
  sdk = new GpuHub({ baseURL: hub.url, apiKey: key })
}, 60_000)
afterAll(() => world.close())

const failure = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('nothing failed')
    },
    (error: unknown) => error,
  )

describe('the openai package', () => {
  test('gets whole answers, with their cost and request id', async () => {
    const answer = await openai.chat.completions.create(ask)
    expect(answer.choices[0]?.message.content).toBe(oracle(ask).text)
    expect(answer.usage?.total_tokens).toBe((answer.usage?.prompt_tokens ?? 0) + (answer.usage?.completion_tokens ?? 0))
    expect(answer._request_id).toStartWith('req_')
  })

  test('streams, piece by piece and through its helper', async () => {
    let text = ''
    for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe(oracle({ ...ask, stream: true }).text)
    const final = await openai.chat.completions.stream(ask).finalChatCompletion()
    expect(final.choices[0]?.message.content).toBe(text)
    expect(final.choices[0]?.finish_reason).toBe('stop')
  })

  test('breaks off, and the engine stops', async () => {
    host.engine.next({ hangAfterTokens: 4 })
    const before = host.engine.tally.aborted
    for await (const chunk of await openai.chat.completions.create({ ...ask, stream: true }))
      if (chunk.choices[0]?.delta.content) break
    await host.engine.tally.until((seen) => seen.aborted === before + 1)
  })

  test('finds models, ids with a slash included', async () => {
    expect((await openai.models.retrieve('Qwen/Qwen3-8B')).id).toBe('Qwen/Qwen3-8B')
    const ids: string[] = []
    for await (const model of openai.models.list()) ids.push(model.id)
    expect(ids).toContain(MODEL)
    expect((await fetch(`${hub.url}/v1/models/Qwen/Qwen3-8B`)).status).toBe(200)
  })

  test.each([
    ['an unknown model', { model: 'nope' }, NotFoundError, 'model_not_found'],
    ['a wrong type', { temperature: 'warm' }, BadRequestError, 'invalid_request'],
    ['a model nobody serves', { model: 'Qwen/Qwen3-8B' }, InternalServerError, 'no_capacity'],
  ] as const)('is told about %s by class, code and request id', async (_, change, type, code) => {
    const client = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: key, maxRetries: 0 })
    const error = await failure(client.chat.completions.create({ ...ask, ...change } as typeof ask))
    expect(error).toBeInstanceOf(type)
    expect(error).toMatchObject({ code })
    expect((error as APIError).requestID).toStartWith('req_')
  })

  test('is refused once, and does not try again, without a key or without credit', async () => {
    const stranger = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: 'gh_nobody' })
    expect(await failure(stranger.chat.completions.create(ask))).toBeInstanceOf(AuthenticationError)
    const poor = await world.client('0.000000001')
    let asked = 0
    const counting = (...call: Parameters<typeof fetch>) => {
      asked++
      return fetch(...call)
    }
    const broke = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: poor.key, fetch: counting as typeof fetch })
    expect(await failure(broke.chat.completions.create(ask))).toMatchObject({ status: 402, code: 'insufficient_quota' })
    expect(asked).toBe(1)
  })

  test.each(['', '/v1', '/v1/', '/api/v1'])('works with the base address %p', async (base) => {
    const client = new OpenAI({ baseURL: `${hub.url}${base}`, apiKey: key })
    expect((await client.chat.completions.create({ ...ask, max_tokens: 2 })).choices[0]?.finish_reason).toBe('length')
  })

  test('completes raw prompts', async () => {
    expect(
      (await openai.completions.create({ model: MODEL, prompt: 'The sky', max_tokens: 3 })).usage?.completion_tokens,
    ).toBe(3)
  })
})

describe('@gpuhub/sdk', () => {
  test('chats whole and streamed, and its receipts verify', async () => {
    const answer = await sdk.chat.completions.create(ask)
    expect(answer.choices[0]?.message.content).toBe(oracle(ask).text)
    let text = ''
    for await (const chunk of await sdk.chat.completions.create({ ...ask, stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe(oracle({ ...ask, stream: true }).text)
    const receipt = await sdk.receipts.get(answer.x_gpuhub.request_id)
    expect(Number(receipt.cost)).toBe(answer.usage.cost)
    expect(BigInt(receipt.feeNanos) + BigInt(receipt.hostShareNanos)).toBe(BigInt(receipt.costNanos))
    expect(await sdk.receipts.verify(receipt)).toBe(true)
    expect(await sdk.receipts.verify({ ...receipt, costNanos: '1' })).toBe(false)
  })

  test('knows models, prices, balance and usage', async () => {
    expect((await sdk.models.retrieve('Qwen/Qwen3-8B')).license).toBe('Apache-2.0')
    expect((await sdk.prices()).data.find((row) => row.id === `${MODEL}:emulated`)?.hostsOnline).toBe(1)
    const balance = await sdk.balance()
    expect(BigInt(balance.availableNanos) + BigInt(balance.heldNanos)).toBe(BigInt(balance.balanceNanos))
    for (const group of ['day', 'model', 'key'] as const) {
      const rows = (await sdk.usage({ group })).data
      expect(rows).toHaveLength(1)
      expect(BigInt(rows[0]!.costNanos)).toBe(5_000_000_000n - BigInt(balance.balanceNanos))
    }
  })

  test('makes a key, and a revoked one is refused', async () => {
    const made = await sdk.keys.create({ name: 'second' })
    const other = new GpuHub({ baseURL: hub.url, apiKey: made.key, maxRetries: 0 })
    expect((await other.balance()).currency).toBe('USD')
    await sdk.keys.delete(made.id)
    const refused = await until('the key is refused', () =>
      other.balance().then(
        () => null,
        (error: unknown) => error,
      ),
    )
    expect(refused).toMatchObject({ status: 401, code: 'invalid_api_key' })
  })

  test('tells errors apart by class', async () => {
    expect(await failure(sdk.models.retrieve('no/such'))).toBeInstanceOf(SdkNotFound)
    const poor = await world.client('0.000000001')
    const broke = new GpuHub({ baseURL: hub.url, apiKey: poor.key })
    const error = await failure(broke.chat.completions.create(ask))
    expect(error).toBeInstanceOf(PaymentRequiredError)
    expect(error).toMatchObject({ code: 'insufficient_quota', retryable: false })
  })
})

test('the bytes of a stream are framed as every client expects', async () => {
  const response = await fetch(`${hub.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ ...ask, stream: true }),
  })
  expect(
    Object.fromEntries(
      ['content-type', 'cache-control', 'x-accel-buffering'].map((name) => [name, response.headers.get(name)]),
    ),
  ).toEqual({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  })
  const text = await response.text()
  expect(text).toEndWith('data: [DONE]\n\n')
  const events = text.split('\n\n').slice(0, -2)
  for (const event of events) expect(event).toMatch(/^data: \{.*\}$/)
  const parsed = events.map((event) => JSON.parse(event.slice(6)))
  expect(parsed[0].choices[0].delta).toEqual({ role: 'assistant', content: '' })
  expect(parsed.filter((chunk) => chunk.choices[0].finish_reason !== null)).toHaveLength(1)
  expect(parsed.every((chunk) => chunk.choices.length === 1 && chunk.usage === undefined)).toBe(true)
})

test('a body beyond the limit is refused in JSON, and the hub goes on', async () => {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ ...ask, messages: [{ role: 'user', content: 'x'.repeat(5e6) }] })
  const refused = await fetch(`${hub.url}/v1/chat/completions`, { method: 'POST', headers, body })
  expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
    413,
    'request_too_large',
  ])
  expect((await openai.chat.completions.create({ ...ask, max_tokens: 1 })).usage?.completion_tokens).toBe(1)
})

test('bodies that trickle in hold nobody up', async () => {
  const slow = await Promise.all(
    Array.from({ length: 100 }, () =>
      Bun.connect({
        hostname: '127.0.0.1',
        port: hub.port,
        socket: {
          open: (socket) =>
            void socket.write(
              `POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\ncontent-length: 1000\r\ncontent-type: application/json\r\n\r\n{`,
            ),
          data() {},
        },
      }),
    ),
  )
  expect((await openai.chat.completions.create({ ...ask, max_tokens: 1 })).usage?.completion_tokens).toBe(1)
  for (const socket of slow) socket.end()
})

test('a host that sends what no protocol knows harms nobody’s answer', async () => {
  const { token } = await world.command<{ token: string }>('host-token', 'add', 'berlin@hosts.example.com')
  const text = openai.chat.completions.create(ask)
  const frames = [
    new Uint8Array(64).fill(255),
    new Uint8Array([0, 0, 0, 9, 5, 0, 0, 4, 0, 0, 0, 0]),
    new Uint8Array(600 * 1024),
    new TextEncoder().encode('hello'),
  ]
  for (const frame of frames) {
    const closed = Promise.withResolvers<void>()
    const options = { headers: { authorization: `Bearer ${token}` } } as unknown as string[]
    const socket = new WebSocket(`${hub.url.replace('http', 'ws')}/hosts/link`, options)
    socket.onopen = () => socket.send(frame as Uint8Array<ArrayBuffer>)
    socket.onclose = () => closed.resolve()
    await closed.promise
  }
  expect((await text).choices[0]?.message.content).toBe(oracle(ask).text)
  expect((await openai.chat.completions.create(ask)).choices[0]?.message.content).toBe(oracle(ask).text)
  expect(await world.command('ledger', 'check')).toMatchObject({ ok: true })
})
