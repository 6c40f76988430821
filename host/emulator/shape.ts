// The bytes of vLLM's answers: chunks of a stream, whole bodies, errors.
import { decode, encodeBytes, mark, vocabularySize } from '../../sdk/wire/vocabulary.ts'
import type { Conduct } from './conduct.ts'
import type { Order } from './order.ts'
import type { Shown, Step } from './voice.ts'

export interface Head {
  id: string
  created: number
  model: string
}

export interface Claim {
  prompt: number
  completion: number
}

export function usageOf(claim: Claim): object {
  return {
    prompt_tokens: claim.prompt,
    total_tokens: claim.prompt + claim.completion,
    completion_tokens: claim.completion,
    prompt_tokens_details: null,
  }
}

export function errorBody(status: number, message: string, param: string | null = null): object {
  const type =
    status === 404
      ? 'NotFoundError'
      : status === 401
        ? 'Unauthorized'
        : status < 500
          ? 'BadRequestError'
          : 'InternalServerError'
  return { error: { message, type, param, code: status } }
}

export const event = (value: unknown): string => `data: ${JSON.stringify(value)}\n\n`
export const DONE = 'data: [DONE]\n\n'

/** The ids an engine of this conduct says it produced. */
export function reportedIds(steps: readonly Step[], conduct: Conduct): number[] | null {
  const ids = steps.map((step) => step.id)
  if (conduct.tokenIds === 'none') return null
  if (conduct.tokenIds === 'bytes') return ids.flatMap((id) => (id === mark.end ? [id] : encodeBytes(decode([id]))))
  if (conduct.tokenIds === 'wrong') return ids.map((id) => (id === mark.end ? id : (id + 1) % vocabularySize()))
  return ids
}

interface ChunkParts {
  index: number
  steps: readonly Step[]
  ids: number[] | null
  usage: Claim | null
}

/** Chunk that opens a chat stream. */
export function roleChunk(head: Head, order: Order, index: number, usage: Claim | null): object {
  return {
    ...envelope('chat.completion.chunk', head),
    choices: [{ index, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }],
    ...(order.returnTokenIds ? { prompt_token_ids: order.prompt } : {}),
    ...(usage ? { usage: usageOf(usage) } : {}),
  }
}

/** One chunk for the tokens said since the last one. */
export function chunk(head: Head, order: Order, parts: ChunkParts): object {
  const { steps, index } = parts
  const last = steps.at(-1)
  const ending = { finish_reason: last?.finish ?? null, stop_reason: last?.stopReason ?? null }
  const shown = steps.flatMap((step) => step.shown)
  const choice =
    order.kind === 'chat'
      ? { index, delta: deltaOf(shown), logprobs: chatLogprobs(order, steps), ...ending }
      : { index, text: contentOf(shown), logprobs: completionLogprobs(order, steps), ...ending }
  return {
    ...envelope(order.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion', head),
    choices: [{ ...choice, ...(parts.ids ? { token_ids: parts.ids } : {}) }],
    ...(parts.usage ? { usage: usageOf(parts.usage) } : {}),
  }
}

export function usageChunk(head: Head, order: Order, claim: Claim): object {
  const object = order.kind === 'chat' ? 'chat.completion.chunk' : 'text_completion'
  return { ...envelope(object, head), choices: [], usage: usageOf(claim) }
}

/** A whole answer: all steps of each choice. */
export function whole(head: Head, order: Order, choices: readonly Step[][], conduct: Conduct, claim: Claim): object {
  const ids = (steps: readonly Step[]) => (order.returnTokenIds ? { token_ids: reportedIds(steps, conduct) } : {})
  const ending = (steps: readonly Step[]) => ({
    finish_reason: steps.at(-1)?.finish ?? 'stop',
    stop_reason: steps.at(-1)?.stopReason ?? null,
  })
  if (order.kind === 'chat')
    return {
      ...envelope('chat.completion', head),
      choices: choices.map((steps, index) => ({
        index,
        message: messageOf(steps.flatMap((step) => step.shown)),
        logprobs: chatLogprobs(order, steps),
        ...ending(steps),
        ...ids(steps),
      })),
      usage: usageOf(claim),
      prompt_logprobs: null,
      prompt_token_ids: order.returnTokenIds ? order.prompt : null,
      kv_transfer_params: null,
    }
  return {
    ...envelope('text_completion', head),
    choices: choices.map((steps, index) => ({
      index,
      text: contentOf(steps.flatMap((step) => step.shown)),
      logprobs: completionLogprobs(order, steps),
      ...ending(steps),
      prompt_logprobs: null,
      ...(order.returnTokenIds ? { prompt_token_ids: order.prompt } : {}),
      ...ids(steps),
    })),
    usage: usageOf(claim),
  }
}

function envelope(object: string, head: Head): object {
  return { id: head.id, object, created: head.created, model: head.model }
}

function contentOf(shown: readonly Shown[]): string {
  return shown.map(({ field, text }) => (field.kind === 'content' ? text : '')).join('')
}

function deltaOf(shown: readonly Shown[]): object {
  const calls = shown.flatMap(({ field, text, first }) => {
    if (field.kind !== 'call') return []
    if (!first) return [{ index: field.index, function: { arguments: text } }]
    return [{ index: field.index, id: field.id, type: 'function', function: { name: field.name, arguments: text } }]
  })
  if (calls.length > 0) return { tool_calls: calls }
  const reasoning = shown.map(({ field, text }) => (field.kind === 'reasoning' ? text : '')).join('')
  const content = contentOf(shown)
  return reasoning === '' ? { content } : content === '' ? { reasoning } : { reasoning, content }
}

function messageOf(shown: readonly Shown[]): object {
  const calls: { id: string; type: 'function'; function: { name: string; arguments: string } }[] = []
  let reasoning = ''
  for (const { field, text, first } of shown) {
    if (field.kind === 'reasoning') reasoning += text
    if (field.kind !== 'call') continue
    if (first) calls.push({ id: field.id, type: 'function', function: { name: field.name, arguments: text } })
    else calls[field.index]!.function.arguments += text
  }
  const content = contentOf(shown)
  return {
    role: 'assistant',
    content: content === '' && calls.length > 0 ? null : content,
    refusal: null,
    annotations: null,
    audio: null,
    function_call: null,
    tool_calls: calls,
    reasoning: reasoning === '' ? null : reasoning,
  }
}

interface Candidate {
  token: string
  logprob: number
  bytes: number[]
}

/** The token said and `count` alternatives, most probable first: plausible, and the same each time for the same ids. */
function candidates(step: Step, count: number): Candidate[] {
  const size = vocabularySize()
  const first = -0.002 * (1 + (step.draw % 400))
  let left = 1 - Math.exp(first)
  return Array.from({ length: count + 1 }, (_, rank) => {
    const id = rank === 0 ? step.id : 272 + ((step.draw + rank * 104_729) % (size - 272))
    const logprob = rank === 0 ? first : Math.log((left *= 0.5))
    const token = decode([id])
    return { token, logprob, bytes: [...new TextEncoder().encode(token)] }
  })
}

function chatLogprobs(order: Order, steps: readonly Step[]): object | null {
  const { logprobs } = order
  if (logprobs === null) return null
  const content = steps.map((step) => {
    const [said, ...others] = candidates(step, logprobs)
    return { ...said, top_logprobs: logprobs === 0 ? [] : [said, ...others].slice(0, logprobs) }
  })
  return { content }
}

function completionLogprobs(order: Order, steps: readonly Step[]): object | null {
  const { logprobs } = order
  if (logprobs === null) return null
  const all = steps.map((step) => candidates(step, logprobs))
  let offset = 0
  return {
    text_offset: all.map(([said]) => (offset += said!.token.length) - said!.token.length),
    token_logprobs: all.map(([said]) => said!.logprob),
    tokens: all.map(([said]) => said!.token),
    top_logprobs: all.map((list) => Object.fromEntries(list.map(({ token, logprob }) => [token, logprob]))),
  }
}
