// One question, asked with the official openai package, and what became of it as its user sees it.
import OpenAI, { APIConnectionError, APIConnectionTimeoutError, APIError } from 'openai'
import type { ChatCompletion, ChatCompletionChunk } from 'openai/resources/chat/completions'
import { isErrorCode } from '../sdk/codes.ts'
import type { AnswerFacts, Usage } from '../sdk/openai.ts'
import { type Fault, faultIn } from './compare.ts'
import type { Form, Question } from './question.ts'

export interface Outcome {
  form: Form
  streamed: boolean
  /** Empty where no answer said it. */
  requestId: string
  failure: Failure | null
  /** What is wrong with the text as far as it came: `shape` is a stream no client should have to understand. */
  fault: Fault | 'tool calls' | 'finish' | 'shape' | 'usage' | null
  /** What was wrong, to find it again. */
  detail: string
  /** USD; null unless the answer came completely. */
  cost: number | null
  attempts: number
  /** Times it went on where another host had left it. */
  resumed: number
  /** From the request to its first token, or to the whole answer. */
  firstTokenMs: number
  /** Longest wait between two chunks of a stream. The time for which an answer was held on purpose is not in it. */
  stallMs: number
}

export interface Failure {
  /** The code the hub gave, or `connection` (refused, reset), `cut` (a stream without an end), `timeout`. */
  code: string
  /** Whether it came in the envelope and with a code that the API documents. */
  documented: boolean
  /** Some of the answer had been received. */
  begun: boolean
}

/** Whoever has waited this long for an answer waits in vain. */
const ANSWER_MS = 120_000

/** A client like everybody's, but for retries: what goes wrong is counted, not hidden. */
export function clientOf(url: string, key: string, options: { retries?: number; fetch?: typeof fetch } = {}): OpenAI {
  const { retries = 0, ...more } = options
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: key, maxRetries: retries, timeout: ANSWER_MS, ...more })
}

export interface Asking {
  streamed: boolean
  /** When an answer that was held lost its host, by the question's number; until then its wait is nobody's fault. */
  lostAt: ReadonlyMap<number, number>
}

export async function ask(openai: OpenAI, question: Question, { streamed, lostAt }: Asking): Promise<Outcome> {
  const got = new Gathered(question, streamed, () => lostAt.get(question.number) ?? 0)
  try {
    if (streamed) await stream(openai, question, got)
    else await whole(openai, question, got)
  } catch (error) {
    got.failed(error)
  }
  return got.outcome()
}

async function stream(openai: OpenAI, { body }: Question, got: Gathered): Promise<void> {
  const asked = { ...body, stream: true as const, stream_options: { include_usage: true } }
  // The package's types know less than the hub takes, such as null for "not given".
  const { data, response } = await openai.chat.completions
    .create(asked as OpenAI.ChatCompletionCreateParamsStreaming)
    .withResponse()
  got.headers(response.headers)
  for await (const chunk of data) got.chunk(chunk)
}

async function whole(openai: OpenAI, { body }: Question, got: Gathered): Promise<void> {
  const { data, response } = await openai.chat.completions
    .create(body as OpenAI.ChatCompletionCreateParamsNonStreaming)
    .withResponse()
  got.headers(response.headers)
  got.answer(data)
}

/** What gpuhub adds to the shapes the package knows. */
interface Added {
  usage?: Usage | null
  x_gpuhub?: AnswerFacts & { resumed?: number }
}

class Gathered {
  private text = ''
  private readonly calls: { id: string; name: string; arguments: string }[] = []
  private finish: string | null = null
  private usage: Usage | null = null
  private facts: Added['x_gpuhub'] | null = null
  private requestId = ''
  private failure: Failure | null = null
  private detail = ''
  private readonly ids = new Set<string>()
  private roles = 0
  private finishes = 0
  private afterUsage = 0
  private readonly startedAt = performance.now()
  private lastAt = 0
  private firstTokenMs = 0
  private stallMs = 0

  constructor(
    private readonly question: Question,
    private readonly streamed: boolean,
    private readonly lostAt: () => number,
  ) {}

  headers(headers: Headers): void {
    this.requestId = headers.get('x-request-id') ?? ''
  }

  chunk(chunk: ChatCompletionChunk): void {
    const { usage, x_gpuhub: facts } = chunk as Added
    this.ids.add(chunk.id)
    if (this.usage) this.afterUsage++
    this.facts = facts ?? this.facts
    this.usage = usage ?? this.usage
    for (const { delta, finish_reason: finish } of chunk.choices) {
      if (delta.role) this.roles++
      if (finish) this.finishes++
      this.finish = finish ?? this.finish
      this.text += delta.content ?? ''
      for (const call of delta.tool_calls ?? []) this.call(call)
      if (delta.content || delta.tool_calls || finish) this.tick()
    }
  }

  answer({ choices, ...answer }: ChatCompletion): void {
    const { usage, x_gpuhub: facts } = answer as Added
    const [choice] = choices
    this.tick()
    this.text = choice?.message.content ?? ''
    for (const [index, call] of (choice?.message.tool_calls ?? []).entries())
      if (call.type === 'function') this.call({ index, id: call.id, function: call.function })
    this.finish = choice?.finish_reason ?? null
    this.usage = usage ?? null
    this.facts = facts ?? null
  }

  failed(error: unknown): void {
    const begun = this.lastAt > 0
    this.detail = String(error)
    if (error instanceof APIError && error.requestID) this.requestId = error.requestID
    this.failure = { ...nameOf(error), begun }
  }

  outcome(): Outcome {
    if (!this.failure && (this.finish === null || this.usage === null))
      this.failure = { code: 'cut', documented: false, begun: this.lastAt > 0 }
    const fault = this.fault()
    return {
      form: this.question.form,
      streamed: this.streamed,
      requestId: this.requestId,
      failure: this.failure,
      fault,
      detail: fault ? `${this.detail} ${this.difference()}`.trim() : this.detail,
      cost: this.failure ? null : (this.usage?.cost ?? null),
      attempts: this.facts?.attempts ?? 0,
      resumed: this.facts?.resumed ?? 0,
      firstTokenMs: this.firstTokenMs,
      stallMs: this.stallMs,
    }
  }

  private call(delta: { index: number; id?: string; function?: { name?: string; arguments?: string } }): void {
    const known = this.calls[delta.index]
    if (known) known.arguments += delta.function?.arguments ?? ''
    else
      this.calls[delta.index] = {
        id: delta.id ?? '',
        name: delta.function?.name ?? '',
        arguments: delta.function?.arguments ?? '',
      }
  }

  private tick(): void {
    const now = performance.now()
    // Known by now: what ended the hold is what brought this chunk.
    const waited = now - Math.max(this.lastAt || this.startedAt, this.lostAt())
    if (this.lastAt === 0) this.firstTokenMs = waited
    else this.stallMs = Math.max(this.stallMs, waited)
    this.lastAt = now
  }

  private fault(): Outcome['fault'] {
    const { truth } = this.question
    const text = faultIn(this.text, truth.text)
    // An answer that ended with an error stops early, and says so.
    if (this.failure) return text === 'truncated' ? null : text
    if (text) return text
    if (JSON.stringify(this.calls) !== JSON.stringify(truth.toolCalls)) return 'tool calls'
    if (this.finish !== truth.finish) return 'finish'
    if (this.usage?.prompt_tokens !== truth.prompt.length || this.usage.completion_tokens !== tokensOf(this.question))
      return 'usage'
    const once = this.roles === 1 && this.finishes === 1 && this.ids.size === 1 && this.afterUsage === 0
    return this.streamed && !once ? 'shape' : null
  }

  private difference(): string {
    const { truth, plan } = this.question
    return JSON.stringify({
      plan,
      got: { text: this.text, calls: this.calls, finish: this.finish, usage: this.usage },
      truth: { text: truth.text, calls: truth.toolCalls, finish: truth.finish, tokens: tokensOf(this.question) },
      shape: { ids: this.ids.size, roles: this.roles, finishes: this.finishes, afterUsage: this.afterUsage },
    })
  }
}

/** The mark that ends an answer is a token, too: the model had to say it. */
export function tokensOf({ truth }: Question): number {
  return truth.ids.length
}

function nameOf(error: unknown): Pick<Failure, 'code' | 'documented'> {
  if (error instanceof APIConnectionTimeoutError) return { code: 'timeout', documented: false }
  if (error instanceof APIConnectionError) return { code: 'connection', documented: false }
  if (!(error instanceof APIError)) return { code: 'connection', documented: false }
  const code = String(error.code ?? error.status ?? 'unknown')
  return { code, documented: isErrorCode(code) && code !== 'internal' }
}
