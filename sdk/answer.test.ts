import { expect, test } from 'bun:test'
import { StreamError, TimeoutError } from './errors.ts'
import { GpuHub } from './gpuhub.ts'
import { chatChunk, cutting, events, question, refusal, standIn, stream, until } from './stand-in.ts'

const asking = { ...question, stream: true as const }
const hello = events(chatChunk('Hello'), chatChunk(', 世界 🦊'), chatChunk(null, 'stop'))
const done = events('[DONE]')
const bytes = (text: string) => new TextEncoder().encode(text)

/** Reads a stream to its end or failure: the text seen, and what was thrown. */
async function read(chunks: AsyncIterable<{ choices: { delta: { content?: string | null } }[] }>) {
  let text = ''
  try {
    for await (const chunk of chunks) text += chunk.choices[0]?.delta.content ?? ''
  } catch (failure) {
    return { text, failure }
  }
  return { text }
}

test('a streamed answer arrives chunk by chunk, with its id and its price', async () => {
  using hub = standIn(stream([': hello\n\n', hello, done]))
  const answer = await hub.client().chat.completions.create(asking)
  expect(answer.requestId).toBe('req_1')
  expect(answer.price).toEqual({ prompt: '0.05', completion: '0.20' })
  const chunks = await Array.fromAsync(answer)
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content)).toEqual(['Hello', ', 世界 🦊', undefined])
  expect(hub.asked[0]?.body).toEqual(asking)
})

test.each([
  ['byte by byte', [...bytes(hello + done)].map((byte) => Uint8Array.of(byte))],
  ['in one packet', [hello + done]],
  ['with CRLF', [(hello + done).replaceAll('\n', '\r\n')]],
  ['with comments between', [`: a\n\n${hello}: b\n${done}`]],
  ['with bytes after [DONE]', [hello + done, 'data: {"error":"too late"}\n\n']],
  ['without the last blank line', [hello, 'data: [DONE]']],
  ['with a chunk that only has usage', [hello, events({ choices: [], usage: { cost: 0.1 } }), done]],
])('text() folds a stream sent %s', async (_, pieces) => {
  using hub = standIn(stream(pieces))
  expect(await (await hub.client().chat.completions.create(asking)).text()).toBe('Hello, 世界 🦊')
})

test('text() follows the first choice of several', async () => {
  const second = { choices: [{ index: 1, delta: { content: 'Hola' } }] }
  using hub = standIn(stream([events(chatChunk('Hel'), second, chatChunk('lo')), done]))
  expect(await (await hub.client().chat.completions.create(asking)).text()).toBe('Hello')
})

test('text completions stream too', async () => {
  const pieces = ['Once', ' upon'].map((text) => events({ object: 'text_completion', choices: [{ index: 0, text }] }))
  using hub = standIn(stream([...pieces, done]))
  const answer = await hub.client().completions.create({ model: 'test/echo', prompt: 'Tell', stream: true })
  expect(await answer.text()).toBe('Once upon')
  expect(hub.asked[0]?.path).toBe('/v1/completions')
})

test('a stream without [DONE] throws: what was read is not the whole answer', async () => {
  using hub = standIn(stream([hello]))
  const { text, failure } = await read(await hub.client().chat.completions.create(asking))
  expect(text).toBe('Hello, 世界 🦊')
  expect(failure).toBeInstanceOf(StreamError)
  expect(failure).toMatchObject({ requestId: 'req_1', status: null, retryable: true })
  expect(hub.asked).toHaveLength(1)
})

test.each([
  ['upstream_error', true],
  ['context_length_exceeded', false],
  ['a_code_of_tomorrow', false],
])('an error event %s throws with its code', async (code, retryable) => {
  const error = { message: 'The host was lost.', type: 'server_error', param: null, code, request_id: 'req_1' }
  using hub = standIn(stream([events(chatChunk('Hel')), events({ error }), done]))
  const { text, failure } = await read(await hub.client().chat.completions.create(asking))
  expect(text).toBe('Hel')
  expect(failure).toBeInstanceOf(StreamError)
  expect(failure).toMatchObject({ message: error.message, code, type: 'server_error', requestId: 'req_1', retryable })
  expect(hub.asked).toHaveLength(1)
})

test('a connection that breaks in the middle throws', async () => {
  const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n'
  const piece = events(chatChunk('Hel'))
  using hub = cutting(`${head}${bytes(piece).length.toString(16)}\r\n${piece}\r\n`)
  const answer = await new GpuHub({ baseURL: hub.url, apiKey: 'gh_test' }).chat.completions.create(asking)
  expect((await read(answer)).failure).toBeInstanceOf(StreamError)
  expect(hub.connections()).toBe(1)
})

test.each([
  ['is not JSON', ['data: {"choices":\n\n', done]],
  ['is endless', [`data: ${'x'.repeat(9 * 1024 * 1024)}\n\n`]],
])('a chunk that %s throws', async (_, pieces) => {
  using hub = standIn(stream(pieces))
  expect((await read(await hub.client().chat.completions.create(asking))).failure).toBeInstanceOf(StreamError)
})

test('a stream refused before it began is tried again like any call', async () => {
  using hub = standIn(refusal('no_capacity'), stream([hello, done]))
  expect(await (await hub.client().chat.completions.create(asking)).text()).toBe('Hello, 世界 🦊')
  expect(hub.asked).toHaveLength(2)
})

test('leaving the loop stops the answer at the hub', async () => {
  using hub = standIn(stream([hello], { open: true }))
  for await (const _ of await hub.client().chat.completions.create(asking)) break
  await until(() => hub.asked[0]?.signal.aborted === true)
})

test('controller.abort() stops it from outside, and the loop throws', async () => {
  using hub = standIn(stream([hello], { open: true }))
  const answer = await hub.client().chat.completions.create(asking)
  const seen: unknown[] = []
  const reading = (async () => {
    for await (const chunk of answer) {
      seen.push(chunk)
      if (seen.length === 2) answer.controller.abort()
    }
  })()
  expect(await reading.catch((error) => error.name)).toBe('AbortError')
  expect(seen).toHaveLength(2)
  await until(() => hub.asked[0]?.signal.aborted === true)
})

test('the signal of the call goes on to stop the stream', async () => {
  using hub = standIn(stream([hello], { open: true }))
  const stop = new AbortController()
  const answer = await hub.client().chat.completions.create(asking, { signal: stop.signal })
  const reading = read(answer)
  setTimeout(() => stop.abort('enough'), 5)
  expect((await reading).failure).toBe('enough')
  await until(() => hub.asked[0]?.signal.aborted === true)
})

/** A client whose answers are there at once, so that only the reader takes time. `signal` is that of the last call. */
function instant(...packets: string[]) {
  const seen: { signal?: AbortSignal | null } = {}
  const fetch = async (_: string, { signal }: RequestInit) => {
    seen.signal = signal
    const start = (body: ReadableStreamDefaultController) => {
      for (const packet of packets) body.enqueue(bytes(packet))
      signal?.addEventListener('abort', () => body.error(signal.reason))
    }
    return new Response(new ReadableStream({ start }))
  }
  const client = new GpuHub({ baseURL: 'http://127.0.0.1', apiKey: 'gh_test', timeoutMs: 50, fetch })
  return { client, seen }
}

test('a stream that falls silent throws after the time limit', async () => {
  const { client, seen } = instant(hello)
  const { text, failure } = await read(await client.chat.completions.create(asking))
  expect(text).toBe('Hello, 世界 🦊')
  expect(failure).toBeInstanceOf(StreamError)
  expect(failure).toMatchObject({ cause: expect.any(TimeoutError) })
  expect(seen.signal?.aborted).toBe(true)
})

test('the time limit of a stream does not count while the reader thinks', async () => {
  const { client } = instant(events(chatChunk('a')), events(chatChunk('b')), done)
  const answer = await client.chat.completions.create(asking)
  await Bun.sleep(80)
  let text = ''
  for await (const chunk of answer) {
    text += chunk.choices[0]?.delta.content
    await Bun.sleep(80)
  }
  expect(text).toBe('ab')
})

test('a stream is read once', async () => {
  using hub = standIn(stream([hello, done]))
  const answer = await hub.client().chat.completions.create(asking)
  await answer.text()
  expect(await answer.text().catch((error) => error.message)).toContain('once')
})
