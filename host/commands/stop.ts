import { writeFileSync } from 'node:fs'
import { type Env, sleep } from '../../sdk/env.ts'
import type { Home } from '../config.ts'
import { askControl, HangingError, MOST_GRACE_SECONDS } from '../daemon/control.ts'
import { runningPid } from '../daemon/lock.ts'
import type { Status } from '../daemon/status.ts'
import { HostError } from '../errors.ts'

/** After its grace an agent needs this long at most: goodbyes, and an engine that has to be killed. */
const ENDING_MS = 9_000
/** The GPU is to be free within ten seconds of a `stop --now`, also when the agent itself hangs. */
const HANGING_MS = 2_000
const FORCE_MS = 7_500
const LOOK_MS = 100

export interface StopWorld {
  env: Env
  home: Home
  progress: (text: string) => void
  kill: (pid: number) => void
  /** Ends what a killed agent's engines have left. */
  sweep: () => Promise<void>
}

export interface Stopped {
  state: 'stopped'
  /** False: there was nothing to stop. */
  wasRunning: boolean
}

/**
 * Asks the agent to stop and waits until it is gone. `graceSeconds` 0 means now: an agent that does not go by itself is
 * killed. Undefined: as the start said. @throws HostError when it does not go
 */
export async function stop(world: StopWorld, graceSeconds: number | undefined): Promise<Stopped> {
  const { home, progress } = world
  const now = graceSeconds === 0
  // A launcher does not start again what its owner ended, however that came about.
  markStopped(home)
  const status = await asked(world, graceSeconds)
  if (status === undefined) {
    // An agent that was killed may have left its engine.
    if (runningPid(home) === undefined) await world.sweep()
    return { state: 'stopped', wasRunning: false }
  }
  if (!now && status !== 'hanging' && status.requests > 0)
    progress(`${status.requests} requests are finishing; gpuhost stop --now ends them`)
  const patienceMs = now ? FORCE_MS : (graceSeconds ?? MOST_GRACE_SECONDS) * 1_000 + ENDING_MS
  if (status !== 'hanging' && (await goneWithin(world, patienceMs))) return { state: 'stopped', wasRunning: true }
  const pid = runningPid(home)
  if (pid === undefined) return { state: 'stopped', wasRunning: true }
  if (!now)
    throw new HostError(`The agent (process ${pid}) does not end. End it, and what it has running: gpuhost stop --now`)
  world.kill(pid)
  await world.sweep()
  if (await goneWithin(world, HANGING_MS)) return { state: 'stopped', wasRunning: true }
  throw new HostError(`The agent (process ${pid}) cannot be killed. It may belong to another user.`)
}

/** A full disk is no reason not to stop. */
function markStopped(home: Home): void {
  try {
    writeFileSync(home.stoppingPath, '', { mode: 0o600 })
  } catch {
    // Then a launcher may start an agent again that had to be killed, and status shows it.
  }
}

/** The agent's last word; undefined when there is none. */
async function asked(
  { env, home }: StopWorld,
  graceSeconds: number | undefined,
): Promise<Status | 'hanging' | undefined> {
  const stopWithinMs = graceSeconds === undefined ? undefined : graceSeconds * 1_000
  try {
    return await askControl(env, home.controlPath, { stopWithinMs }, graceSeconds === 0 ? HANGING_MS : undefined)
  } catch (error) {
    if (error instanceof HangingError && graceSeconds === 0) return 'hanging'
    throw error
  }
}

/** The lock says it, not the socket: an agent that hangs answers nothing, and still has the GPU. */
async function goneWithin({ env, home }: StopWorld, withinMs: number): Promise<boolean> {
  const until = env.mono() + withinMs
  while (runningPid(home) !== undefined) {
    if (env.mono() >= until) return false
    await sleep(env, LOOK_MS)
  }
  return true
}
