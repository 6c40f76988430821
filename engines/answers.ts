// What must hold of answers, with a real engine behind the compiled hub and host. `bun run test:engine` runs this file,
// once for each engine; `bun test` alone does not, for an engine is a large thing to fetch.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import OpenAI, { APIError, BadRequestError } from 'openai'
import type { Machine } from '../chaos/machine.ts'
import { type HubProcess, startWorld, type World } from '../chaos/processes.ts'
import { countAnswer, countPrompt, promptIds } from '../hub/metering/count.ts'
import { loadTokenizer } from '../hub/metering/tokenizers.ts'
import { GpuHub } from '../sdk/index.ts'
import { SseParser } from '../sdk/stream.ts'
import { conversations } from './conversations.ts'
import { engineNames, type RealEngine, startEngine } from './engine.ts'
import { asking, readTokenizer } from './model.ts'
import { served } from './recipe.ts'

const name = engineNames.find((known) => known === process.env.GPUHUB_ENGINE) ?? 'llama.cpp'
const MODEL = 'Qwen/Qwen3-8B'
/** DESIGN's limit for everything between a client who leaves and an engine that rests. */
const STOPPED_WITHIN_MS = 1_000

type Ask = OpenAI.ChatCompletionCreateParamsNonStreaming

/** The same words each time, and content all of them: vLLM takes an answer for thoughts until a thought has ended. */
const calm = {
  model: MODEL,
  messages: [{ role: 'user', content: 'Why is the sky blue?' }],
  temperature: 0,
  reasoning_effort: 'none',
} satisfies Ask

let engine: RealEngine
let world: World
let hub: HubProcess
let key: string
let openai: OpenAI
/** With the same engine all of them. */
const hosts: Machine[] = []
let linked = 0
async function link(): Promise<Machine> {
  const name = `host${++linked}`
  const machine = await world.machine(name, { name, hub: hub.url, engineUrl: engine.url, model: MODEL, slots: 16 })
  await machine.start()
  return machine
}

beforeAll(async () => {
  engine = await startEngine(name)
  world = await startWorld('sqlite')
  hub = await world.startHub()
  hosts.push(await link())
  key = (await world.client('5.00')).key
  openai = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey: key, maxRetries: 0 })
}, 900_000)
afterAll(async () => {
  await world?.close()
  await engine?.kill()
})

interface Own {
  choices: {
    message: { content: string | null; reasoning?: string | null; reasoning_content?: string | null }
    text: string
    finish_reason: string
    token_ids: number[]
    logprobs?: OpenAI.ChatCompletion.Choice.Logprobs | null
  }[]
  prompt_token_ids: number[]
  usage: { prompt_tokens: number; completion_tokens: number }
}

/** What the engine itself answers. */
async function direct<T = Own>(path: string, body: object): Promise<T> {
  const response = await fetch(engine.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  if (!response.ok) throw new Error(`the engine answered ${response.status}: ${await response.text()}`)
  return (await response.json()) as T
}

const directChat = (request: object) => direct('/v1/chat/completions', request)

function raw(request: object, signal?: AbortSignal): Promise<Response> {
  return fetch(`${hub.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(request),
    signal,
  })
}

/** Reads a stream up to the `enough`th piece of text; then the rest waits for `rest`, or nobody reads it. */
function reading(response: Response) {
  const payloads: string[] = []
  const reader = response.body!.getReader()
  const parser = new SseParser((payload) => payloads.push(payload))
  const said = (what: 'content' | 'reasoning') =>
    payloads
      .filter((payload) => payload !== '[DONE]')
      .map((payload) => JSON.parse(payload).choices?.[0]?.delta[what] ?? '')
      .join('')
  const until = async (enough: () => boolean) => {
    while (!enough()) {
      const { done, value } = await reader.read()
      if (done) return
      parser.push(value)
    }
  }
  return {
    payloads,
    content: () => said('content'),
    thoughts: () => said('reasoning'),
    pieces: (count: number) => until(() => payloads.length > count),
    rest: () => until(() => false),
  }
}

interface Row {
  id: string
  state: string
  promptTokens: number
  completionTokens: number
  claimedTokens: number | null
  countsDiffer: boolean
  costNanos: string
  promptPicos: number
  completionPicos: number
  attempts: number
  error: string | null
}

/** The request's row, once it has ended. */
async function rowOf(id: string): Promise<Row> {
  const deadline = performance.now() + 30_000
  for (;;) {
    const row = (await world.command<Row[]>('requests', '--limit', '100')).find((each) => each.id === id)
    if (row && row.state !== 'running') return row
    if (performance.now() > deadline) throw new Error(`${id} has no end`)
  }
}

async function balance(): Promise<bigint> {
  return BigInt((await new GpuHub({ baseURL: hub.url, apiKey: key }).balance()).balanceNanos)
}

async function untilIdle(): Promise<void> {
  const deadline = performance.now() + 30_000
  while ((await engine.busy()) > 0) if (performance.now() > deadline) throw new Error('the engine does not rest')
}

/** Runs `leave` while the engine works; how long it works on, milliseconds. */
async function restsAfter(leave: () => void): Promise<number> {
  const deadline = performance.now() + 30_000
  while ((await engine.busy()) === 0) {
    if (performance.now() > deadline) throw new Error('the engine never begins')
    await Bun.sleep(5)
  }
  const start = performance.now()
  leave()
  await untilIdle()
  return performance.now() - start
}

/** On a machine with other work once may be late; a program that does not stop in time is late each time. */
async function stopsInTime(leave: () => Promise<number>): Promise<void> {
  const took: number[] = []
  while (took.length < 3 && !took.some((ms) => ms < STOPPED_WITHIN_MS)) took.push(await leave())
  expect(Math.min(...took)).toBeLessThan(STOPPED_WITHIN_MS)
}

const failure = (work: Promise<unknown>) =>
  work.then(
    () => {
      throw new Error('nothing failed')
    },
    (error: unknown) => error,
  )

describe('the openai package', () => {
  test('gets whole answers, as the engine gives them', async () => {
    const answer = await openai.chat.completions.create({ ...calm, max_tokens: 24 })
    const own = await directChat({ ...calm, max_tokens: 24 })
    expect(answer.choices[0]?.message.content).toBe(own.choices[0]!.message.content)
    expect(answer.choices[0]?.finish_reason).toBe('length')
    expect(answer.usage).toMatchObject({
      prompt_tokens: own.usage.prompt_tokens,
      completion_tokens: 24,
      total_tokens: own.usage.prompt_tokens + 24,
    })
    expect(answer._request_id).toStartWith('req_')
  })

  test('streams them, piece by piece and through its helper', async () => {
    const { choices } = await directChat({ ...calm, max_tokens: 24 })
    let text = ''
    for await (const chunk of await openai.chat.completions.create({ ...calm, max_tokens: 24, stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe(choices[0]!.message.content!)
    const final = await openai.chat.completions.stream({ ...calm, max_tokens: 24 }).finalChatCompletion()
    expect(final.choices[0]?.message.content).toBe(text)
  })

  test('breaks off, and the engine stops within a second', async () => {
    await stopsInTime(async () => {
      const stream = await openai.chat.completions.create({ ...calm, max_tokens: 1_900, stream: true })
      let pieces = 0
      for await (const chunk of stream) if (chunk.choices[0]?.delta.content && ++pieces === 10) break
      const start = performance.now()
      await untilIdle()
      return performance.now() - start
    })
  })

  test('breaks off a whole answer, which then costs nothing', async () => {
    const before = await balance()
    await stopsInTime(async () => {
      const leaving = new AbortController()
      const asking = failure(openai.chat.completions.create({ ...calm, max_tokens: 1_900 }, { signal: leaving.signal }))
      const tookMs = await restsAfter(() => leaving.abort())
      expect(await asking).toBeInstanceOf(OpenAI.APIUserAbortError)
      return tookMs
    })
    expect(await balance()).toBe(before)
  })

  test.each([
    ['a schema that leads nowhere', { response_format: schema({ $ref: '#/$defs/nobody' }) }],
    ...(name === 'vllm'
      ? ([
          ['a token that does not exist', { logit_bias: { 999_999: 1 } }],
          ['an effort that does not exist', { reasoning_effort: 'enormous' }],
        ] as [string, object][])
      : []),
  ])('is told about %s as the engine said it, and pays nothing', async (_, change) => {
    const before = await balance()
    const error = await failure(openai.chat.completions.create({ ...calm, ...change } as Ask))
    expect(error).toBeInstanceOf(BadRequestError)
    expect(error).toMatchObject({ status: 400, code: 'invalid_request', type: 'invalid_request_error' })
    const { requestID } = error as APIError
    expect(await rowOf(requestID!)).toMatchObject({ state: 'failed', costNanos: '0', error: 'invalid_request' })
    expect(await balance()).toBe(before)
    // Nobody's host is to blame: the only one there is goes on serving.
    expect((await openai.chat.completions.create({ ...calm, max_tokens: 1 })).usage?.completion_tokens).toBe(1)
  })

  test('is told that a prompt is too long for any host, by the hub', async () => {
    const long = { ...calm, messages: [{ role: 'user' as const, content: 'sky '.repeat(40_000) }] }
    expect(await failure(openai.chat.completions.create(long))).toMatchObject({ code: 'context_length_exceeded' })
  })

  test('completes raw prompts, text and token ids alike', async () => {
    const prompt = 'The sky is'
    const ids = textIds(prompt)
    const request = { model: MODEL, temperature: 0, max_tokens: 12 }
    const own = await direct('/v1/completions', { ...request, prompt })
    for (const each of [prompt, [...ids]]) {
      const answer = await openai.completions.create({ ...request, prompt: each })
      expect(answer.choices[0]?.text).toBe(own.choices[0]!.text)
      expect(answer.usage).toMatchObject({ prompt_tokens: ids.length, completion_tokens: 12 })
    }
  })

  test('gets log probabilities, of chats and of raw prompts, streamed and whole', async () => {
    const chat = { ...calm, max_tokens: 4, logprobs: true, top_logprobs: 2 }
    const whole = (await openai.chat.completions.create(chat)).choices[0]!.logprobs!.content!
    expect(whole.map((each) => each.top_logprobs.length)).toEqual([2, 2, 2, 2])
    const streamed: OpenAI.ChatCompletionTokenLogprob[] = []
    for await (const chunk of await openai.chat.completions.create({ ...chat, stream: true }))
      streamed.push(...(chunk.choices[0]?.logprobs?.content ?? []))
    expect(streamed.map(({ token }) => token)).toEqual(whole.map(({ token }) => token))

    const raw = await openai.completions.create({
      model: MODEL,
      prompt: 'The',
      temperature: 0,
      max_tokens: 3,
      logprobs: 2,
    })
    const { text, logprobs } = raw.choices[0]!
    expect(logprobs!.tokens!.join('')).toBe(text)
    const lengths = logprobs!.tokens!.map((token) => token.length)
    expect(logprobs!.text_offset).toEqual([0, lengths[0]!, lengths[0]! + lengths[1]!])
    expect(logprobs!.top_logprobs!.map((each) => Object.keys(each).length)).toEqual([2, 2, 2])
  })

  test('gets several choices, and pays for all of them', async () => {
    const answer = await openai.chat.completions.create({ ...calm, temperature: 1, seed: 7, n: 3, max_tokens: 9 })
    expect(answer.choices.map(({ index, finish_reason }) => [index, finish_reason])).toEqual([
      [0, 'length'],
      [1, 'length'],
      [2, 'length'],
    ])
    expect(new Set(answer.choices.map(({ message }) => message.content)).size).toBeGreaterThan(1)
    expect(answer.usage?.completion_tokens).toBe(27)
  })

  test('stops at a string, which nobody sees and nobody pays for', async () => {
    const { content } = (await directChat({ ...calm, max_tokens: 40 })).choices[0]!.message
    const stop = content!.slice(20, 26)
    const seen = content!.slice(0, content!.indexOf(stop))
    const answer = await openai.chat.completions.create({ ...calm, max_tokens: 40, stop: [stop] })
    expect(answer.choices[0]).toMatchObject({ message: { content: seen }, finish_reason: 'stop' })
    expect(answer.usage!.completion_tokens).toBeLessThanOrEqual(hubCount(seen))
  })

  test('gets JSON that fits its schema, at the smaller of both counts', async () => {
    const properties = { sunny: { type: 'boolean' }, colour: { enum: ['red', 'green'] } }
    const fits = { type: 'object', properties, required: ['sunny', 'colour'], additionalProperties: false }
    const answer = await openai.chat.completions.create({ ...calm, max_tokens: 120, response_format: schema(fits) })
    const { content } = answer.choices[0]!.message
    expect(Object.keys(JSON.parse(content!) as object)).toEqual(['sunny', 'colour'])
    expect(answer.choices[0]!.finish_reason).toBe('stop')
    await paysTheSmaller(answer, content!)
  })
})

function schema(of: object): OpenAI.ResponseFormatJSONSchema {
  return { type: 'json_schema', json_schema: { name: 'weather', strict: true, schema: of as Record<string, unknown> } }
}

function hubCount(content: string, reasoning = ''): number {
  return countAnswer('qwen3', { content, reasoning, toolCalls: [], ids: null, claimed: null }).hub
}

/** vLLM's name for them and llama.cpp's. */
function ownThoughts({ choices }: Own): string {
  const { reasoning, reasoning_content: other } = choices[0]!.message
  return reasoning ?? other ?? ''
}

type Answer = OpenAI.ChatCompletion & { _request_id?: string | null }

/** What the engine claims is in the row; what the hub counts is known here. */
async function paysTheSmaller(answer: Answer, content: string): Promise<Row> {
  const row = await rowOf(answer._request_id!)
  expect(row.claimedTokens).not.toBeNull()
  expect(answer.usage?.completion_tokens).toBe(Math.min(row.claimedTokens!, hubCount(content)))
  const { promptTokens, completionTokens, promptPicos, completionPicos } = row
  const picos = BigInt(promptTokens) * BigInt(promptPicos) + BigInt(completionTokens) * BigInt(completionPicos)
  expect(BigInt(row.costNanos)).toBe((picos + 999n) / 1_000n)
  return row
}

test('@gpuhub/sdk chats whole and streamed, and its receipts verify', async () => {
  const sdk = new GpuHub({ baseURL: hub.url, apiKey: key })
  const request = {
    model: MODEL,
    messages: [{ role: 'user' as const, content: 'Hello' }],
    temperature: 0,
    max_tokens: 9,
  }
  const answer = await sdk.chat.completions.create({ ...request, reasoning_effort: 'none' })
  let text = ''
  for await (const chunk of await sdk.chat.completions.create({ ...request, reasoning_effort: 'none', stream: true }))
    text += chunk.choices[0]?.delta.content ?? ''
  expect(text).toBe(answer.choices[0]!.message.content!)
  const receipt = await sdk.receipts.get(answer.x_gpuhub.request_id)
  expect(await sdk.receipts.verify(receipt)).toBe(true)
  expect([Number(receipt.cost), receipt.completionTokens]).toEqual([answer.usage.cost, 9])
})

test('the bytes of a stream are framed as every client expects', async () => {
  const options = { stream: true, stream_options: { include_usage: true } }
  const response = await raw({ ...calm, max_tokens: 5, ...options })
  expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  const text = await response.text()
  expect(text).toEndWith('data: [DONE]\n\n')
  const events = text.split('\n\n').slice(0, -2)
  for (const event of events) expect(event).toMatch(/^data: \{.*\}$/)
  const parsed = events.map((event) => JSON.parse(event.slice(6)))
  expect(parsed[0].choices[0].delta).toEqual({ role: 'assistant', content: '' })
  const usage = parsed.pop()
  expect(usage).toMatchObject({ choices: [], usage: { completion_tokens: 5 } })
  expect(parsed.filter((chunk) => chunk.choices[0].finish_reason !== null)).toHaveLength(1)
  expect(parsed.every((chunk) => chunk.choices.length === 1 && !('usage' in chunk))).toBe(true)
  // Nothing of the engine's own shows.
  expect(text).not.toMatch(/token_ids|system_fingerprint|timings|stop_reason|prompt_text|vllm|llama/i)
})

describe('tokens', () => {
  test.each(Object.entries(conversations))('the engine reads %s in the tokens the hub counts', async (_, given) => {
    const prompt = { kind: 'chat', chat: given.chat } as const
    const ids = promptIds('qwen3', prompt)
    expect(ids).toEqual(await ownPromptIds(given.request))
    expect(countPrompt('qwen3', prompt).tokens).toBe(ids.length)
    const answer = await openai.chat.completions.create({
      ...calm,
      reasoning_effort: null,
      ...given.request,
      max_tokens: 1,
    })
    expect(answer.usage?.prompt_tokens).toBe(ids.length)
  })

  test.each([1, 7, 64, 300])('an answer of %d tokens is billed as that many', async (count) => {
    const answer = await openai.chat.completions.create({ ...calm, max_tokens: count })
    const row = await paysTheSmaller(answer, answer.choices[0]!.message.content!)
    expect(row).toMatchObject({ completionTokens: count, claimedTokens: count, countsDiffer: false })
  })

  test('the mark that ends an answer is not billed', async () => {
    const request = { ...calm, max_tokens: 200, logit_bias: asking.toEnd }
    const own = await directChat(request)
    const answer = await openai.chat.completions.create(request)
    expect(answer.choices[0]).toMatchObject({
      message: { content: own.choices[0]!.message.content },
      finish_reason: 'stop',
    })
    expect(answer.usage!.completion_tokens).toBe(own.usage.completion_tokens - 1)
    expect(answer.usage!.completion_tokens).toBeGreaterThan(0)
    expect(await rowOf(answer._request_id!)).toMatchObject({ countsDiffer: false })
  })

  test('of words in pieces no tokenizer makes, and half characters, the smaller count is billed', async () => {
    const request = { ...calm, max_tokens: 120, logit_bias: asking.forPieces(readTokenizer()) }
    const own = (await directChat(request)).choices[0]!.message.content!
    const answer = await openai.chat.completions.create(request)
    const { content } = answer.choices[0]!.message
    expect(content).toBe(own)
    const row = await paysTheSmaller(answer, content!)
    expect(row.completionTokens).toBeLessThan(120)
    expect(row.countsDiffer).toBe(true)
    let text = ''
    for await (const chunk of await openai.chat.completions.create({ ...request, stream: true }))
      text += chunk.choices[0]?.delta.content ?? ''
    expect(text).toBe(own)
  })

  test('thoughts are billed like the rest, and the marks around them', async () => {
    const request = { ...calm, reasoning_effort: null, max_tokens: 200, logit_bias: asking.toEndItsThoughts }
    const own = await directChat(request)
    const answer = await openai.chat.completions.create(request)
    const { message } = answer.choices[0]!
    expect(message).toMatchObject({ content: own.choices[0]!.message.content })
    expect(message).toMatchObject({ reasoning: ownThoughts(own), reasoning_content: ownThoughts(own) })
    expect(ownThoughts(own)!.length).toBeGreaterThan(100)
    expect(message.content!.length).toBeGreaterThan(100)
    expect(await rowOf(answer._request_id!)).toMatchObject({ claimedTokens: 200, countsDiffer: false })
    expect(answer.usage!.completion_tokens).toBe(name === 'vllm' ? 200 : hubCount(message.content!, ownThoughts(own)))
  })

  test.if(name === 'vllm')('a call of a tool is billed as the engine wrote it, and streams', async () => {
    const request = {
      ...calm,
      max_tokens: 200,
      tools: [weatherTool],
      tool_choice: 'required' as const,
      parallel_tool_calls: false,
    }
    const answer = await openai.chat.completions.create(request)
    const called = { type: 'function', function: { name: 'get_weather', arguments: expect.stringContaining('city') } }
    expect(answer.choices).toMatchObject([{ finish_reason: 'tool_calls', message: { tool_calls: [called] } }])
    // Marks and all, in the tokens a trained model would have taken; this one spells it.
    const own = await directChat({ ...request, return_token_ids: true })
    const tokenizer = loadTokenizer('qwen3')
    const billed = tokenizer.encodeAnswer(tokenizer.decode(own.choices[0]!.token_ids)).length
    expect(answer.usage?.completion_tokens).toBe(billed)
    expect(billed).toBeGreaterThan(15)
    const { choices } = await openai.chat.completions.stream({ ...request, stream: true }).finalChatCompletion()
    expect(choices).toMatchObject([{ finish_reason: 'tool_calls', message: { tool_calls: [called] } }])
  })

  test('an answer without a limit fills what the engine holds, and no more', async () => {
    const answer = await openai.chat.completions.create(calm)
    expect(answer.choices[0]!.finish_reason).toBe('length')
    expect(answer.usage!.total_tokens).toBe(served.contextTokens)
  })
})

const weatherTool: OpenAI.ChatCompletionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    strict: true,
    parameters: {
      type: 'object',
      properties: { city: { enum: ['Berlin', 'Rome'] } },
      required: ['city'],
      additionalProperties: false,
    },
  },
}

const textIds = (text: string) => [...promptIds('qwen3', { kind: 'text', text })]

/** How the engine tokenises the conversation. */
async function ownPromptIds(request: Partial<Ask>): Promise<number[]> {
  const whole = { ...calm, reasoning_effort: undefined, ...request }
  if (name === 'vllm') return (await directChat({ ...whole, max_tokens: 1, return_token_ids: true })).prompt_token_ids
  const { prompt } = await direct<{ prompt: string }>('/apply-template', whole)
  return (await direct<{ tokens: number[] }>('/tokenize', { content: prompt, parse_special: true })).tokens
}

test('a client who hangs up pays, in one posting, for what was written until then', async () => {
  await stopsInTime(async () => {
    const [before, made] = [await balance(), await engine.made()]
    const leaving = new AbortController()
    const response = await raw({ ...calm, max_tokens: 1_900, stream: true }, leaving.signal)
    const stream = reading(response)
    await stream.pieces(30)
    const tookMs = await restsAfter(() => leaving.abort())
    const row = await rowOf(response.headers.get('x-request-id')!)
    expect(row).toMatchObject({ state: 'cancelled' })
    expect(row.completionTokens).toBeGreaterThanOrEqual(hubCount(stream.content()))
    expect(row.completionTokens).toBeLessThanOrEqual((await engine.made()) - made)
    expect(await balance()).toBe(before - BigInt(row.costNanos))
    const ledger = await world.command<{ lines: { key: string }[] }>('ledger', 'show', 'client1@example.com')
    expect(ledger.lines.filter((line) => JSON.stringify(line).includes(row.id))).toHaveLength(1)
    return tookMs
  })
})

test('more streams than the engine has slots end each as it would alone, or are refused before they begin', async () => {
  const requests = Array.from({ length: served.slots * 3 }, (_, index) => ({
    ...calm,
    messages: [{ role: 'user' as const, content: `Tell me about number ${index}.` }],
    max_tokens: 20,
  }))
  const alone: Own[] = []
  for (const request of requests) alone.push(await directChat({ ...request, logprobs: true, top_logprobs: 2 }))
  const together = await Promise.all(
    requests.map(async (request, index) => {
      const response = await raw({ ...request, stream: true })
      if (response.status !== 200) return refusalOf(response)
      const stream = reading(response)
      await stream.rest()
      return isAsSaid(stream.content(), alone[index]!) ? 'as alone' : `not as alone: ${index}`
    }),
  )
  const answered = together.filter((each) => each === 'as alone')
  expect(together.filter((each) => each !== 'as alone' && each !== '503 no_capacity')).toEqual([])
  expect(answered.length).toBeGreaterThanOrEqual(served.slots)
})

/** What the engine thinks of its two best words, as far as arithmetic in another order may change it. */
const UNDECIDED = 0.01

/** Whether the engine said it, up to where it could not decide: beside others it may then say the other word. */
function isAsSaid(text: string, { choices }: Own): boolean {
  const { message, logprobs } = choices[0]!
  const parted = parting(text, message.content!)
  if (parted === null) return true
  let end = 0
  for (const {
    token,
    top_logprobs: [best, second],
  } of logprobs!.content!) {
    end += token.length
    if (end < parted.at) continue
    return best !== undefined && second !== undefined && best.logprob - second.logprob < UNDECIDED
  }
  return false
}

async function refusalOf(response: Response): Promise<string> {
  const { error } = (await response.json()) as { error: { code: string } }
  return `${response.status} ${error.code}`
}

describe('an answer whose host dies', () => {
  test.each([1, 9, 33, 59])('could go on from token %d by its ids as if nothing had happened', async (cut) => {
    const { content } = (await directChat({ ...calm, max_tokens: 60 })).choices[0]!.message
    const ids = textIds(content!)
    const prompt = [...(await ownPromptIds({ reasoning_effort: 'none' })), ...ids.slice(0, cut)]
    const rest = await direct('/v1/completions', { model: MODEL, temperature: 0, prompt, max_tokens: 60 - cut })
    expect(textIds(rest.choices[0]!.text)).toEqual(ids.slice(cut))
  })

  test('could go on from half a message, streamed, without that half', async () => {
    const { content } = (await directChat({ ...calm, max_tokens: 40 })).choices[0]!.message
    const half = content!.slice(0, content!.indexOf(' ', 100))
    const response = await fetch(`${engine.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        ...calm,
        messages: [...calm.messages, { role: 'assistant', content: half }],
        add_generation_prompt: false,
        continue_final_message: true,
        max_tokens: 40 - hubCount(half),
        stream: true,
      }),
    })
    const stream = reading(response)
    await stream.rest()
    expect(half + stream.content()).toBe(content!)
  })

  test.each([
    ['', { reasoning_effort: 'none' as const }],
    [' in mid-thought', { reasoning_effort: null }],
    [' after its thoughts', { reasoning_effort: null, logit_bias: asking.toEndItsThoughts }],
  ])('is finished%s by another, and costs what it would have cost', async (_, how) => {
    const request = { ...calm, ...how, max_tokens: 400 }
    const whole = reading(await raw({ ...request, stream: true }))
    await whole.rest()
    let rows: Row[] = []
    // Where the engine was done before the host was gone, nothing had to go on.
    for (let tries = 0; tries < 3 && !rows.some((row) => row.attempts > 1); tries++) {
      hosts.push(await link())
      // One on each host, whichever is first.
      const responses = [await raw({ ...request, stream: true }), await raw({ ...request, stream: true })]
      const streams = responses.map(reading)
      for (const stream of streams) await stream.pieces(80)
      await hosts.shift()!.kill()
      await Promise.all(streams.map((stream) => stream.rest()))
      for (const { thoughts, content } of streams) {
        expect(parting(thoughts(), whole.thoughts())).toBeNull()
        expect(parting(content(), whole.content())).toBeNull()
      }
      rows = await Promise.all(responses.map(({ headers }) => rowOf(headers.get('x-request-id')!)))
    }
    expect(rows.map((row) => row.attempts).sort((a, b) => a - b)).toEqual([1, 2])
    for (const row of rows) expect(row).toMatchObject({ state: 'completed', countsDiffer: false })
    for (const row of rows) expect(row.completionTokens).toBeGreaterThan(390)
  })
})

/** Where two texts part, with the words around it; null: they are the same. */
function parting(one: string, other: string): { at: number; of: number[]; one: string; other: string } | null {
  if (one === other) return null
  let at = 0
  while (one[at] === other[at]) at++
  const around = (text: string) => text.slice(Math.max(0, at - 20), at + 20)
  return { at, of: [one.length, other.length], one: around(one), other: around(other) }
}

test('an engine that dies in mid-answer is an error that says so, and nothing is billed', async () => {
  const before = await balance()
  const response = await raw({ ...calm, max_tokens: 1_900, stream: true })
  const stream = reading(response)
  await stream.pieces(20)
  await engine.kill()
  await stream.rest()
  expect(stream.payloads.pop()).toBe('[DONE]')
  expect(JSON.parse(stream.payloads.pop()!)).toMatchObject({ error: { code: 'upstream_error', type: 'server_error' } })
  expect(await rowOf(response.headers.get('x-request-id')!)).toMatchObject({ state: 'failed', costNanos: '0' })
  expect(await balance()).toBe(before)
})

test.if(name === 'llama.cpp')('an engine that comes back is used again', async () => {
  engine = await startEngine(name, Number(new URL(engine.url).port))
  const deadline = performance.now() + 60_000
  const answers = () => openai.chat.completions.create({ ...calm, max_tokens: 3 }).catch(() => null)
  let answer = await answers()
  while (!answer && performance.now() < deadline) answer = await answers()
  expect(answer?.usage?.completion_tokens).toBe(3)
})

test('the books balance, and a hub that stops keeps nothing set aside', async () => {
  await hub.stop()
  expect(await world.command('ledger', 'check')).toMatchObject({ ok: true, openHolds: 0 })
})
