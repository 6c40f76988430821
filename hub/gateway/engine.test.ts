import { expect, test } from 'bun:test'
import { EngineReader, EngineError, type Piece } from './engine.ts'

const utf8 = new TextEncoder()
const sse = (...events: (object | string)[]) =>
  utf8.encode(events.map((event) => `data: ${typeof event === 'string' ? event : JSON.stringify(event)}\n\n`).join(''))
const say = (content: string, more: object = {}) => ({ choices: [{ index: 0, delta: { content }, ...more }] })

function read(
  input: Uint8Array | Uint8Array[],
  { n = 1, logprobs = false, format = 'chat' as 'chat' | 'completion' } = {},
) {
  const pieces: Piece[] = []
  const reader = new EngineReader({ n, logprobs, format }, (piece) => pieces.push(piece))
  for (const bytes of Array.isArray(input) ? input : [input]) reader.push(bytes)
  return { pieces, reader }
}

function fails(work: () => unknown): string {
  try {
    work()
  } catch (error) {
    if (error instanceof EngineError) return error.code
    throw error
  }
  return 'nothing failed'
}

test('only known fields of an event survive', () => {
  const { pieces } = read(
    sse({
      id: 'x',
      evil: '<script>',
      choices: [
        { index: 0, evil: 1, delta: { content: 'hi', role: 'system', html: '<b>' }, token_ids: [7], stop_reason: 5 },
      ],
    }),
  )
  expect(pieces).toEqual([
    { index: 0, content: 'hi', reasoning: '', toolCalls: null, logprobs: null, ids: [7], finish: null },
  ])
})

test('a character split over frames arrives whole', () => {
  const bytes = sse(say('größer 🦊'))
  const cuts = [...bytes].map((_, at) => [bytes.slice(0, at), bytes.slice(at)])
  for (const parts of cuts) expect(read(parts).pieces[0]?.content).toBe('größer 🦊')
})

test.each([
  ['bytes that are no JSON', sse('{oops'), 'garbage'],
  ['an event that is a list', sse('[1]'), 'garbage'],
  ['an event without choices', sse({ hello: 1 }), 'garbage'],
  ['content that is a number', sse({ choices: [{ index: 0, delta: { content: 7 } }] }), 'garbage'],
  ['a choice nobody asked for', sse({ choices: [{ index: 3, delta: { content: 'x' } }] }), 'garbage'],
  ['an error event', sse({ error: { message: 'out of memory', code: 500 } }), 'engine_error'],
  ['an error event that blames the request', sse({ error: { message: 'bad schema', code: 400 } }), 'refused'],
  ['an error event that blames the load', sse({ error: { message: 'slow down', code: 429 } }), 'engine_error'],
  ['an error event whose code is a word', sse({ error: { message: 'no', code: 'nope' } }), 'engine_error'],
  ['a finish that means failure', sse(say('', { finish_reason: 'abort' })), 'engine_error'],
  ['words after the finish', sse(say('', { finish_reason: 'stop' }), say('more')), 'garbage'],
  ['an event of three megabytes', sse(say('x'.repeat(3 * 1024 * 1024))), 'too_large'],
])('%s is a failure of the engine', (_, bytes, code) => {
  expect(fails(() => read(bytes))).toBe(code)
})

test.each([
  ['without a finish', sse(say('hi'), '[DONE]'), 'cut'],
  ['without [DONE]', sse(say('hi', { finish_reason: 'stop' })), 'cut'],
  ['with both', sse(say('hi', { finish_reason: 'stop' }), '[DONE]'), 'nothing failed'],
])('an answer that ends %s', (_, bytes, code) => {
  const { reader } = read(bytes)
  expect(fails(() => reader.end())).toBe(code)
})

test('what the engine claims to have used is kept apart', () => {
  const { reader } = read(
    sse(
      { choices: [], prompt_token_ids: [1, 2, 3] },
      say('hi', { finish_reason: 'stop' }),
      { choices: [], usage: { prompt_tokens: 3, completion_tokens: 900 } },
      '[DONE]',
    ),
  )
  expect(reader.claim).toEqual({ prompt: 3, completion: 900 })
})

test('logprobs of a completion in the form of chats are told in their own form', () => {
  const top = (token: string, logprob: number) => ({ id: 1, token, logprob, bytes: [1] })
  const piece = (text: string, other: string) => ({
    choices: [
      { index: 0, text, logprobs: { content: [{ ...top(text, -1), top_logprobs: [top(text, -1), top(other, -2)] }] } },
    ],
  })
  const { pieces } = read(sse(piece(' sky', ' sea'), piece(' is', ' was')), { logprobs: true, format: 'completion' })
  expect(pieces.map((each) => each.logprobs)).toEqual([
    {
      completion: {
        tokens: [' sky'],
        token_logprobs: [-1],
        top_logprobs: [{ ' sky': -1, ' sea': -2 }],
        text_offset: [0],
      },
    },
    {
      completion: {
        tokens: [' is'],
        token_logprobs: [-1],
        top_logprobs: [{ ' is': -1, ' was': -2 }],
        text_offset: [4],
      },
    },
  ])
})
