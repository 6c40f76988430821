// What of an ask decides how far its answer can be rescued when a host fails in the middle of it.
import type { Ask } from './ask.ts'

export interface Traits {
  chat: boolean
  /** More than one choice. */
  several: boolean
  logprobs: boolean
  /** The engine follows a grammar, which begins anew wherever it is asked to go on. */
  structured: boolean
  tools: boolean
  stops: readonly string[]
}

export function traitsOf({ format, n, logprobs, engine }: Ask): Traits {
  const { response_format: form, tools, tool_choice: choice, stop } = engine
  return {
    chat: format === 'chat',
    several: n > 1,
    logprobs,
    structured: form !== undefined || choice === 'required' || typeof choice === 'object',
    tools: tools !== undefined,
    stops: typeof stop === 'string' ? [stop] : Array.isArray(stop) ? (stop as string[]) : [],
  }
}
