// What an engine is asked: the request as it came, or to go on in the middle of its answer.
import type { EnginePath } from '../../sdk/wire/frames.ts'
import type { Ask } from './ask.ts'
import type { EngineReader } from './engine.ts'
import type { RawReader } from './raw.ts'

export interface Question {
  ask: { path: EnginePath; body: Uint8Array }
  reads: ConstructorParameters<typeof EngineReader>[0]
  /** Where the answer comes unparsed. */
  raw: RawReader | null
}

/** What every question carries. */
export interface Terms {
  model: string
  maxTokens: number
  cacheSalt: string
}

/** What an engine is told about how to choose tokens: the same in any path. */
const CHOOSING = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'repetition_penalty',
  'logit_bias',
] as const

export function asItCame(ask: Ask, terms: Terms): Question {
  return { ask: { path: ask.path, body: body({ ...ask.engine }, terms) }, reads: ask, raw: null }
}

/** `ids` are those of the prompt, template included, and of the answer so far. */
export function goOnByIds(ask: Ask, ids: readonly number[], raw: RawReader | null, terms: Terms): Question {
  const choosing = Object.fromEntries(
    CHOOSING.flatMap((name) => (name in ask.engine ? [[name, ask.engine[name]]] : [])),
  )
  return {
    ask: { path: '/v1/completions', body: body({ ...choosing, prompt: ids }, terms) },
    reads: { n: 1, logprobs: false, format: 'completion' },
    raw,
  }
}

/** `promptIds` and `saidIds` only where the prompt itself is ids. */
export function goOnByText(ask: Ask, text: string, saidIds: readonly number[], terms: Terms): Question {
  const { engine } = ask
  const messages = Array.isArray(engine.messages) ? (engine.messages as unknown[]) : null
  const goingOn = messages
    ? {
        messages: [...messages, { role: 'assistant', content: text }],
        add_generation_prompt: false,
        continue_final_message: true,
      }
    : {
        prompt: typeof engine.prompt === 'string' ? engine.prompt + text : [...(engine.prompt as number[]), ...saidIds],
      }
  return { ask: { path: ask.path, body: body({ ...engine, ...goingOn }, terms) }, reads: ask, raw: null }
}

function body(words: Record<string, unknown>, { model, maxTokens, cacheSalt }: Terms): Uint8Array {
  return new TextEncoder().encode(
    JSON.stringify({
      ...words,
      model,
      max_tokens: maxTokens,
      stream: true,
      stream_options: { include_usage: true, continuous_usage_stats: true },
      return_token_ids: true,
      cache_salt: cacheSalt,
    }),
  )
}
