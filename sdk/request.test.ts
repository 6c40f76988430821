import { expect, test } from 'bun:test'
import { ConnectionError, GpuHubError, ServerError, TimeoutError } from './errors.ts'
import { GpuHub } from './gpuhub.ts'
import { waitBeforeRetry } from './request.ts'
import { chatCompletion, cutting, json, question, refusal, standIn, until } from './stand-in.ts'

const whole = JSON.stringify(chatCompletion('Hi'))
const cutAnswer = `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9999\r\n\r\n${whole}`
/** Never answers; lets go when the client does. */
const silence = ({ signal }: { signal: AbortSignal }) =>
  new Promise<Response>((resolve) => signal.addEventListener('abort', () => resolve(new Response())))

test.each([
  ['invalid_request', 1],
  ['invalid_api_key', 1],
  ['insufficient_quota', 1],
  ['license_not_acknowledged', 1],
  ['model_not_found', 1],
  ['method_not_allowed', 1],
  ['request_body_timeout', 3],
  ['idempotency_in_progress', 3],
  ['request_too_large', 1],
  ['rate_limit_exceeded', 3],
  ['internal', 3],
  ['upstream_error', 3],
  ['no_capacity', 3],
  ['upstream_timeout', 3],
] as const)('%s is asked %d times', async (code, times) => {
  using hub = standIn(refusal(code))
  const failure = await hub
    .client()
    .balance()
    .catch((error) => error)
  expect(failure).toMatchObject({ code, retryable: times > 1, requestId: 'req_1', type: expect.any(String) })
  expect(hub.asked).toHaveLength(times)
})

test('a failure that passes is not seen by the caller', async () => {
  using hub = standIn(refusal('no_capacity'), refusal('rate_limit_exceeded'), json(chatCompletion('Hi')))
  const answer = await hub.client().chat.completions.create(question)
  expect(answer.choices[0]?.message.content).toBe('Hi')
  expect(hub.asked.map((asked) => asked.body)).toEqual([question, question, question])
})

test.each([
  [{ maxRetries: 0 }, {}, 1],
  [{ maxRetries: 1 }, {}, 2],
  [{ maxRetries: 0 }, { maxRetries: 4 }, 5],
] as const)('client %p and call %p: %d attempts', async (client, call, times) => {
  using hub = standIn(refusal('internal'))
  expect(hub.client(client).balance(call)).rejects.toBeInstanceOf(ServerError)
  await hub
    .client(client)
    .balance(call)
    .catch(() => {})
  expect(hub.asked.length).toBeGreaterThanOrEqual(times)
})

test.each([
  ['no_capacity', { 'x-should-retry': 'false' }, 1],
  ['invalid_request', { 'x-should-retry': 'true' }, 3],
  ['insufficient_quota', { 'x-should-retry': 'true' }, 1],
  ['no_capacity', { 'retry-after-ms': '', 'retry-after': '61' }, 1],
  ['no_capacity', { 'retry-after-ms': '', 'retry-after': 'Thu, 01 Jan 2099 00:00:00 GMT' }, 1],
  ['no_capacity', { 'retry-after-ms': '', 'retry-after': '0' }, 3],
  ['no_capacity', { 'retry-after-ms': '', 'retry-after': 'Thu, 01 Jan 1970 00:00:00 GMT' }, 3],
] as const)('%s with %p is asked %d times', async (code, headers, times) => {
  using hub = standIn(refusal(code, headers))
  await hub
    .client()
    .balance()
    .catch(() => {})
  expect(hub.asked).toHaveLength(times)
})

test('the wait before a retry is what the hub asks for, else it doubles from half a second to eight', () => {
  const busy = (retryAfterMs: number | null) => new ServerError('', { status: 503, retryable: true, retryAfterMs })
  expect(waitBeforeRetry(busy(1_500), 0)).toBe(1_500)
  expect(waitBeforeRetry(busy(60_000), 0)).toBe(60_000)
  expect(waitBeforeRetry(busy(60_001), 0)).toBeNull()
  const waits = [0, 1, 2, 3, 4, 5, 50].map((retry) => waitBeforeRetry(busy(null), retry, () => 0))
  expect(waits).toEqual([500, 1_000, 2_000, 4_000, 8_000, 8_000, 8_000])
  expect(waitBeforeRetry(busy(null), 0, () => 1)).toBe(375)
  expect(waitBeforeRetry(new Error('a bug'), 0)).toBeNull()
})

test('a hub that cannot be reached is tried again, then a ConnectionError says why', async () => {
  const closed = standIn(json({}))
  closed[Symbol.dispose]()
  let calls = 0
  const counting = (url: string, init: RequestInit) => {
    calls++
    return fetch(url, init)
  }
  const failure = await closed
    .client({ fetch: counting, maxRetries: 1 })
    .balance()
    .catch((error) => error)
  expect(failure).toBeInstanceOf(ConnectionError)
  expect(failure).toMatchObject({ status: null, retryable: true, cause: expect.any(Error) })
  expect(calls).toBe(2)
})

test('an answer that breaks off is not asked for again, for it has been paid', async () => {
  using hub = cutting(cutAnswer)
  const client = new GpuHub({ baseURL: hub.url, apiKey: 'gh_test' })
  expect(await client.chat.completions.create(question).catch((error) => error)).toBeInstanceOf(ConnectionError)
  expect(hub.connections()).toBe(1)
})

test('it is asked for again when that costs nothing: a GET, or with an idempotency key', async () => {
  using hub = cutting(cutAnswer)
  const client = new GpuHub({ baseURL: hub.url, apiKey: 'gh_test', maxRetries: 1 })
  expect(await client.balance().catch((error) => error)).toBeInstanceOf(ConnectionError)
  expect(hub.connections()).toBe(2)
  await client.chat.completions.create(question, { idempotencyKey: 'order-7' }).catch(() => {})
  expect(hub.connections()).toBe(4)
})

test('a time limit ends the attempt, and is not tried again', async () => {
  const signals: AbortSignal[] = []
  const never = (_: string, { signal }: RequestInit) =>
    new Promise<Response>((_, reject) => {
      if (signal) signals.push(signal)
      signal?.addEventListener('abort', () => reject(signal.reason))
    })
  const client = new GpuHub({ baseURL: 'http://127.0.0.1', apiKey: 'gh_test', fetch: never })
  const failure = await client.chat.completions.create(question, { timeoutMs: 20 }).catch((error) => error)
  expect(failure).toBeInstanceOf(TimeoutError)
  expect(failure).toMatchObject({ status: null, retryable: true })
  expect(signals.map((signal) => signal.aborted)).toEqual([true])
})

test.each(['UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])('%s, Node’s own limit, is one too', async (code) => {
  let calls = 0
  const fetch = () => {
    calls++
    return Promise.reject(new TypeError('fetch failed', { cause: Object.assign(new Error('too slow'), { code }) }))
  }
  const client = new GpuHub({ baseURL: 'http://127.0.0.1', apiKey: 'gh_test', fetch })
  expect(await client.balance().catch((error) => error)).toBeInstanceOf(TimeoutError)
  expect(calls).toBe(1)
})

test('the time limit covers the body of a whole answer', async () => {
  using hub = standIn(() => new Response(new ReadableStream({ start: (body) => body.enqueue('{"balance":') })))
  expect(
    await hub
      .client({ timeoutMs: 100 })
      .balance()
      .catch((error) => error),
  ).toBeInstanceOf(TimeoutError)
})

test('a time limit of forever is no limit', async () => {
  using hub = standIn(json({ balance: '1.00' }))
  expect(await hub.client({ timeoutMs: Number.POSITIVE_INFINITY }).balance()).toMatchObject({ balance: '1.00' })
})

test('an abort throws its reason: before, during and between attempts', async () => {
  using hub = standIn(silence)
  const client = hub.client()
  expect(await client.balance({ signal: AbortSignal.abort('before') }).catch((reason) => reason)).toBe('before')
  expect(hub.asked).toHaveLength(0)

  const during = new AbortController()
  const call = client.balance({ signal: during.signal }).catch((reason) => reason)
  await until(() => hub.asked.length === 1)
  during.abort('during')
  expect(await call).toBe('during')
  await until(() => hub.asked[0]?.signal.aborted === true)

  using busy = standIn(refusal('no_capacity', { 'retry-after-ms': '59000' }))
  const between = new AbortController()
  const waiting = busy
    .client()
    .balance({ signal: between.signal })
    .catch((reason) => reason)
  await until(() => busy.asked.length === 1)
  between.abort('between')
  expect(await waiting).toBe('between')
  expect(busy.asked).toHaveLength(1)
})

test('the request id is on every answer, without showing in it', async () => {
  using hub = standIn(json({ balance: '1.00' }, { 'x-request-id': 'req_7' }))
  const answer = await hub.client().balance()
  expect(answer._request_id).toBe('req_7')
  expect(JSON.stringify(answer)).toBe('{"balance":"1.00"}')
})

test('headers: the key, the type, the client’s, the call’s, which win', async () => {
  using hub = standIn(json({}))
  const client = hub.client({ headers: { 'x-team': 'a', 'x-app': 'shop' } })
  await client.chat.completions.create(question, {
    idempotencyKey: 'order-7',
    headers: { 'X-Team': 'b' },
    maxPrice: { prompt: '0.10', completion: '0.40' },
  })
  await client.balance()
  const [asked, read] = hub.asked
  expect(Object.fromEntries(asked?.headers ?? [])).toMatchObject({
    accept: 'application/json',
    authorization: 'Bearer gh_test',
    'content-type': 'application/json',
    'idempotency-key': 'order-7',
    'x-app': 'shop',
    'x-team': 'b',
    'x-gpuhub-max-price-prompt': '0.10',
    'x-gpuhub-max-price-completion': '0.40',
  })
  expect(read?.headers.has('content-type')).toBe(false)
})

test('a page that is not of a hub is an error that says so', async () => {
  using page = standIn(() => new Response('<html>Welcome to the café</html>'))
  const failure = await page
    .client()
    .balance()
    .catch((error) => error)
  expect(failure).toBeInstanceOf(GpuHubError)
  expect(failure.message).toContain('baseURL')
  expect(page.asked).toHaveLength(1)
})
