import { expect, test } from 'bun:test'
import { ChatRequest, limits } from '../../sdk/openai.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { HubError } from '../errors.ts'
import { Cancelled } from './attempts.ts'
import { parser, readBytes } from './body.ts'

const parse = parser(ChatRequest)
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const good = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const post = (body: BodyInit, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  new Request('http://hub/v1/chat/completions', { method: 'POST', body, headers })

function refused(work: () => unknown): HubError {
  try {
    work()
  } catch (error) {
    if (error instanceof HubError) return error
    throw error
  }
  throw new Error('nothing was refused')
}

test.each([
  ['malformed JSON', '{', 'invalid_json', null],
  ['a body that is not UTF-8', new Uint8Array([0x22, 0xff, 0x22]), 'invalid_json', null],
  ['an empty body', '', 'invalid_json', null],
  ['no model', { messages: good.messages }, 'invalid_request', 'model'],
  ['no messages', { model: 'm' }, 'invalid_request', 'messages'],
  ['an unknown role', { ...good, messages: [{ role: 'wizard', content: 'x' }] }, 'invalid_request', 'messages.0.role'],
  ['a temperature in words', { ...good, temperature: 'warm' }, 'invalid_request', 'temperature'],
  ['a temperature beyond 2', { ...good, temperature: 3 }, 'invalid_request', 'temperature'],
  ['a thousand answers', { ...good, n: 1000 }, 'invalid_request', 'n'],
  ['ten thousand levels', `${'['.repeat(10_000)}${']'.repeat(10_000)}`, 'schema_too_deep', null],
  ['a hundred thousand values', `[${'1,'.repeat(100_000)}1]`, 'schema_too_deep', null],
] as const)('%s is refused with its place', (_, body, code, param) => {
  const error = refused(() => parse(body instanceof Uint8Array ? body : bytes(body)))
  expect([error.code as string, error.param]).toEqual([code, param])
  expect(error.status).toBe(400)
})

test('brackets inside strings are text, not depth', () => {
  const content = `${'['.repeat(500)}\\"${'{'.repeat(500)}`
  expect(parse(bytes({ ...good, messages: [{ role: 'user', content }] })).messages[0]?.content).toBe(content)
})

test('fields nobody knows are let pass, to be dropped later', () => {
  expect(() => parse(bytes({ ...good, vendor_magic: { deep: [1] } }))).not.toThrow()
})

test('a body beyond the limit is refused, announced or not', async () => {
  const big = 'x'.repeat(limits.bodyBytes + 1)
  const announced = await readBytes(virtualEnv(), post(big)).catch((error) => error)
  expect(announced.code).toBe('request_too_large')
  const source = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(1024 * 1024))
    },
  })
  const unannounced = await readBytes(virtualEnv(), post(source)).catch((error) => error)
  expect(unannounced.code).toBe('request_too_large')
})

test('a body that trickles in is cut off after fifteen seconds', async () => {
  const env = virtualEnv()
  const reading = readBytes(env, post(new ReadableStream({ pull: () => new Promise(() => {}) }))).catch(
    (error) => error,
  )
  await env.advance(14_999)
  await env.advance(2)
  expect((await reading).code).toBe('request_body_timeout')
})

test.each([
  [{ 'content-type': 'text/plain' }, 'unsupported_media_type'],
  [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'unsupported_media_type'],
])('%p is refused', async (headers, code) => {
  const error = await readBytes(virtualEnv(), post('{}', headers as Record<string, string>)).catch((thrown) => thrown)
  expect(error.code).toBe(code)
})

test('a client that hangs up in the middle of its body has left; nothing failed', async () => {
  const left = new AbortController()
  const body = new ReadableStream({
    pull(controller) {
      left.abort()
      controller.error(new DOMException('The connection was closed.', 'AbortError'))
    },
  })
  const init = { method: 'POST', body, signal: left.signal, duplex: 'half' }
  expect(readBytes(virtualEnv(), new Request('http://hub/v1/chat/completions', init))).rejects.toBeInstanceOf(Cancelled)
})
