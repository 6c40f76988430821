import { expect, test } from 'bun:test'
import { ChatRequest, limits } from '../../sdk/openai.ts'
import { systemEnv } from '../../sdk/env.ts'
import { type VirtualEnv, virtualEnv } from '../../sdk/testing.ts'
import { HubError } from '../errors.ts'
import { Cancelled } from './attempts.ts'
import { Bodies, parser } from './body.ts'

const parse = parser(ChatRequest)
const bytes = (value: unknown) => new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value))
const good = { model: 'm', messages: [{ role: 'user', content: 'hi' }] }
const post = (body: BodyInit, headers: Record<string, string> = { 'content-type': 'application/json' }) =>
  new Request('http://hub/v1/chat/completions', { method: 'POST', body, headers })

const read = async (request: Request) => new Bodies(virtualEnv()).readJson(request)
const thrown = (error: HubError) => error
const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
}

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
  const announced = await read(post(big)).catch(thrown)
  expect((announced as HubError).code).toBe('request_too_large')
  const source = new ReadableStream({
    pull(controller) {
      controller.enqueue(new Uint8Array(1024 * 1024))
    },
  })
  const unannounced = await read(post(source)).catch(thrown)
  expect((unannounced as HubError).code).toBe('request_too_large')
})

/** A body that goes on for ever at this rate. */
function dripping(env: VirtualEnv, bytesPerSecond: number): ReadableStream {
  return new ReadableStream({
    pull: (controller) =>
      new Promise<void>((resolve) => {
        env.timer(1_000, () => {
          controller.enqueue(new Uint8Array(bytesPerSecond))
          resolve()
        })
      }),
  })
}

test.each([
  ['never comes', 0, 3_000],
  ['comes with a byte a second', 1, 3_000],
  ['comes with less than a kilobyte a second', 1_000, 3_000],
  ['takes longer than fifteen seconds', 20_000, 15_000],
])('(43) a body that %s is cut off', async (_, bytesPerSecond, afterMs) => {
  const env = { ...virtualEnv(), soon: systemEnv.soon }
  const bodies = new Bodies(env)
  let error: HubError | null = null
  const reading = bodies.readJson(post(dripping(env, bytesPerSecond))).catch((caught: HubError) => (error = caught))
  await env.advance(afterMs - 1)
  expect(error).toBeNull()
  await env.advance(1)
  await reading
  expect(error).toMatchObject({ code: 'request_body_timeout', status: 408 })
})

test.each([
  [100, 3_000],
  [4_000, 6_000],
  [14_000, 15_000],
])('(43) a body of %p bytes that does not come is cut off after %p ms', async (length, afterMs) => {
  const env = virtualEnv()
  const headers = { 'content-type': 'application/json', 'content-length': String(length) }
  let error: HubError | null = null
  const reading = new Bodies(env)
    .readJson(post(new ReadableStream({ pull: () => new Promise<void>(() => {}) }), headers))
    .catch((caught: HubError) => (error = caught))
  await env.advance(afterMs - 1)
  expect(error).toBeNull()
  await env.advance(1)
  await reading
  expect(error).toMatchObject({ code: 'request_body_timeout', status: 408 })
})

test('(43) bodies being read take no more memory together than they may', async () => {
  const bodies = new Bodies(virtualEnv())
  const fourMegabytes = () => {
    const parts = [new Uint8Array(4 * 1024 * 1024)]
    return new ReadableStream({
      // Begun and never finished.
      pull(controller) {
        const part = parts.pop()
        if (!part) return new Promise<void>(() => {})
        controller.enqueue(part)
      },
    })
  }
  const refused: string[] = []
  const read = () => void bodies.readJson(post(fourMegabytes())).catch((error: HubError) => refused.push(error.code))
  for (let at = 0; at < 128; at++) read()
  await settled()
  expect(refused).toEqual([])
  read()
  await settled()
  expect(refused).toEqual(['no_capacity'])
})

test.each([
  [{ 'content-type': 'text/plain' }, 'unsupported_media_type'],
  [{ 'content-type': 'application/json', 'content-encoding': 'gzip' }, 'unsupported_media_type'],
])('%p is refused', async (headers, code) => {
  const error = await read(post('{}', headers as Record<string, string>)).catch(thrown)
  expect((error as HubError).code as string).toBe(code)
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
  const error = await read(new Request('http://hub/v1/chat/completions', init)).catch(thrown)
  expect(error).toBeInstanceOf(Cancelled)
})
