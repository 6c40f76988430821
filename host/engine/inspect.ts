// What a running OpenAI-compatible server says about itself. Its answers are read with limits: it is the owner's own
// program, but it may be anything that listens on that port.
import type { Env } from '../../sdk/env.ts'
import { HostError } from '../errors.ts'

/** Where a server listens. */
export interface EngineAddress {
  /** E.g. `http://127.0.0.1:8000`, without `/v1`. */
  base: string
  /** A unix socket, instead of the base's host and port. */
  unix?: string
}

export interface ListedModel {
  id: string
  contextTokens?: number
  owner?: string
}

/** A cold engine may load its weights for the first completion. */
const FIRST_COMPLETION_MS = 300_000
const MAX_ANSWER_BYTES = 1024 * 1024

/** `GET /v1/models`. @throws HostError when what answers is no such server, else what the connection throws */
export async function listModels(
  env: Env,
  at: EngineAddress,
  signal: AbortSignal,
  withinMs: number,
): Promise<ListedModel[]> {
  const { status, body } = await call(env, { at, path: '/v1/models', signal, withinMs })
  // Servers that load for long answer 503 meanwhile.
  if (status === 503) throw new Error('it is still loading')
  const data = field(body, 'data')
  if (status !== 200 || !Array.isArray(data))
    throw new HostError(`${at.base}/v1/models answered ${status} without a list of models. Is --engine-url right?`)
  return data.slice(0, 1_000).flatMap((entry: unknown) => {
    const id = field(entry, 'id')
    if (typeof id !== 'string') return []
    // vLLM's word, and llama.cpp's: there it is what one of its slots holds.
    const contextTokens = field(entry, 'max_model_len') ?? field(field(entry, 'meta'), 'n_ctx')
    const owner = field(entry, 'owned_by')
    return {
      id,
      ...(isCount(contextTokens) ? { contextTokens } : {}),
      ...(typeof owner === 'string' && /^[\w.-]{1,40}$/.test(owner) ? { owner } : {}),
    }
  })
}

/** Which of the engine's models is the one to offer. @throws HostError naming what there is */
export function nameFor(model: string, engineModel: string | undefined, listed: ListedModel[]): ListedModel {
  const wanted = engineModel ?? model
  const exact = listed.find(({ id }) => id === wanted)
  if (exact) return exact
  const [only] = listed
  if (only && listed.length === 1 && !engineModel) return only
  const names = listed.map(({ id }) => id.slice(0, 80))
  const offered = names.length > 0 ? `It has: ${names.slice(0, 10).join(', ')}.` : 'It has none loaded.'
  throw new HostError(`The engine has no model "${wanted}". ${offered} Say which with --engine-model NAME.`)
}

/** Three tokens that every vocabulary has, whatever they mean. */
const SOME_IDS = [100, 200, 300]

/**
 * Has one token made for real, so that "ready" means ready, and sees whether a prompt may be token ids.
 * @throws HostError when the engine cannot complete anything
 */
export async function completesOneToken(env: Env, at: EngineAddress, model: string, signal: AbortSignal) {
  const shared = { model, max_tokens: 1, temperature: 0 }
  const tries = [
    { path: '/v1/completions', request: { ...shared, prompt: SOME_IDS }, tokenIds: true },
    // Some servers take only text, and some only chat.
    { path: '/v1/completions', request: { ...shared, prompt: 'Hello' }, tokenIds: false },
    { path: '/v1/chat/completions', request: { ...shared, messages: [{ role: 'user', content: 'Hello' }] } },
  ]
  let last = ''
  for (const { path, request, tokenIds = false } of tries) {
    const { status, body } = await call(env, { at, path, signal, withinMs: FIRST_COMPLETION_MS, request })
    const choices = field(body, 'choices')
    const read = field(field(body, 'usage'), 'prompt_tokens')
    // One that takes the list for a text reads other tokens, and more of them.
    const understood = !tokenIds || read === SOME_IDS.length
    if (status === 200 && Array.isArray(choices) && choices.length > 0 && understood) return { tokenIds }
    last = `${path} answered ${status}`
  }
  throw new HostError(`The engine lists ${model} but completes nothing (${last}). Its own log will say why.`)
}

/** How many requests llama.cpp works on at a time; others do not tell, and null is returned. */
export async function slotsOf(env: Env, at: EngineAddress, signal: AbortSignal): Promise<number | null> {
  const answer = await call(env, { at, path: '/props', signal, withinMs: 5_000 }).catch(() => undefined)
  const slots = field(answer?.body, 'total_slots')
  return isCount(slots) ? slots : null
}

export async function versionOf(env: Env, at: EngineAddress, signal: AbortSignal): Promise<string | null> {
  const answer = await call(env, { at, path: '/version', signal, withinMs: 5_000 }).catch(() => undefined)
  const version = field(answer?.body, 'version')
  return typeof version === 'string' && /^[\w.+-]{1,40}$/.test(version) ? version : null
}

interface Call {
  at: EngineAddress
  path: string
  signal: AbortSignal
  withinMs: number
  request?: object
}

/** One small JSON exchange. A body that is too long, or no JSON, is undefined. */
async function call(
  env: Env,
  { at, path, signal, withinMs, request }: Call,
): Promise<{ status: number; body: unknown }> {
  const late = new AbortController()
  const cancel = env.timer(withinMs, () => late.abort(new Error('it does not answer in time')))
  try {
    const response = await fetch(at.base + path, {
      ...(at.unix === undefined ? {} : { unix: at.unix }),
      method: request ? 'POST' : 'GET',
      headers: { 'content-type': 'application/json' },
      body: request && JSON.stringify(request),
      redirect: 'error',
      timeout: false,
      signal: AbortSignal.any([signal, late.signal]),
    })
    return { status: response.status, body: parsed(await text(response)) }
  } finally {
    cancel()
  }
}

async function text(response: Response): Promise<string> {
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    if (text.length > MAX_ANSWER_BYTES) return ''
  }
  return text
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0
