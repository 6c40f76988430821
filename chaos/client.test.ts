// The judge, judged: a server that answers rightly but for one thing, and what the client makes of it.
import { afterEach, expect, test } from 'bun:test'
import { ask, clientOf, type Outcome } from './client.ts'
import { Dice } from './dice.ts'
import { type Form, MIX, type Question, question } from './question.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

interface Chunk {
  id: string
  object: 'chat.completion.chunk'
  choices: { index: number; delta: Record<string, unknown>; finish_reason: string | null }[]
  usage?: object
  x_gpuhub?: object
  error?: object
}

const chunk = (delta: Record<string, unknown>, finish: string | null = null): Chunk => ({
  id: 'chatcmpl-1',
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, finish_reason: finish }],
})

/** A right answer to `asked`, in pieces. */
function answerTo({ truth }: Question): Chunk[] {
  const half = Math.floor(truth.text.length / 2)
  const calls = truth.toolCalls.map((call, index) =>
    chunk({
      tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.name, arguments: call.arguments } }],
    }),
  )
  const usage = { prompt_tokens: truth.prompt.length, completion_tokens: truth.ids.length, cost: 0.000002 }
  return [
    chunk({ role: 'assistant', content: '' }),
    ...(truth.text === ''
      ? []
      : [chunk({ content: truth.text.slice(0, half) }), chunk({ content: truth.text.slice(half) })]),
    ...calls,
    { ...chunk({}, truth.finish), x_gpuhub: { attempts: 3, resumed: 1 } },
    { ...chunk({}), choices: [], usage },
  ]
}

/** Asks a server that answers rightly, but for what `change` does. */
async function judged(form: Form, change: (chunks: Chunk[], asked: Question) => void): Promise<Outcome> {
  const asked = questionOf(form)
  const chunks = answerTo(asked)
  change(chunks, asked)
  const text = chunks.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('')
  const headers = { 'content-type': 'text/event-stream', 'x-request-id': 'req_1' }
  const server = Bun.serve({ port: 0, fetch: () => new Response(`${text}data: [DONE]\n\n`, { headers }) })
  closing.push(() => server.stop(true))
  return ask(clientOf(server.url.origin, 'key'), asked, { streamed: true, lostAt: new Map() })
}

function questionOf(form: Form): Question {
  const dice = new Dice(1)
  for (let number = 1; ; number++) {
    const asked = question(number, dice, MIX)
    if (asked.form === form && (form !== 'tools' || asked.truth.toolCalls.length > 0)) return asked
  }
}

test.each(['text', 'tools', 'json'] as const)('a right answer of %s is found right', async (form) => {
  expect(await judged(form, () => {})).toMatchObject({
    ...{ form, failure: null, fault: null, requestId: 'req_1', cost: 0.000002, attempts: 3, resumed: 1 },
  })
})

test.each([
  ['truncated', (chunks) => chunks.splice(2, 1)],
  ['missing', (chunks) => chunks.splice(1, 1)],
  ['duplicated', (chunks) => chunks.splice(2, 0, chunks[1]!)],
  ['different', (chunks) => (chunks[1]!.choices[0]!.delta.content = `?${'x'.repeat(10)}`)],
  ['finish', (chunks) => (chunks.at(-2)!.choices[0]!.finish_reason = 'length')],
  ['usage', (chunks) => (chunks.at(-1)!.usage = { prompt_tokens: 1, completion_tokens: 1, cost: 1 })],
  ['shape', (chunks) => chunks.splice(1, 0, chunk({ role: 'assistant', content: '' }))],
  ['shape', (chunks) => (chunks[1]!.id = 'chatcmpl-2')],
  ['shape', (chunks) => chunks.splice(-1, 0, chunk({}, 'stop'))],
  ['shape', (chunks) => chunks.push(chunk({}))],
] satisfies [string, (chunks: Chunk[]) => unknown][])('an answer with a flaw is found %s', async (fault, change) => {
  expect(await judged('text', (chunks) => void change(chunks))).toMatchObject({ failure: null, fault })
})

test('a call of a tool that is not the true one is found', async () => {
  const outcome = await judged('tools', (chunks) => {
    chunks[chunks.length - 3]!.choices[0]!.delta.tool_calls = [
      { index: 0, id: 'x', type: 'function', function: { name: 'get_weather', arguments: '{}' } },
    ]
  })
  expect(outcome.fault).not.toBeNull()
})

const failing = (chunks: Chunk[], code: string) => {
  chunks.splice(2)
  chunks.push({ ...chunk({}), error: { message: 'The host failed.', type: 'server_error', code } })
}

test('an answer that ends with an error has failed with its code, and what came before is judged all the same', async () => {
  const documented = await judged('text', (chunks) => failing(chunks, 'upstream_error'))
  expect(documented).toMatchObject({
    failure: { code: 'upstream_error', documented: true, begun: true },
    fault: null,
    cost: null,
  })
  const unheard = await judged('text', (chunks) => failing(chunks, 'whatever'))
  expect(unheard.failure).toEqual({ code: 'whatever', documented: false, begun: true })
  const wrong = await judged('text', (chunks) => {
    failing(chunks, 'upstream_error')
    chunks[1]!.choices[0]!.delta.content = 'something else'
  })
  expect(wrong).toMatchObject({ failure: { code: 'upstream_error' }, fault: 'different' })
})

test('a stream without its end was cut, however right its text', async () => {
  const outcome = await judged('text', (chunks) => void chunks.pop())
  expect(outcome.failure).toEqual({ code: 'cut', documented: false, begun: true })
})

test('a server that is not there is a connection that failed', async () => {
  const asked = questionOf('text')
  const outcome = await ask(clientOf('http://127.0.0.1:9', 'key'), asked, { streamed: true, lostAt: new Map() })
  expect(outcome.failure).toEqual({ code: 'connection', documented: false, begun: false })
})
