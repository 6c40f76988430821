import { afterAll, expect, test } from 'bun:test'
import OpenAI from 'openai'
import { textOf } from '../../sdk/wire/emulated-prompt.ts'
import { decode, encode, mark } from '../../sdk/wire/vocabulary.ts'
import { type Emulator, type EmulatorOptions, Engine, oracle, startEmulator } from '../testing.ts'

const started: Emulator[] = []
afterAll(() => Promise.all(started.map((emulator) => emulator.close())))

async function start(options: EmulatorOptions = {}): Promise<Emulator> {
  const emulator = await startEmulator(options)
  started.push(emulator)
  return emulator
}

const chat = (content: string, more: object = {}) => ({
  model: 'gpuhub/emulator',
  messages: [{ role: 'user' as const, content }],
  ...more,
})

function post(emulator: Emulator, body: object, signal?: AbortSignal): Promise<Response> {
  const path = 'prompt' in body ? '/v1/completions' : '/v1/chat/completions'
  return fetch(emulator.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: signal ?? null,
  })
}

const outcome = (answer: Promise<unknown>) =>
  answer.then(
    () => 'answered',
    () => 'reset',
  )

async function textOfStream(emulator: Emulator): Promise<string> {
  return (await post(emulator, chat('How do tides work?', { stream: true }))).text()
}

interface Streamed {
  text: string
  ids: number[]
  prompt: number[]
  finish: string | null
  usage: { prompt_tokens: number; completion_tokens: number } | null
  roles: number
  chunks: number
  lines: string[]
}

/** Reads a whole SSE answer the strict way: every event is JSON, the last is `[DONE]`. */
async function stream(emulator: Emulator, body: object): Promise<Streamed> {
  const streamOptions = { include_usage: true, continuous_usage_stats: true }
  const response = await post(emulator, {
    ...body,
    stream: true,
    stream_options: streamOptions,
    return_token_ids: true,
  })
  const lines = (await response.text()).split('\n\n').filter((line) => line !== '')
  expect(lines.pop()).toBe('data: [DONE]')
  const seen: Streamed = { text: '', ids: [], prompt: [], finish: null, usage: null, roles: 0, chunks: 0, lines }
  for (const line of lines) {
    const chunk = JSON.parse(line.slice('data: '.length))
    seen.usage = chunk.usage
    const choice = chunk.choices[0]
    if (!choice) continue
    seen.prompt = chunk.prompt_token_ids ?? seen.prompt
    if (choice.delta?.role) seen.roles++
    else seen.chunks++
    seen.text += choice.delta?.content ?? choice.text ?? ''
    seen.ids.push(...(choice.token_ids ?? []))
    seen.finish = choice.finish_reason ?? seen.finish
  }
  return seen
}

const questions = [
  'How do tides work?',
  'Hi',
  'Write about Zürich, 東京 and 🎉 please.',
  'What is a hash table in JavaScript?',
]

test('oracle, stream and whole answer say the same', async () => {
  const emulator = await start()
  for (const question of questions) {
    const truth = oracle(chat(question))
    const streamed = await stream(emulator, chat(question))
    expect(streamed).toMatchObject({
      text: truth.text,
      ids: [...truth.ids, mark.end],
      prompt: truth.prompt,
      finish: 'stop',
      roles: 1,
    })
    expect(streamed.usage).toMatchObject({
      prompt_tokens: truth.prompt.length,
      completion_tokens: truth.ids.length + 1,
    })
    const whole = await (await post(emulator, chat(question))).json()
    expect(whole.choices[0]).toMatchObject({
      message: { role: 'assistant', content: truth.text },
      finish_reason: 'stop',
    })
    expect(whole.usage.completion_tokens).toBe(truth.ids.length + 1)
  }
})

test('answers are of a natural length and canonical: hub and engine count the same', () => {
  for (let i = 0; i < 300; i++) {
    const { ids, text } = oracle(chat(`Explain point ${i} of the ${['climate', 'Römer', '経済'][i % 3]} plan`))
    expect(ids.length).toBeWithin(50, 300)
    expect(encode(text)).toEqual(ids)
  }
})

test('an answer cut anywhere goes on identically, by ids and by text', () => {
  for (const question of questions) {
    const body = chat(question)
    const truth = oracle(body)
    for (let cut = 1; cut < truth.ids.length; cut += 7) {
      const said = truth.ids.slice(0, cut)
      const rest = { ids: truth.ids.slice(cut), finish: 'stop' }
      expect(oracle({ prompt: [...truth.prompt, ...said], max_tokens: 1_000 })).toMatchObject(rest)
      const text = truth.text.slice(0, decode(said).replaceAll('\ufffd', '').length)
      const messages = [...body.messages, { role: 'assistant', content: text }]
      const resumed = oracle({ ...body, messages, add_generation_prompt: false, continue_final_message: true })
      expect(text + resumed.text).toBe(truth.text)
    }
  }
})

test('a text prompt goes on identically from its own words', () => {
  for (const prompt of ['Once upon a time', 'A list:\n', 'Ends with a space ', 'It is late.']) {
    const truth = oracle({ prompt, max_tokens: 60 })
    for (let cut = 1; cut < truth.ids.length; cut += 5) {
      const said = decode(truth.ids.slice(0, cut))
      expect(said + oracle({ prompt: prompt + said, max_tokens: 60 - cut }).text).toBe(truth.text)
    }
  }
})

test('one wrong id changes what follows, and so does another model', () => {
  const truth = oracle(chat('How do tides work?'))
  const poisoned = [...truth.ids.slice(0, 20), encode(' shoe')[0]!]
  const rest = oracle({ prompt: [...truth.prompt, ...poisoned], max_tokens: 1_000 })
  expect(truth.text).not.toContain(rest.text.slice(2, 60))
  expect(oracle(chat('How do tides work?'), { seed: 2 }).text).not.toBe(truth.text)
})

test('max_tokens ends an answer with length, completions default to 16', async () => {
  const emulator = await start()
  const cut = await stream(emulator, chat('Hi', { max_tokens: 5 }))
  expect(cut).toMatchObject({ finish: 'length', chunks: 5, ids: oracle(chat('Hi')).ids.slice(0, 5) })
  const both = await stream(emulator, chat('Hi', { max_completion_tokens: 4, max_tokens: 9 }))
  expect(both.ids).toHaveLength(4)
  expect((await stream(emulator, { prompt: 'Hi' })).ids).toHaveLength(16)
  const ids = oracle({ prompt: 'Hi' }).prompt
  expect((await stream(emulator, { prompt: ids })).text).toBe((await stream(emulator, { prompt: 'Hi' })).text)
})

test('a stop string ends an answer before it, and no part of it is ever sent', async () => {
  const emulator = await start()
  const body = chat('How do tides work?')
  const full = oracle(body).text
  const stop = full.slice(30, 42)
  const streamed = await stream(emulator, { ...body, stop: [stop, 'never said'] })
  expect(streamed).toMatchObject({ text: full.slice(0, full.indexOf(stop)), finish: 'stop' })
  expect(JSON.parse(streamed.lines.at(-2)!.slice(6)).choices[0].stop_reason).toBe(stop)
  expect(oracle({ ...body, stop, include_stop_str_in_output: true }).text).toBe(full.slice(0, 42))
})

test('ignore_eos goes on after the end', () => {
  expect(oracle(chat('Hi', { ignore_eos: true, max_tokens: 700 })).ids).toHaveLength(700)
})

test('several answers to one request differ, the first is the usual one', async () => {
  const emulator = await start()
  const whole = await (await post(emulator, chat('How do tides work?', { n: 3 }))).json()
  const texts: string[] = whole.choices.map((choice: { message: { content: string } }) => choice.message.content)
  expect(texts[0]).toBe(oracle(chat('How do tides work?')).text)
  expect(new Set(texts).size).toBe(3)
})

test('log probabilities come with every token, and are the same each time', async () => {
  const emulator = await start()
  const body = chat('Hi', { logprobs: true, top_logprobs: 3, max_tokens: 6 })
  const [one, two] = await Promise.all([post(emulator, body), post(emulator, body)].map(async (r) => (await r).json()))
  const content = one.choices[0].logprobs.content
  expect(content.map((entry: { token: string }) => entry.token).join('')).toBe(one.choices[0].message.content)
  for (const entry of content) {
    expect(entry.top_logprobs).toHaveLength(3)
    expect(entry.logprob).toBeLessThan(0)
  }
  expect(two.choices[0].logprobs).toEqual(one.choices[0].logprobs)
  const text = await (await post(emulator, { prompt: 'Hi', logprobs: 2, max_tokens: 4 })).json()
  expect(text.choices[0].logprobs.tokens).toHaveLength(4)
})

const weather = {
  type: 'function' as const,
  function: {
    name: 'get_weather',
    parameters: {
      type: 'object',
      properties: {
        city: { type: 'string', enum: ['Zürich', '東京'] },
        days: { type: 'integer', minimum: 1, maximum: 3 },
      },
      required: ['city', 'days'],
    },
  },
}

test('a tool is called when the user names it, with arguments that fit its schema', async () => {
  const emulator = await start()
  const client = new OpenAI({ baseURL: `${emulator.url}/v1`, apiKey: 'none' })
  const body = chat('Please use get_weather now.', { tools: [weather] })
  const whole = await client.chat.completions.create(body as OpenAI.ChatCompletionCreateParamsNonStreaming)
  expect(whole.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { content: null } })
  const helper = await client.chat.completions.stream({ ...body, stream: true }).finalChatCompletion()
  const call = helper.choices[0]!.message.tool_calls![0]! as OpenAI.ChatCompletionMessageFunctionToolCall
  expect(call).toMatchObject({ ...whole.choices[0]!.message.tool_calls![0]!, function: { name: 'get_weather' } })
  const args = JSON.parse(call.function.arguments)
  expect(weather.function.parameters.properties.city.enum).toContain(args.city)
  expect(args.days).toBeWithin(1, 4)
  // The ids are the raw output, of which the arguments are only a part.
  expect(decode((await stream(emulator, body)).ids)).toContain(`"arguments": ${call.function.arguments}`)
})

test('tools are left alone when nobody asks, when told so, and after their result', () => {
  expect(oracle(chat('Hello there', { tools: [weather] }))).toMatchObject({ toolCalls: [], finish: 'stop' })
  expect(oracle(chat('use get_weather', { tools: [weather], tool_choice: 'none' })).toolCalls).toEqual([])
  expect(oracle(chat('Hello', { tools: [weather], tool_choice: 'required' })).toolCalls).toHaveLength(1)
  const call = { id: 'c1', type: 'function', function: { name: 'get_weather', arguments: '{}' } }
  const messages = [
    { role: 'user', content: 'use get_weather' },
    { role: 'assistant', content: null, tool_calls: [call] },
    { role: 'tool', content: 'Sunny in Bern', tool_call_id: 'c1' },
  ]
  expect(oracle({ messages, tools: [weather] })).toMatchObject({ toolCalls: [], finish: 'stop' })
})

test('structured answers are JSON that fits', async () => {
  const schema = {
    type: 'object',
    properties: {
      name: { type: 'string' },
      tags: { type: 'array', items: { $ref: '#/$defs/tag' }, minItems: 2 },
      ok: { type: 'boolean' },
    },
    required: ['name', 'tags', 'ok'],
    $defs: { tag: { type: 'string', minLength: 3 } },
  }
  const strict = oracle(
    chat('A record', { response_format: { type: 'json_schema', json_schema: { name: 'r', schema } } }),
  )
  const value = JSON.parse(strict.text)
  expect(value).toEqual({
    name: expect.any(String),
    tags: [expect.any(String), expect.any(String)],
    ok: expect.any(Boolean),
  })
  expect(JSON.parse(oracle(chat('A record', { response_format: { type: 'json_object' } })).text)).toBeObject()
})

test('thinking aloud arrives apart from the answer', async () => {
  const emulator = await start({ reasons: true })
  const whole = await (await post(emulator, chat('How do tides work?'))).json()
  const truth = oracle(chat('How do tides work?'), { reasons: true })
  expect(whole.choices[0].message).toMatchObject({ reasoning: truth.reasoning, content: truth.text })
  expect(decode(truth.ids)).toContain(truth.reasoning)
  expect(truth.text).not.toContain('think>')
})

test('what vLLM refuses is refused alike', async () => {
  const emulator = await start({ contextTokens: 64 })
  const refusals: [object, number, string][] = [
    [chat('Hi', { model: 'nope' }), 404, 'does not exist'],
    [chat('Hi', { add_generation_prompt: true, continue_final_message: true }), 400, 'Cannot set both'],
    [chat('Hi', { continue_final_message: true }), 400, 'Cannot set both'],
    [chat('Hi', { tools: [] }), 400, 'tools'],
    [chat('Hi', { stream_options: { include_usage: true } }), 400, 'stream=True'],
    [chat('Hi', { max_tokens: 'x' }), 400, 'max_tokens'],
    [chat('Hi', { max_tokens: 100 }), 400, 'maximum context length is 64 tokens'],
    [{ messages: [] }, 400, 'messages'],
    [{ prompt: [] }, 400, 'prompt'],
    [{ prompt: [10_000_000] }, 400, 'vocabulary'],
  ]
  for (const [body, status, words] of refusals) {
    const response = await post(emulator, body)
    const { error } = await response.json()
    expect([response.status, error.code, error.message]).toEqual([status, status, expect.stringContaining(words)])
  }
  const broken = await fetch(`${emulator.url}/v1/chat/completions`, { method: 'POST', body: '{' })
  expect([broken.status, (await broken.json()).error.type]).toEqual([400, 'BadRequestError'])
})

test('models, health, version and metrics look like the engine they stand for', async () => {
  const emulator = await start({ apiKey: 'k', contextTokens: 4_096 })
  const get = (path: string) => fetch(emulator.url + path, { headers: { authorization: 'Bearer k' } })
  expect((await (await get('/v1/models')).json()).data[0]).toMatchObject({
    id: 'gpuhub/emulator',
    max_model_len: 4_096,
  })
  expect((await get('/health')).status).toBe(200)
  expect(await (await get('/version')).json()).toHaveProperty('version')
  expect(await (await get('/metrics')).text()).toContain(
    'vllm:num_requests_running{engine="0",model_name="gpuhub/emulator"} 0',
  )
  const stranger = await fetch(`${emulator.url}/v1/models`)
  expect([stranger.status, await stranger.json()]).toEqual([401, { error: 'Unauthorized' }])
  expect((await get('/_emulator')).status).toBe(404)
})

test('the official client streams, folds and reads usage', async () => {
  const emulator = await start()
  const client = new OpenAI({ baseURL: `${emulator.url}/v1`, apiKey: 'none' })
  const body = chat('How do tides work?')
  const streamed = await client.chat.completions.create({
    ...body,
    stream: true,
    stream_options: { include_usage: true },
  })
  let text = ''
  let usage: OpenAI.CompletionUsage | null | undefined
  for await (const chunk of streamed) {
    text += chunk.choices[0]?.delta.content ?? ''
    usage = chunk.usage ?? usage
  }
  const truth = oracle(body)
  expect(text).toBe(truth.text)
  expect(usage?.completion_tokens).toBe(truth.ids.length + 1)
  const completion = await client.completions.create({ model: emulator.model, prompt: 'Once upon a time' })
  expect(completion.choices[0]!.text).toBe(oracle({ prompt: 'Once upon a time' }).text)
})

test('hanging up stops the work at once', async () => {
  const emulator = await start({ tokensPerSecond: 10 })
  for (const streaming of [true, false]) {
    const before = emulator.tally.aborted
    const stop = new AbortController()
    const answer = post(emulator, chat('How do tides work?', { stream: streaming }), stop.signal)
    await emulator.tally.until((tally) => tally.running === 1 && tally.records.at(-1)!.tokens >= 2)
    stop.abort()
    await answer.then((response) => response.text()).catch(() => {})
    await emulator.tally.until((tally) => tally.aborted === before + 1 && tally.running === 0)
    const { tokens } = emulator.tally.records.at(-1)!
    await post(emulator, chat('Hi', { max_tokens: 3 })).then((response) => response.text())
    expect(emulator.tally.records.at(-2)).toMatchObject({ state: 'aborted', tokens })
  }
})

test('answers wait while blocked, and all come when released', async () => {
  const emulator = await start()
  emulator.block()
  const answers = Promise.all(questions.map((question) => stream(emulator, chat(question))))
  await emulator.tally.until((tally) => tally.running === questions.length)
  expect(emulator.tally.tokens).toBe(0)
  emulator.release()
  expect((await answers).map((answer) => answer.text)).toEqual(questions.map((question) => oracle(chat(question)).text))
})

test('more requests than slots wait in line', async () => {
  const emulator = await start({ slots: 2 })
  emulator.block()
  const answers = Promise.all(Array.from({ length: 5 }, () => stream(emulator, chat('Hi', { max_tokens: 4 }))))
  await emulator.tally.until((tally) => tally.running === 2 && tally.waiting === 3)
  expect(await (await fetch(`${emulator.url}/metrics`)).text()).toContain('reason="capacity"} 3')
  emulator.release()
  expect(await answers).toHaveLength(5)
  expect(emulator.tally).toMatchObject({ running: 0, waiting: 0, finished: 5 })
})

test('it dies as told: cut, quiet end, error chunk', async () => {
  const emulator = await start()
  const streaming = chat('How do tides work?', { stream: true })
  emulator.next({ death: { afterTokens: 3, how: 'cut' } })
  expect(await outcome(textOfStream(emulator))).toBe('reset')
  emulator.next({ death: { afterTokens: 3, how: 'eof' } })
  const quiet = await (await post(emulator, streaming)).text()
  expect(quiet.split('\n\n').filter(Boolean)).toHaveLength(4)
  expect(quiet).not.toContain('[DONE]')
  emulator.next({ death: { afterTokens: 3, how: 'error' } })
  const [error, done] = (await (await post(emulator, streaming)).text()).split('\n\n').slice(-3)
  expect(JSON.parse(error!.slice(6))).toMatchObject({ error: { code: 500, type: 'InternalServerError' } })
  expect(done).toBe('data: [DONE]')
  emulator.next({ death: { afterTokens: 3, how: 'cut' } })
  expect(await outcome(post(emulator, chat('Hi')).then((response) => response.text()))).toBe('reset')
  expect(emulator.tally.died).toBe(4)
  expect((await stream(emulator, chat('Hi'))).text).toBe(oracle(chat('Hi')).text)
})

test('a killed engine resets every connection', async () => {
  const emulator = await start({ hangAfterTokens: 2 })
  const answers = Promise.all([1, 2].map(() => outcome(textOfStream(emulator))))
  await emulator.tally.until((tally) => tally.tokens === 4)
  emulator.kill()
  expect(await answers).toEqual(['reset', 'reset'])
  expect(emulator.tally).toMatchObject({ died: 2, running: 0 })
})

test('it hangs after some tokens until its conduct changes', async () => {
  const emulator = await start({ hangAfterTokens: 5 })
  const answer = stream(emulator, chat('Hi'))
  await emulator.tally.until((tally) => tally.tokens === 5)
  emulator.set({ hangAfterTokens: null })
  expect((await answer).text).toBe(oracle(chat('Hi')).text)
})

test('it misbehaves in all the ways it is told to', async () => {
  const emulator = await start()
  const body = chat('How do tides work?', { max_tokens: 20 })
  const truth = oracle(body)
  const raw = async () => (await post(emulator, { ...body, stream: true })).text()

  emulator.next({ claimFactor: 10 })
  expect((await stream(emulator, body)).usage!.completion_tokens).toBe(200)
  emulator.next({ tokenIds: 'bytes' })
  const bytes = await stream(emulator, body)
  expect(bytes.ids.length).toBeGreaterThan(60)
  expect(decode(bytes.ids)).toBe(truth.text)
  emulator.next({ tokenIds: 'wrong' })
  const wrong = await stream(emulator, body)
  expect(wrong.text).toBe(truth.text)
  expect(decode(wrong.ids)).not.toBe(truth.text)
  emulator.next({ tokenIds: 'none' })
  expect((await stream(emulator, body)).ids).toEqual([])
  emulator.next({ emptyAnswer: true })
  expect(await stream(emulator, body)).toMatchObject({ text: '', finish: 'stop' })
  emulator.next({ overGenerateTokens: 7 })
  expect((await stream(emulator, body)).ids).toHaveLength(27)
  emulator.next({ unknownFields: true })
  expect(await raw()).toContain('"kv_transfer_params"')
  emulator.next({ oversizeChunkBytes: 300_000 })
  expect((await raw()).length).toBeGreaterThan(300_000)
  emulator.next({ garbageAfterTokens: 2 })
  expect(await raw()).toContain('data: {"choices": [{"ind\n\n')
  emulator.next({ chunkTokens: 7 })
  expect(await stream(emulator, body)).toMatchObject({ chunks: 3, text: truth.text })
  emulator.next({ refuseStatus: 503 })
  const refused = await post(emulator, body)
  expect([refused.status, (await refused.json()).error.code]).toEqual([503, 503])
  expect((await stream(emulator, body)).text).toBe(truth.text)
})

test('speed and first-token delay are kept', async () => {
  const emulator = await start({ tokensPerSecond: 200, firstTokenDelayMs: 50 })
  const startMs = performance.now()
  await stream(emulator, chat('Hi', { max_tokens: 21 }))
  expect(performance.now() - startMs).toBeGreaterThan(50 + 95)
})

test('another process can change its conduct, if allowed', async () => {
  const emulator = await start({ admin: true })
  const command = (words: object) => fetch(`${emulator.url}/_emulator`, { method: 'POST', body: JSON.stringify(words) })
  await command({ next: { refuseStatus: 429 }, block: true })
  expect((await post(emulator, chat('Hi'))).status).toBe(429)
  const answer = stream(emulator, chat('Hi'))
  await emulator.tally.until((tally) => tally.running === 1)
  expect(await (await command({ release: true })).json()).toMatchObject({ requests: 1, refused: 1, blocked: false })
  expect((await answer).finish).toBe('stop')
  expect((await (await fetch(`${emulator.url}/_emulator`)).json()).records[0].body.messages[0].content).toBe('Hi')
})

test('the engine answers without a network too', async () => {
  const engine = new Engine()
  const body = JSON.stringify(chat('Hi', { stream: true }))
  const answer = await engine.fetch(new Request('http://engine/v1/chat/completions', { method: 'POST', body }))
  expect(await answer.text()).toEndWith('data: [DONE]\n\n')
  expect(engine.tally.finished).toBe(1)
})

test('parts of a message are joined by lines', () => {
  expect(
    textOf([
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]),
  ).toBe('a\nb')
})
