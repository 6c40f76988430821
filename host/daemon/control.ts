// How `gpuhost status` and `gpuhost stop` speak to the agent: HTTP over a unix socket only its owner can open.
import { chmodSync, rmSync } from 'node:fs'
import { type Env, sleep } from '../../sdk/env.ts'
import { HostError, reason } from '../errors.ts'
import type { Status } from './status.ts'

export interface Control {
  status(): Status
  stop(how: 'soon' | 'now'): void
}

/** Opens the socket; call it only while holding the home's lock: a socket left behind by a crash is replaced. */
export function openControl(path: string, control: Control): () => Promise<void> {
  rmSync(path, { force: true })
  const server = Bun.serve({
    unix: path,
    maxRequestBodySize: 1_024,
    routes: {
      '/status': { GET: () => Response.json(control.status()) },
      '/stop': { POST: () => stopped(control, 'soon') },
      '/stop-now': { POST: () => stopped(control, 'now') },
    },
    fetch: () => new Response('unknown\n', { status: 404 }),
  })
  chmodSync(path, 0o600)
  return async () => {
    await server.stop(true)
    rmSync(path, { force: true })
  }
}

function stopped(control: Control, how: 'soon' | 'now'): Response {
  control.stop(how)
  return Response.json(control.status())
}

const ANSWER_MS = 5_000

/** Asks a running agent. Undefined: none is running. @throws HostError when one runs but does not answer */
export async function askControl(
  env: Env,
  path: string,
  what: '/status' | '/stop' | '/stop-now',
): Promise<Status | undefined> {
  const late = new AbortController()
  const cancel = env.timer(ANSWER_MS, () => late.abort(new Error('no answer')))
  try {
    const response = await fetch(`http://gpuhost${what}`, {
      unix: path,
      method: what === '/status' ? 'GET' : 'POST',
      signal: late.signal,
    })
    if (!response.ok) throw new HostError(`The running agent is of another version (${response.status}).`)
    // Both ends are this very program; the socket is its owner's alone.
    return (await response.json()) as Status
  } catch (error) {
    if (error instanceof HostError) throw error
    if (late.signal.aborted) throw new HostError('The agent is running but does not answer. Its process may hang.')
    if (isGone(error)) return undefined
    throw new HostError(`The agent cannot be asked: ${reason(error)}.`)
  } finally {
    cancel()
  }
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

/** Waits until no agent answers. False: it still did after `withinMs`. */
export async function goneWithin(env: Env, path: string, withinMs: number): Promise<boolean> {
  const until = env.mono() + withinMs
  while (await askControl(env, path, '/status')) {
    if (env.mono() >= until) return false
    await sleep(env, 100)
  }
  return true
}
