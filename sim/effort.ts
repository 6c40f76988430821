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
  /** Attempts there were by then, also those whose question never arrived. */
  attempts: number
  /** A first token had come, whether or not it got as far as the network. */
  begun: boolean
  /** The hosts that could be asked then. */
  seated: readonly string[]
}

/** `silentMs`: how long the host of an attempt that failed had said nothing. */
export function gaveUp(hub: Hub, event: string, fields: LogFields, silentMs: number): GaveUp | null {
  const { code, state } = fields
  const so = () => ({
    seated: hub.platform.turns.hosts(VARIANT),
    attempts: Number(fields.attempts ?? fields.attempt),
    begun: typeof fields.firstTokenMs === 'number',
  })
  if (event === 'attempt failed' && code === 'too_long' && silentMs > LONG_SILENCE_MS)
    return { rule: 'a host that hangs is left for another', ...so() }
  if (event === 'request' && state === 'failed' && code === 'upstream_error')
    return { rule: 'nobody gives up while another host could be asked', ...so() }
  return null
}

export function judgeEffort(world: World, visit: Visit, { rule, attempts: made, begun, seated }: GaveUp): void {
  const { attempts, ask, errand, story } = visit
  if (made >= ENOUGH_ATTEMPTS || ((begun || story.begun) && !(ask.plain && errand.failover))) return
  const asked = new Set(attempts.map(({ hostId }) => hostId))
  if (seated.some((hostId) => !asked.has(hostId)))
    world.broken(rule, `${ask.tag}: asked ${[...asked].join(', ')} of ${seated.join(', ')}`)
}
