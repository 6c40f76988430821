import { afterEach, expect, test } from 'bun:test'
import { inspect } from 'node:util'
import { GpuHubError, NotFoundError } from './errors.ts'
import { GpuHub } from './gpuhub.ts'
import { json, question, refusal, standIn } from './stand-in.ts'

const { GPUHUB_API_KEY, GPUHUB_BASE_URL } = Bun.env
afterEach(() => {
  setEnvironment({ GPUHUB_API_KEY, GPUHUB_BASE_URL })
})

function setEnvironment(values: Record<string, string | undefined>): void {
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) delete Bun.env[name]
    else Bun.env[name] = value
  }
}

const calls: [name: string, call: (hub: GpuHub) => Promise<unknown>, asked: string, body: object | null][] = [
  ['chat', (hub) => hub.chat.completions.create(question), 'POST /v1/chat/completions', question],
  [
    'completions',
    (hub) => hub.completions.create({ model: 'a/b', prompt: 'Once' }),
    'POST /v1/completions',
    { model: 'a/b', prompt: 'Once' },
  ],
  ['models.list', (hub) => hub.models.list(), 'GET /v1/models', null],
  ['models.retrieve', (hub) => hub.models.retrieve('Qwen/Qwen3-8B:fp8'), 'GET /v1/models/Qwen%2FQwen3-8B%3Afp8', null],
  ['me', (hub) => hub.me(), 'GET /api/v1/me', null],
  ['balance', (hub) => hub.balance(), 'GET /api/v1/balance', null],
  ['usage', (hub) => hub.usage(), 'GET /api/v1/usage', null],
  [
    'usage, with a query',
    (hub) => hub.usage({ from: '2026-11-01', to: undefined, group: 'model', before: 'a b&c' }),
    'GET /api/v1/usage?from=2026-11-01&group=model&before=a+b%26c',
    null,
  ],
  ['prices', (hub) => hub.prices(), 'GET /api/v1/prices', null],
  ['receipts.list', (hub) => hub.receipts.list({ limit: 5 }), 'GET /api/v1/receipts?limit=5', null],
  ['receipts.get', (hub) => hub.receipts.get('req/../1'), 'GET /api/v1/receipts/req%2F..%2F1', null],
  ['receipts.keys', (hub) => hub.receipts.keys(), 'GET /api/v1/receipts/keys', null],
  ['keys.list', (hub) => hub.keys.list(), 'GET /api/v1/keys', null],
  ['keys.create', (hub) => hub.keys.create({ name: 'ci' }), 'POST /api/v1/keys', { name: 'ci' }],
  ['keys.delete', (hub) => hub.keys.delete('key_1'), 'DELETE /api/v1/keys/key_1', null],
  ['licences.list', (hub) => hub.licences.list(), 'GET /api/v1/licences', null],
  [
    'licences.acknowledge',
    (hub) => hub.licences.acknowledge('meta-llama/L', { statements: ['mau'] }),
    'POST /api/v1/models/meta-llama%2FL/license/acknowledge',
    { statements: ['mau'] },
  ],
]

test.each(calls)('%s asks as documented and returns the body', async (_, call, asked, body) => {
  using hub = standIn(json({ said: 'so' }))
  expect(await call(hub.client())).toEqual({ said: 'so' })
  const [one] = hub.asked
  expect(`${one?.method} ${one?.path}`).toBe(asked)
  expect(one?.body ?? null).toEqual(body)
  expect(one?.headers.get('authorization')).toBe('Bearer gh_test')
})

test.each(['', '/', '/v1', '/v1/', '/base', '/base/v1'])('an address that ends with %p is understood', async (end) => {
  using hub = standIn(json({}))
  const client = hub.client({ baseURL: `${hub.url}${end}` })
  await client.models.list()
  await client.balance()
  const base = end.startsWith('/base') ? '/base' : ''
  expect(hub.asked.map((asked) => asked.path)).toEqual([`${base}/v1/models`, `${base}/api/v1/balance`])
})

test('key and address come from the environment when they are not given', async () => {
  using hub = standIn(json({}))
  setEnvironment({ GPUHUB_API_KEY: 'gh_env', GPUHUB_BASE_URL: hub.url })
  await new GpuHub().balance()
  await new GpuHub({ apiKey: 'gh_given' }).balance()
  expect(hub.asked.map((asked) => asked.headers.get('authorization'))).toEqual(['Bearer gh_env', 'Bearer gh_given'])
})

test.each([
  [{ apiKey: 'gh_1' }, 'GPUHUB_BASE_URL'],
  [{ baseURL: 'http://127.0.0.1' }, 'GPUHUB_API_KEY'],
  [{ apiKey: 'gh_1', baseURL: 'hub.example.com' }, 'https://hub.example.com'],
  [{ apiKey: 'gh_1\n', baseURL: 'http://127.0.0.1' }, 'character'],
])('a client made with %p says what is missing', (options, hint) => {
  setEnvironment({ GPUHUB_API_KEY: undefined, GPUHUB_BASE_URL: undefined })
  expect(() => new GpuHub(options)).toThrow(GpuHubError)
  expect(() => new GpuHub(options)).toThrow(hint)
})

test('a client that is printed does not show its key', () => {
  const client = new GpuHub({ apiKey: 'gh_secret', baseURL: 'http://127.0.0.1' })
  expect(
    `${inspect(client, { depth: 9, showHidden: true })}${Bun.inspect(client)}${JSON.stringify(client)}`,
  ).not.toContain('gh_secret')
})

test('an unknown model is a NotFoundError', async () => {
  using hub = standIn(refusal('model_not_found'))
  expect(
    await hub
      .client()
      .models.retrieve('nope')
      .catch((error) => error),
  ).toBeInstanceOf(NotFoundError)
})

test('making a key is not repeated, for it could make two', async () => {
  using hub = standIn(refusal('internal'))
  await hub
    .client()
    .keys.create({ name: 'ci' })
    .catch(() => {})
  expect(hub.asked).toHaveLength(1)
})
