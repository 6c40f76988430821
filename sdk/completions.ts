// Text completions: the older API, for prompts without roles.
import { AnswerStream } from './answer.ts'
import {
  type AnswerFacts,
  type AskOptions,
  type FinishReason,
  type Sampling,
  type Usage,
  withMaxPrice,
} from './chat.ts'
import type { Answered, Transport } from './request.ts'

export interface CompletionRequest extends Sampling {
  /** Text, or the token ids of one prompt. */
  prompt: string | number[]
  logprobs?: number | null
  /** A hub does not repeat the prompt. */
  echo?: false | null
}

export interface CompletionLogprobs {
  tokens: string[]
  token_logprobs: (number | null)[]
  top_logprobs: (Record<string, number> | null)[] | null
  text_offset: number[]
}

export interface Completion {
  id: string
  object: 'text_completion'
  created: number
  model: string
  choices: { index: number; text: string; logprobs: CompletionLogprobs | null; finish_reason: FinishReason | null }[]
  /** On whole answers always; in a stream only on the last chunk, when asked for. */
  usage?: Usage
  x_gpuhub?: AnswerFacts
}

/** A streamed text completion: its chunks have the shape of whole answers. */
export type CompletionStream = AnswerStream<Completion>

export class Completions {
  constructor(private readonly transport: Transport) {}

  /**
   * Continues a text, whole or with `stream: true` in chunks.
   *
   * @example
   * const answer = await hub.completions.create({ model: 'Qwen/Qwen3-8B', prompt: 'Once upon a time', max_tokens: 50 })
   * console.log(answer.choices[0]?.text)
   */
  create(body: CompletionRequest & { stream: true }, options?: AskOptions): Promise<CompletionStream>
  create(body: CompletionRequest & { stream?: false | null }, options?: AskOptions): Promise<Answered<Completion>>
  create(body: CompletionRequest, options?: AskOptions): Promise<CompletionStream | Answered<Completion>>
  async create(body: CompletionRequest, options: AskOptions = {}): Promise<CompletionStream | Answered<Completion>> {
    const call = { method: 'POST', path: '/v1/completions', body } as const
    if (!body.stream) return this.transport.json<Completion>(call, withMaxPrice(options))
    return new AnswerStream<Completion>(await this.transport.open(call, withMaxPrice(options)), firstText)
  }
}

function firstText(chunk: Completion): string {
  return chunk.choices.find((choice) => choice.index === 0)?.text ?? ''
}
