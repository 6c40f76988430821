// How `gpuhost status` and `gpuhost stop` speak to the agent: HTTP over a unix socket only its owner can open.
import { chmodSync, rmSync } from 'node:fs'
import type { Env } from '../../sdk/env.ts'
import { HostError, reason } from '../errors.ts'
import type { Status } from './status.ts'

export interface Control {
  status(): Status
  /** What runs may take `graceMs`, or as long as the start allowed. */
  stop(graceMs: number | undefined): void
  /** Starts the newer program that is in place now; false: there is none. */
  renew(): boolean
}

/** Opens the socket; call it only while holding the home's lock: a socket left behind by a crash is replaced. */
export function openControl(path: string, control: Control): () => Promise<void> {
  rmSync(path, { force: true })
  const server = Bun.serve({
    unix: path,
    maxRequestBodySize: 1_024,
    routes: {
      '/status': { GET: () => Response.json(control.status()) },
      '/stop': {
        POST: async (request) => {
          control.stop(graceOf(await request.text()))
          return Response.json(control.status())
        },
      },
      '/renewal': {
        POST: () => {
          control.renew()
          return Response.json(control.status())
        },
      },
    },
    fetch: () => new Response('unknown\n', { status: 404 }),
  })
  chmodSync(path, 0o600)
  return async () => {
    await server.stop(true)
    rmSync(path, { force: true })
  }
}

/** Longest grace a stop can be given. */
export const MOST_GRACE_SECONDS = 3_600

/** `{"graceMs": 5000}`, or nothing at all. */
function graceOf(body: string): number | undefined {
  if (body === '') return undefined
  const { graceMs } = JSON.parse(body) as { graceMs?: unknown }
  return typeof graceMs === 'number' && graceMs >= 0 && graceMs <= MOST_GRACE_SECONDS * 1_000 ? graceMs : undefined
}

/** The agent is there, and does nothing. */
export class HangingError extends HostError {}

const ANSWER_MS = 5_000

export type Question = 'status' | 'renewal' | { stopWithinMs: number | undefined }

/** Asks a running agent. Undefined: none is running. @throws HostError when one runs but does not answer */
export async function askControl(
  env: Env,
  path: string,
  what: Question,
  answerMs = ANSWER_MS,
): Promise<Status | undefined> {
  const late = new AbortController()
  const cancel = env.timer(answerMs, () => late.abort(new Error('no answer')))
  try {
    const response = await fetch(`http://gpuhost/${typeof what === 'string' ? what : 'stop'}`, {
      unix: path,
      signal: late.signal,
      ...(what === 'status' ? {} : { method: 'POST' }),
      ...(typeof what === 'string' ? {} : { body: graceText(what.stopWithinMs) }),
    })
    if (!response.ok) throw new HostError(`The running agent is of another version (${response.status}).`)
    // Both ends are this very program; the socket is its owner's alone.
    return (await response.json()) as Status
  } catch (error) {
    if (error instanceof HostError) throw error
    if (late.signal.aborted) throw new HangingError('The agent is running but does not answer. Its process may hang.')
    if (isGone(error)) return undefined
    throw new HostError(`The agent cannot be asked: ${reason(error)}.`)
  } finally {
    cancel()
  }
}

function graceText(graceMs: number | undefined): string {
  return graceMs === undefined ? '' : JSON.stringify({ graceMs })
}

function isGone(error: unknown): boolean {
  const code = (error as { code?: unknown }).code
  return [
    'ConnectionRefused',
    'FailedToOpenSocket',
    'ECONNREFUSED',
    'ENOENT',
    'ECONNRESET',
    'ConnectionClosed',
  ].includes(String(code))
}
