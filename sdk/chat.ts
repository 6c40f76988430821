// Chat completions: the shapes of OpenAI's API that a hub speaks, and the method that asks for them.
import { AnswerStream } from './answer.ts'
import { type Answered, type RequestOptions, type Transport } from './request.ts'

export interface TextPart {
  type: 'text'
  text: string
}

export interface ToolCall {
  id: string
  type: 'function'
  /** `arguments` is JSON, written by the model: parse it with care. */
  function: { name: string; arguments: string }
}

export type ChatMessage =
  | { role: 'system' | 'developer' | 'user'; content: string | TextPart[]; name?: string | null }
  | {
      role: 'assistant'
      content?: string | TextPart[] | null
      reasoning_content?: string | null
      name?: string | null
      tool_calls?: ToolCall[] | null
    }
  | { role: 'tool'; content: string | TextPart[]; tool_call_id: string }

export interface Tool {
  type: 'function'
  function: {
    name: string
    description?: string | null
    /** JSON schema of the arguments. */
    parameters?: Record<string, unknown> | null
    strict?: boolean | null
  }
}

export type ToolChoice = 'none' | 'auto' | 'required' | { type: 'function'; function: { name: string } }

export type ResponseFormat =
  | { type: 'text' }
  | { type: 'json_object' }
  | {
      type: 'json_schema'
      json_schema: {
        name: string
        description?: string | null
        strict?: boolean | null
        schema?: Record<string, unknown> | null
      }
    }

/** What chat and text completions have in common. */
export interface Sampling {
  /** A model (`Qwen/Qwen3-8B`) or one of its variants (`Qwen/Qwen3-8B:fp8`). */
  model: string
  stream?: boolean | null
  /** `include_usage`: the last chunk carries the tokens and their cost. */
  stream_options?: { include_usage?: boolean | null } | null
  /** Tokens of the answer at most. Without it, credit for the longest answer possible is set aside while it runs. */
  max_tokens?: number | null
  /** 0 to 2. */
  temperature?: number | null
  /** 0 to 1. */
  top_p?: number | null
  top_k?: number | null
  min_p?: number | null
  /** Answers wanted, 1 to 4; each is billed. */
  n?: number | null
  stop?: string | string[] | null
  seed?: number | null
  presence_penalty?: number | null
  frequency_penalty?: number | null
  repetition_penalty?: number | null
  logit_bias?: Record<string, number> | null
  user?: string | null
}

export interface ChatRequest extends Sampling {
  messages: ChatMessage[]
  /** The newer name of `max_tokens`. */
  max_completion_tokens?: number | null
  tools?: Tool[] | null
  tool_choice?: ToolChoice | null
  parallel_tool_calls?: boolean | null
  response_format?: ResponseFormat | null
  logprobs?: boolean | null
  top_logprobs?: number | null
  reasoning_effort?: string | null
}

/** Tokens of one answer, counted by the hub, and what they cost in USD, equal to the ledger. */
export interface Usage {
  prompt_tokens: number
  completion_tokens: number
  total_tokens: number
  cost: number
}

/** What gpuhub adds to an answer, once, on the body or on the last chunk with a choice. */
export interface AnswerFacts {
  request_id: string
  /** Opaque: the same host has the same name in all answers to one account. */
  host: string
  precision: string
  /** Hosts asked for this answer. */
  attempts: number
  /** How often it went on with another host after it had begun. */
  resumed: number
}

export type FinishReason = 'stop' | 'length' | 'tool_calls' | 'content_filter'

export interface ToolCallDelta {
  index: number
  id?: string
  type?: 'function'
  function?: { name?: string; arguments?: string }
}

export interface TokenLogprob {
  token: string
  logprob: number
  bytes: number[] | null
  top_logprobs: { token: string; logprob: number; bytes: number[] | null }[]
}

export interface ChatDelta {
  role?: 'assistant'
  content?: string | null
  reasoning?: string | null
  reasoning_content?: string | null
  tool_calls?: ToolCallDelta[]
}

export interface ChatChunk {
  id: string
  object: 'chat.completion.chunk'
  created: number
  model: string
  choices: {
    index: number
    delta: ChatDelta
    logprobs?: { content: TokenLogprob[] | null } | null
    finish_reason: FinishReason | null
  }[]
  usage?: Usage | null
  x_gpuhub?: AnswerFacts
}

export interface ChatCompletion {
  id: string
  object: 'chat.completion'
  created: number
  model: string
  choices: {
    index: number
    message: {
      role: 'assistant'
      content: string | null
      reasoning?: string | null
      reasoning_content?: string | null
      tool_calls?: ToolCall[]
      refusal: null
    }
    logprobs: { content: TokenLogprob[] | null } | null
    finish_reason: FinishReason
  }[]
  usage: Usage
  x_gpuhub: AnswerFacts
}

/** A streamed chat answer. */
export type ChatStream = AnswerStream<ChatChunk>

/** What methods that ask a model take as their last argument. */
export interface AskOptions extends RequestOptions {
  /** Refuses (402 `price_above_max`) instead of paying more. USD per million tokens, for example `'0.10'`. */
  maxPrice?: { prompt?: string; completion?: string }
}

/** `hub.chat`, laid out as in OpenAI's client. */
export class Chat {
  readonly completions: ChatCompletions

  constructor(transport: Transport) {
    this.completions = new ChatCompletions(transport)
  }
}

export class ChatCompletions {
  constructor(private readonly transport: Transport) {}

  /**
   * Asks a model, and returns the whole answer, or with `stream: true` its chunks as they are written.
   *
   * @throws GpuHubError of the class for what went wrong; the signal's reason when you aborted.
   * @example
   * const answer = await hub.chat.completions.create({
   *   model: 'Qwen/Qwen3-8B',
   *   messages: [{ role: 'user', content: 'Name three rivers.' }],
   *   max_tokens: 100,
   * })
   * console.log(answer.choices[0]?.message.content, answer.usage.cost)
   *
   * @example
   * const stream = await hub.chat.completions.create({ model, messages, stream: true })
   * for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? '')
   */
  create(body: ChatRequest & { stream: true }, options?: AskOptions): Promise<ChatStream>
  create(body: ChatRequest & { stream?: false | null }, options?: AskOptions): Promise<Answered<ChatCompletion>>
  create(body: ChatRequest, options?: AskOptions): Promise<ChatStream | Answered<ChatCompletion>>
  async create(body: ChatRequest, options: AskOptions = {}): Promise<ChatStream | Answered<ChatCompletion>> {
    const call = { method: 'POST', path: '/v1/chat/completions', body } as const
    if (!body.stream) return this.transport.json<ChatCompletion>(call, withMaxPrice(options))
    return new AnswerStream<ChatChunk>(await this.transport.open(call, withMaxPrice(options)), firstText)
  }
}

/** Turns the maximum price into the headers a hub reads it from. */
export function withMaxPrice({ maxPrice, ...options }: AskOptions): RequestOptions {
  const headers: Record<string, string> = {}
  if (maxPrice?.prompt !== undefined) headers['x-gpuhub-max-price-prompt'] = maxPrice.prompt
  if (maxPrice?.completion !== undefined) headers['x-gpuhub-max-price-completion'] = maxPrice.completion
  return { ...options, headers: { ...headers, ...options.headers } }
}

function firstText(chunk: ChatChunk): string {
  return chunk.choices.find((choice) => choice.index === 0)?.delta.content ?? ''
}
