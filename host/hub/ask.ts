// One small question to a hub over HTTP, within a time and a size.
import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Env } from '../../sdk/env.ts'
import { HostError, printable, reason } from '../errors.ts'

export interface Question {
  /** As `httpAddress` gives it. */
  hub: string
  path: string
  body?: unknown
  headers?: Record<string, string>
}

const ANSWER_MS = 20_000
const MOST_BYTES = 2 * 1024 * 1024

export interface HubAnswer {
  status: number
  body: unknown
}

/** @throws HostError when the hub cannot be reached, or does not answer in JSON */
export async function askHub(env: Env, { hub, path, body, headers = {} }: Question): Promise<HubAnswer> {
  const late = new AbortController()
  const cancel = env.timer(ANSWER_MS, () => late.abort(new Error('it does not answer')))
  try {
    const response = await fetch(hub + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? headers : { 'content-type': 'application/json', ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
      // A token goes to the hub that was named, and nowhere else.
      redirect: 'error',
      signal: late.signal,
    })
    return { status: response.status, body: parsed(await limited(response)) }
  } catch (error) {
    throw new HostError(
      `The hub at ${hub} cannot be reached: ${printable(reason(error))}. Check the address and the network.`,
    )
  } finally {
    cancel()
  }
}

/** What a hub says is checked against what it should say. @throws HostError */
export function understood<T extends TSchema>(schema: T, { hub }: Question, { status, body }: HubAnswer): Static<T> {
  if (status === 200 && Value.Check(schema, body)) return body
  throw new HostError(
    refusalOf(body) ?? `${hub} answered ${status} in words this program does not know. Is it a gpuhub?`,
  )
}

/** The hub's own sentence for people. */
export function refusalOf(body: unknown): string | undefined {
  const error = (body as { error?: { message?: unknown } } | undefined)?.error
  return typeof error?.message === 'string' ? printable(error.message).slice(0, 300) : undefined
}

async function limited(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    if (text.length > MOST_BYTES) throw new Error('its answer is too long')
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
