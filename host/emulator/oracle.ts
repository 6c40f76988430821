// What the emulated model says to a request, computed without a server: the truth that tests compare with.
import { EMULATED_MODEL, mark } from '../../sdk/wire/vocabulary.ts'
import { type Path, readOrder } from './order.ts'
import { type Finish, Voice } from './voice.ts'

export interface Truth {
  /** The prompt's token ids, template included. */
  prompt: number[]
  /** The answer's token ids, without the mark that ends it. Raw: with what a parser takes out of tool calls. */
  ids: number[]
  /** The visible content. */
  text: string
  reasoning: string
  toolCalls: { id: string; name: string; arguments: string }[]
  finish: Finish
}

export interface OracleOptions {
  seed?: number
  model?: string
  contextTokens?: number
  reasons?: boolean
  /** Which of `n` answers. */
  choice?: number
}

export const DEFAULT_SEED = 1
export const DEFAULT_CONTEXT_TOKENS = 32_768

/** `request` is the body of a chat request or, when it has a `prompt`, of a completion. @throws EngineError */
export function oracle(request: object, options: OracleOptions = {}): Truth {
  const path: Path = 'prompt' in request ? '/v1/completions' : '/v1/chat/completions'
  const { model = EMULATED_MODEL, contextTokens = DEFAULT_CONTEXT_TOKENS } = options
  const order = readOrder(path, request, { model, contextTokens })
  const { seed = DEFAULT_SEED, reasons = false, choice = 0 } = options
  const voice = new Voice(order, { seed, reasons, overGenerateTokens: 0, emptyAnswer: false }, choice)
  const truth: Truth = { prompt: order.prompt, ids: [], text: '', reasoning: '', toolCalls: [], finish: 'stop' }
  for (let step = voice.next(); step; step = voice.next()) {
    if (step.id !== mark.end) truth.ids.push(step.id)
    truth.finish = step.finish ?? truth.finish
    for (const { field, text, first } of step.shown) {
      if (field.kind === 'content') truth.text += text
      else if (field.kind === 'reasoning') truth.reasoning += text
      else if (first) truth.toolCalls.push({ id: field.id, name: field.name, arguments: text })
      else truth.toolCalls[field.index]!.arguments += text
    }
  }
  return truth
}
