import type { Env } from '../../sdk/env.ts'
import type { Home } from '../config.ts'
import { askControl, goneWithin } from '../daemon/control.ts'
import { lastPid } from '../daemon/lock.ts'
import { HostError } from '../errors.ts'

/** A stop that should come at once is given this long; then something is wrong. */
const NOW_MS = 10_000
/** The longest drain a start accepts, and some room. */
const DRAIN_MS = 3_700_000

export interface Stopped {
  state: 'stopped'
  /** False: there was nothing to stop. */
  wasRunning: boolean
}

/** Asks the agent to stop and waits until it is gone. @throws HostError when it does not go */
export async function stop(env: Env, home: Home, now: boolean, progress: (text: string) => void): Promise<Stopped> {
  const status = await askControl(env, home.controlPath, now ? '/stop-now' : '/stop')
  if (!status) return { state: 'stopped', wasRunning: false }
  if (!now && status.requests > 0) progress(`${status.requests} requests are finishing; gpuhost stop --now ends them`)
  if (!(await goneWithin(env, home.controlPath, now ? NOW_MS : DRAIN_MS)))
    throw new HostError(`The agent does not end. Its process is ${lastPid(home) ?? status.pid}: kill it by hand.`)
  return { state: 'stopped', wasRunning: true }
}
