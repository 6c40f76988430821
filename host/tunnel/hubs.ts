// The links to every hub of a deployment. One address is given by the owner; the others are what hubs name in their
// welcome, and in beats when that has changed. Hubs learn of each other at different moments, so what any hub names that
// is linked is dialled, and a link that lives is never dropped because of what they name: only one that is down is, or
// that goes down later. The given address may be a load balancer in front of the very hubs that are named: then two links
// lead to one hub, the hub ends the older, and here that link goes quietly.
import { type Cancel, sleep } from '../../sdk/env.ts'
import type { Welcome, Wish } from '../../sdk/wire/frames.ts'
import type { Log } from '../log.ts'
import { linkAddresses } from './address.ts'
import { HubLink, type LinkState } from './connect.ts'
import type { LinkWorld } from './session.ts'

/** How long farewells may take to leave. */
const FAREWELL_MS = 2_000
/** By then another program with this host's identity has taken over at every hub, or is gone. */
const TAKEOVER_MS = 30_000

export interface HubsEvents {
  /** No link is left: the hub said that trying again will not help. */
  ended(why: string, code: string): void
  /** A hub has welcomed this host. */
  linked(): void
  /** A hub would like this agent to look for a newer one of itself. */
  update(): void
}

export class Hubs {
  private readonly links = new Map<string, HubLink>()
  /** Addresses that turned out to be another way to a hub (its id) linked already. */
  private readonly twins = new Map<string, string>()
  private readonly unfollow: Cancel
  private waiting: (() => void)[] = []
  private stopLooking: Cancel = () => {}
  /** What each hub said last that is linked; where none is, those that were. An empty list: it is alone. */
  private readonly lists = new Map<HubLink, readonly string[]>()

  constructor(
    private readonly given: string,
    private readonly world: LinkWorld,
    private readonly log: Log,
    private readonly events: HubsEvents,
  ) {
    this.add(given)
    this.unfollow = world.offer.onChange(() => {
      for (const link of this.links.values()) link.announce()
    })
  }

  states(): ({ address: string } & LinkState)[] {
    return [...this.links.values()].map((link) => ({ address: link.address, ...link.state() }))
  }

  linked(): boolean {
    return this.states().some(({ state }) => state === 'linked')
  }

  /** Resolves when no hub sends anything new: each has said so, or is gone. */
  async unregistered(): Promise<void> {
    while ([...this.links.values()].some((link) => !link.unregistered()))
      await new Promise<void>((resolve) => void this.waiting.push(resolve))
  }

  /** Gives every request on this machine back to its hub. */
  handBack(): void {
    for (const link of this.links.values()) link.handBack()
  }

  /** Lets what was said leave (shortly), then closes every link. */
  async close(why: string): Promise<void> {
    const { env } = this.world
    const until = env.mono() + FAREWELL_MS
    while (this.backlog() > 0 && env.mono() < until) await sleep(env, 10)
    this.unfollow()
    this.stopLooking()
    for (const link of this.links.values()) link.close(why)
    this.links.clear()
  }

  private backlog(): number {
    return [...this.links.values()].reduce((sum, link) => sum + link.backlog(), 0)
  }

  private add(address: string): void {
    if (this.links.has(address)) return
    const link: HubLink = new HubLink(address, this.world, {
      linked: (welcome) => this.welcomed(link, welcome),
      wish: (wish, why) => this.wish(wish, why),
      hubs: (addresses) => this.told(link, addresses),
      unregistered: () => this.look(),
      lost: (why, retryMs) => this.lost(link, why, retryMs),
      ended: (why, code) => this.linkEnded(link, why, code),
    })
    this.links.set(address, link)
  }

  /** Whoever waits for hubs looks again. */
  private look(): void {
    for (const resolve of this.waiting.splice(0)) resolve()
  }

  private drop(link: HubLink, why: string): void {
    this.links.delete(link.address)
    this.lists.delete(link)
    link.close(why)
    this.log.info('a link is no longer needed', { hub: link.address, why })
  }

  private welcomed(link: HubLink, { hub, host, hubs }: Welcome): void {
    this.log.info('linked', { hub: link.address, id: hub, host })
    this.events.linked()
    this.told(link, hubs)
  }

  private told(link: HubLink, hubs: readonly string[]): void {
    this.lists.set(link, linkAddresses(hubs, this.given))
    this.follow()
  }

  private follow(): void {
    if (this.linked()) for (const link of this.lists.keys()) if (!isLinked(link)) this.lists.delete(link)
    const named = new Set([...this.lists.values()].flat())
    for (const address of this.twins.keys()) if (!named.has(address)) this.twins.delete(address)
    for (const address of named) if (!this.hasTwin(address)) this.add(address)
    for (const link of this.links.values())
      if (named.size > 0 && !isLinked(link) && link.address !== this.given && !named.has(link.address))
        this.drop(link, 'its hub has left the deployment')
  }

  private hasTwin(address: string): boolean {
    const hub = this.twins.get(address)
    return hub !== undefined && [...this.links.values()].some((link) => link.hub() === hub)
  }

  private lost(link: HubLink, why: string, retryMs: number): void {
    this.log.warn('not linked', { hub: link.address, why, retryMs: Math.round(retryMs) })
    this.follow()
    this.look()
    // Should the hubs that were named have gone for good, the given address leads to those that came after them.
    if (!this.linked()) this.add(this.given)
  }

  private linkEnded(link: HubLink, why: string, code: string): void {
    this.links.delete(link.address)
    this.lists.delete(link)
    this.look()
    const hub = link.hub()
    if (code === 'superseded' && this.links.size > 0) {
      if (hub) this.twins.set(link.address, hub)
      // Or another program came to one hub, and perhaps will not stay.
      this.stopLooking()
      this.stopLooking = this.world.env.timer(TAKEOVER_MS, () => this.follow())
      return this.log.info('a second way to a hub is closed', { hub: link.address })
    }
    this.log.error(why, { hub: link.address, code })
    if (this.links.size > 0) return
    this.stopLooking()
    this.events.ended(why, code)
  }

  private wish(wish: Wish['wish'], why: string): void {
    this.log.info(`the hub wishes: ${wish}`, { why })
    if (wish === 'drain') this.world.offer.hold('hub', `the hub asked for a pause (${why})`)
    if (wish === 'resume') this.world.offer.hold('hub', null)
    if (wish === 'update') this.events.update()
  }
}

function isLinked(link: HubLink): boolean {
  return link.state().state === 'linked'
}
