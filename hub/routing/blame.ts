// What a failure says about the seat it happened on. The client's and the hub's own never count; an owner who stops in
// good order is no failure; a lost link is one, however many answers it carried.
import type { Failure } from '../tunnel/link.ts'

export type Blame =
  | 'nobody'
  /** The seat's: one of three. */
  | 'seat'
  /** The link's: one of three, once. */
  | 'link'
  /** Too slow. When most are, it is the load. */
  | 'slow'
  /** The seat cannot serve for a while, and said so. */
  | 'broken'

const SLOW = new Set(['first_token_timeout', 'gap_timeout', 'too_long', 'refused:full', 'status_429', 'status_503'])
const GOODBYES = new Set(['refused:draining', 'stopping', 'left'])
/** A host that is gone is told apart from one that only paused, when its link ends. */
const PAUSED = 'quiet'
/** The hub's own doing, for reasons that have nothing to do with how well it served. */
const SHUT_OUT = new Set(['bad_token', 'locked'])

/** `draining`: the host has said, before this, that it takes nothing new. A goodbye of one that has not is a failure. */
export function blameFor(failure: Failure, host: { draining: boolean }): Blame {
  const { class: whose, code } = failure
  if (whose === 'client' || whose === 'hub' || code === PAUSED || SHUT_OUT.has(code)) return 'nobody'
  if (tookItsLeave(failure, host)) return 'nobody'
  if (whose === 'network') return 'link'
  if (code === 'out_of_memory') return 'broken'
  return SLOW.has(code) ? 'slow' : 'seat'
}

/** Its owner wants the card back, and said so first: nothing has failed there. */
export function tookItsLeave({ class: whose, code }: Failure, { draining }: { draining: boolean }): boolean {
  return whose === 'host' && draining && GOODBYES.has(code)
}
