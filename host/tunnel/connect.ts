// The outbound loop to one hub: dial, stay linked, and when the link is lost dial again, later each time.
import type { Cancel } from '../../sdk/env.ts'
import { closeCode, type Welcome, type Wish } from '../../sdk/wire/frames.ts'
import { backoffMs } from './backoff.ts'
import { type Ending, type LinkWorld, Session } from './session.ts'

/** A link that held this long was a good one: the next dial starts from the shortest wait again. */
const STEADY_MS = 10_000

export type LinkState =
  | { state: 'dialing' }
  | { state: 'linked'; hub: string; host: string; linkedSeconds: number }
  | { state: 'waiting'; why: string }
  | { state: 'ended'; why: string; code: string }

export interface LinkEvents {
  linked(welcome: Welcome): void
  wish(wish: Wish['wish'], why: string): void
  /** The deployment has other hubs than the welcome said. */
  hubs(addresses: readonly string[]): void
  /** The hub sends nothing new. */
  unregistered(): void
  /** The link is down and will be dialled again in `retryMs`. */
  lost(why: string, retryMs: number): void
  /** The hub said that trying again will not help. */
  ended(why: string, code: string): void
}

export class HubLink {
  private session: Session | undefined
  private current: LinkState = { state: 'dialing' }
  private linkedAt = 0
  private failures = 0
  private redial: Cancel | undefined
  private closed = false
  private hubId: string | undefined

  constructor(
    readonly address: string,
    private readonly world: LinkWorld,
    private readonly events: LinkEvents,
  ) {
    this.dial()
  }

  state(): LinkState {
    const { current } = this
    return current.state === 'linked' ? { ...current, linkedSeconds: Math.floor(this.linkedMs() / 1_000) } : current
  }

  /** The hub at the other end, as of the last welcome. */
  hub(): string | undefined {
    return this.hubId
  }

  announce(): void {
    this.session?.announce()
  }

  /** No request can come over this link any more. */
  unregistered(): boolean {
    return this.session?.unregistered() ?? true
  }

  handBack(): void {
    this.session?.handBack()
  }

  backlog(): number {
    return this.session?.backlog() ?? 0
  }

  /** For good; no event follows. */
  close(why: string): void {
    this.closed = true
    this.redial?.()
    this.session?.quit(closeCode.stopping, why)
  }

  private dial(): void {
    this.current = { state: 'dialing' }
    this.session = new Session(this.world, this.address, {
      welcomed: (welcome) => this.linked(welcome),
      wish: (wish, why) => this.events.wish(wish, why),
      hubs: (addresses) => this.events.hubs(addresses),
      unregistered: () => this.events.unregistered(),
      ended: (ending) => this.ended(ending),
    })
  }

  private linked(welcome: Welcome): void {
    const { hub, host } = welcome
    this.hubId = hub
    this.linkedAt = this.world.env.mono()
    this.current = { state: 'linked', hub, host, linkedSeconds: 0 }
    this.events.linked(welcome)
  }

  private linkedMs(): number {
    return this.world.env.mono() - this.linkedAt
  }

  private ended(ending: Ending): void {
    const { env } = this.world
    if (this.current.state === 'linked' && this.linkedMs() >= STEADY_MS) this.failures = 0
    this.session = undefined
    if (this.closed) return
    if (ending.kind === 'refused' && !ending.refused.retry) {
      const { message, code } = ending.refused
      this.current = { state: 'ended', why: message, code }
      return this.events.ended(message, code)
    }
    const why = ending.kind === 'refused' ? ending.refused.message : ending.why
    const waitMs = backoffMs(++this.failures, chance(env.random(4)))
    this.current = { state: 'waiting', why }
    this.redial = env.timer(waitMs, () => this.dial())
    this.events.lost(why, waitMs)
  }
}

/** Four random bytes as a number in [0, 1). */
function chance(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0) / 2 ** 32
}
