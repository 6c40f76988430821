// What an engine says, read as what it is: a stranger's input. Every event is parsed, checked and rebuilt from known
// fields; whatever else a host puts into it ends here.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { TypeCompiler } from '@sinclair/typebox/compiler'
import type { CompletionLogprobs, FinishReason, TokenLogprob, ToolCallDelta } from '../../sdk/openai.ts'
import { SseParser } from '../../sdk/stream.ts'
import type { Ask } from './ask.ts'

/** A piece of one choice of an answer, in no particular API's format. */
export interface Piece {
  index: number
  content: string
  reasoning: string
  toolCalls: ToolCallDelta[] | null
  logprobs: { chat: TokenLogprob[] } | { completion: CompletionLogprobs } | null
  /** The token ids the engine says this piece consists of; null when it does not tell. */
  ids: number[] | null
  finish: FinishReason | null
}

/** What the engine claims to have used. Telemetry, and a bound: never a reason to charge more. */
export interface Claim {
  prompt: number | null
  completion: number | null
}

/** An answer that breaks the format, or that says it failed. */
export class EngineError extends Error {
  override name = 'EngineError'
  constructor(
    readonly code: 'garbage' | 'engine_error' | 'cut' | 'too_large' | 'empty' | 'refused',
    message: string,
    /** Of a refusal: the status the engine would have answered with, had its headers not gone. */
    readonly status: number | null = null,
  ) {
    super(message)
  }
}

/** Statuses that speak of the request. The others speak of the engine: its load, its key, the names it knows. */
export function blamesRequest(status: number): boolean {
  return status === 400 || status === 413 || status === 422
}

const MAX_EVENT_BYTES = 2 * 1024 * 1024
const orNull = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const count = Type.Integer({ minimum: 0, maximum: 100_000_000 })
const id = Type.Integer({ minimum: 0, maximum: 100_000_000 })

const Logprob = Type.Object({
  token: Type.String(),
  logprob: Type.Number(),
  bytes: orNull(Type.Array(Type.Integer({ minimum: 0, maximum: 255 }))),
})
const EngineChunk = Type.Object({
  choices: Type.Array(
    Type.Object({
      index: Type.Integer({ minimum: 0, maximum: 127 }),
      delta: orNull(
        Type.Object({
          content: orNull(Type.String()),
          reasoning: orNull(Type.String()),
          reasoning_content: orNull(Type.String()),
          tool_calls: orNull(
            Type.Array(
              Type.Object({
                index: Type.Integer({ minimum: 0, maximum: 127 }),
                id: orNull(Type.String({ maxLength: 200 })),
                function: orNull(
                  Type.Object({ name: orNull(Type.String({ maxLength: 200 })), arguments: orNull(Type.String()) }),
                ),
              }),
              { maxItems: 128 },
            ),
          ),
        }),
      ),
      text: orNull(Type.String()),
      token_ids: orNull(Type.Array(id, { maxItems: 100_000 })),
      logprobs: Type.Optional(Type.Unknown()),
      finish_reason: orNull(Type.String({ maxLength: 40 })),
    }),
    { maxItems: 128 },
  ),
  prompt_token_ids: orNull(Type.Array(id, { maxItems: 10_000_000 })),
  usage: orNull(Type.Object({ prompt_tokens: orNull(count), completion_tokens: orNull(count) })),
})
type EngineChoice = Static<typeof EngineChunk>['choices'][number]

const chunk = TypeCompiler.Compile(EngineChunk)
const chatLogprobs = TypeCompiler.Compile(
  Type.Object({
    content: orNull(
      Type.Array(
        Type.Composite([Logprob, Type.Object({ top_logprobs: orNull(Type.Array(Logprob, { maxItems: 20 })) })]),
      ),
    ),
  }),
)
const completionLogprobs = TypeCompiler.Compile(
  Type.Object({
    tokens: Type.Array(Type.String()),
    token_logprobs: Type.Array(Type.Union([Type.Number(), Type.Null()])),
    top_logprobs: orNull(Type.Array(Type.Union([Type.Record(Type.String(), Type.Number()), Type.Null()]))),
    text_offset: orNull(Type.Array(Type.Integer())),
  }),
)

const finishes = new Set<string>(['stop', 'length', 'tool_calls', 'content_filter'])

/** Reads one engine's answer: bytes in, pieces out, synchronously and in order. */
export class EngineReader {
  readonly claim: Claim = { prompt: null, completion: null }
  private readonly parser: SseParser
  private readonly finished = new Set<number>()
  /** Characters of each choice so far. */
  private readonly lengths = new Map<number, number>()
  private done = false

  constructor(
    private readonly ask: Pick<Ask, 'n' | 'logprobs' | 'format'>,
    private readonly each: (piece: Piece) => void,
  ) {
    this.parser = new SseParser((payload) => this.event(payload), MAX_EVENT_BYTES)
  }

  /** @throws EngineError */
  push(bytes: Uint8Array): void {
    try {
      this.parser.push(bytes)
    } catch (error) {
      if (error instanceof RangeError) throw new EngineError('too_large', 'an event of the engine is too large')
      throw error
    }
  }

  /** Every choice has its finish: what may still come is only telemetry. */
  get complete(): boolean {
    return this.finished.size === this.ask.n
  }

  /** The engine closed. @throws EngineError when it did so before its answer was complete. */
  end(): void {
    if (!this.done) throw new EngineError('cut', 'the answer ended without [DONE]')
    for (let index = 0; index < this.ask.n; index++) {
      if (!this.finished.has(index)) throw new EngineError('cut', 'the answer ended without a finish_reason')
    }
  }

  private event(payload: string): void {
    if (this.done) return
    if (payload === '[DONE]') {
      this.done = true
      return
    }
    const value = parse(payload)
    if (value.error !== undefined && value.error !== null) throw reported(value.error)
    if (!chunk.Check(value))
      throw new EngineError('garbage', `an event is malformed at ${chunk.Errors(value).First()?.path}`)
    const { choices, usage, prompt_token_ids: promptIds } = value
    this.claim.prompt = promptIds?.length ?? usage?.prompt_tokens ?? this.claim.prompt
    this.claim.completion = usage?.completion_tokens ?? this.claim.completion
    for (const choice of choices) this.choice(choice)
  }

  private choice(choice: EngineChoice): void {
    if (choice.index >= this.ask.n) throw new EngineError('garbage', 'the engine sent a choice nobody asked for')
    if (this.finished.has(choice.index)) throw new EngineError('garbage', 'the engine went on after a finish_reason')
    const finish = choice.finish_reason ?? null
    if (finish !== null) {
      if (!finishes.has(finish)) throw new EngineError('engine_error', 'the engine gave up')
      this.finished.add(choice.index)
    }
    const { delta } = choice
    const content = delta?.content ?? choice.text ?? ''
    const offset = this.lengths.get(choice.index) ?? 0
    this.lengths.set(choice.index, offset + content.length)
    this.each({
      index: choice.index,
      content,
      reasoning: delta?.reasoning ?? delta?.reasoning_content ?? '',
      toolCalls: delta?.tool_calls?.length ? delta.tool_calls.map(toolCall) : null,
      logprobs: this.ask.logprobs ? logprobs(this.ask.format, choice.logprobs, offset) : null,
      ids: choice.token_ids ?? null,
      finish: finish as FinishReason | null,
    })
  }
}

function parse(payload: string): { error?: unknown } {
  let value: unknown
  try {
    value = JSON.parse(payload)
  } catch {
    throw new EngineError('garbage', 'an event is not JSON')
  }
  if (typeof value !== 'object' || value === null) throw new EngineError('garbage', 'an event is not an object')
  return value
}

/** Engines that check parameters while they stream already answer 200, and only then say what is wrong. */
function reported(error: unknown): EngineError {
  const status: unknown = typeof error === 'object' && error !== null && 'code' in error ? error.code : null
  if (typeof status === 'number' && blamesRequest(status))
    return new EngineError('refused', 'refused by the engine', status)
  return new EngineError('engine_error', 'the engine reported an error')
}

function toolCall(call: NonNullable<NonNullable<EngineChoice['delta']>['tool_calls']>[number]): ToolCallDelta {
  const delta: ToolCallDelta = { index: call.index }
  if (call.id) Object.assign(delta, { id: call.id, type: 'function' })
  if (call.function) {
    delta.function = {}
    if (call.function.name) delta.function.name = call.function.name
    if (call.function.arguments !== undefined && call.function.arguments !== null)
      delta.function.arguments = call.function.arguments
  }
  return delta
}

function logprobs(format: Ask['format'], value: unknown, offset: number): Piece['logprobs'] {
  if (value === undefined || value === null) return null
  if (format === 'completion' && completionLogprobs.Check(value)) {
    const { tokens, token_logprobs, top_logprobs = null, text_offset } = value
    return { completion: { tokens, token_logprobs, top_logprobs, text_offset: text_offset ?? [] } }
  }
  if (!chatLogprobs.Check(value)) throw new EngineError('garbage', 'logprobs are malformed')
  const chat = (value.content ?? []).map((item) => ({
    ...logprob(item),
    top_logprobs: (item.top_logprobs ?? []).map(logprob),
  }))
  // llama.cpp has one form for both kinds of answers.
  return format === 'chat' ? { chat } : { completion: asCompletion(chat, offset) }
}

function asCompletion(items: readonly TokenLogprob[], offset: number): CompletionLogprobs {
  let next = offset
  return {
    tokens: items.map(({ token }) => token),
    token_logprobs: items.map((item) => item.logprob),
    top_logprobs: items.map((item) => Object.fromEntries(item.top_logprobs.map((top) => [top.token, top.logprob]))),
    text_offset: items.map(({ token }) => (next += token.length) - token.length),
  }
}

function logprob(item: Static<typeof Logprob>) {
  return { token: item.token, logprob: item.logprob, bytes: item.bytes ?? null }
}
