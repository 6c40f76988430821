// Whether a hub has done what it could for a request, by what it knew when it gave up.
import type { Hub } from '../hub/hub.ts'
import type { LogFields } from '../hub/log.ts'
import type { Visit } from './visit.ts'
import type { World } from './world.ts'

export const VARIANT = 'gpuhub/emulator:emulated'
/** So many hosts may fail a request; after that it may be the request. */
const ENOUGH_ATTEMPTS = 3

/** Longer than any watchdog waits where somebody else could be asked. */
const LONG_SILENCE_MS = 15_000

/** A hub gave up a request, or waited for one host as long as the request may live. */
export interface GaveUp {
  rule: string
  /** The hosts that could be asked then. */
  seated: readonly string[]
}

/** `silentMs`: how long the host of an attempt that failed had said nothing. */
export function gaveUp(hub: Hub, event: string, { code, state }: LogFields, silentMs: number): GaveUp | null {
  const seated = () => hub.platform.turns.hosts(VARIANT)
  if (event === 'attempt failed' && code === 'too_long' && silentMs > LONG_SILENCE_MS)
    return { rule: 'a host that hangs is left for another', seated: seated() }
  if (event === 'request' && state === 'failed' && code === 'upstream_error')
    return { rule: 'nobody gives up while another host could be asked', seated: seated() }
  return null
}

export function judgeEffort(world: World, { attempts, ask, errand, story }: Visit, { rule, seated }: GaveUp): void {
  if (attempts.length >= ENOUGH_ATTEMPTS || (story.begun && !(ask.plain && errand.failover))) return
  const asked = new Set(attempts.map(({ hostId }) => hostId))
  if (seated.some((hostId) => !asked.has(hostId)))
    world.broken(rule, `${ask.tag}: asked ${[...asked].join(', ')} of ${seated.join(', ')}`)
}
