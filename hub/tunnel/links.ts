// Every link of this hub, one per host. A newer link of a host fences the older; what hosts offer becomes places, which
// routing seats (this room knows nothing of turns) and presence.ts writes down.
import type { Env } from '../../sdk/env.ts'
import { BEAT_MS, closeCode, type HostState, type Status, type Welcome, type Wish } from '../../sdk/wire/frames.ts'
import type { Socket } from '../../sdk/wire/socket.ts'
import type { Judged, Judgement } from '../fleet/judge.ts'
import type { Lock } from '../fleet/locks.ts'
import type { Presence } from '../fleet/presence.ts'
import type { Log } from '../log.ts'
import type { Awake } from './awake.ts'
import { Clones, FAREWELL_MS } from './clones.ts'
import { Heart } from './heart.ts'
import { type Introduction, type Knows, locked, type Refusal, type Served, servedBy } from './hello.ts'
import { type Failure, type Identity, Link, type LinkEvents, type NetworkWatch } from './link.ts'

/** One variant on offer by one host that is ready for requests. */
export interface Place extends Served {
  hostId: string
  ownerId: string
  simulated: boolean
  /** The team trusts it with any share of the traffic. */
  vetted: boolean
  link: Link
}

export interface PlaceEvents {
  joined(place: Place): void
  changed(place: Place): void
  left(place: Place): void
}

interface Options {
  env: Env
  awake: Awake
  log: Log
  hubId: string
  knows: Knows
  presence: Pick<Presence, 'set' | 'gone'>
  places: PlaceEvents
  network: NetworkWatch
  /** Link addresses of every hub of the deployment. */
  hubs: () => string[]
  /** Two machines are this host: neither may come with these tokens again. */
  lock: (host: { hostId: string; tokenIds: string[] }) => void
}

interface Entry {
  link: Link
  run: string | null
  state: HostState
  /** Why it takes nothing new, in its own word. */
  rests: string | null
  judgement: Judgement
  serving: Served[]
  /** One for each variant on offer. A map would take a kilobyte, for mostly one. */
  places: Place[]
}

export class Links implements LinkEvents {
  private readonly entries = new Map<string, Entry>()
  private readonly heart: Heart<Link>
  private readonly clones: Clones
  private lastEpoch = 0

  constructor(private readonly options: Options) {
    this.clones = new Clones(options.env)
    this.heart = new Heart(options.env, options.awake, {
      quiet: (link) => link.fellQuiet(),
      silent: (link) =>
        link.close(closeCode.silent, { class: 'network', code: 'silent', message: 'The host went silent.' }),
    })
  }

  get size(): number {
    return this.entries.size
  }

  get(hostId: string): Link | undefined {
    return this.entries.get(hostId)?.link
  }

  /** Welcomes a host that may serve here. Its older link, if one is open, ends first. */
  admit(
    socket: Socket,
    who: Omit<Identity, 'epoch'>,
    { protocol, hello, serving }: Introduction,
    { vetted, quarantined, belowNetwork }: Judgement,
  ): Link {
    const { env, awake, log, hubId, hubs, network } = this.options
    const run = hello.run ?? null
    this.fence(who, run)
    const epoch = this.nextEpoch()
    const link = new Link({ env, awake, log, hubs, network }, socket, { ...who, epoch }, this)
    const judgement = { vetted, quarantined, belowNetwork }
    const { state, rests } = hello
    const entry: Entry = { link, run, state, rests: rests ?? null, judgement, serving, places: [] }
    this.entries.set(who.hostId, entry)
    const welcome: Welcome = {
      type: 'welcome',
      protocol,
      host: who.hostId,
      epoch,
      hub: hubId,
      hubs: link.named,
      beatMs: BEAT_MS,
    }
    link.say(welcome)
    this.heart.add(link)
    this.publish(entry)
    return link
  }

  /** Links whose token was revoked, or whose owner was suspended. */
  revoke(tokenIds: ReadonlySet<string>): void {
    for (const { link } of this.entries.values()) {
      if (!tokenIds.has(link.tokenId)) continue
      dismiss(link, closeCode.badToken, {
        code: 'bad_token',
        message: 'The token of this host was revoked. Run `gpuhost login`.',
        retry: false,
      })
    }
  }

  /** Links of hosts that may not come with their token any more, because two machines did. */
  lock(locks: readonly Lock[]): void {
    for (const { hostId, tokenId } of locks) {
      const link = this.entries.get(hostId)?.link
      if (link?.tokenId === tokenId) dismiss(link, closeCode.locked, locked)
    }
  }

  /** What the team thinks of hosts by now. */
  judge(judged: readonly Judged[]): void {
    for (const { id, ...judgement } of judged) {
      const entry = this.entries.get(id)
      if (!entry || Bun.deepEquals(entry.judgement, judgement)) continue
      entry.judgement = judgement
      this.publish(entry)
    }
  }

  /** Asks every host that is linked here. */
  wish(wish: Wish['wish'], reason: string): void {
    for (const { link } of this.entries.values()) link.wish(wish, reason)
  }

  /** Ends every link: the hub stops. */
  stop(): void {
    for (const { link } of this.entries.values())
      dismiss(link, closeCode.stopping, { code: 'stopping', message: 'This hub is stopping.', retry: true })
  }

  status(link: Link, { state, rests, serving }: Status): void {
    const entry = this.entries.get(link.hostId)
    if (entry?.link !== link) return
    const { served, unknown } = servedBy(serving, this.options.knows)
    if (unknown.length > 0)
      this.options.log.warn('host offers what this hub does not', { host: link.hostId, models: unknown.length })
    entry.state = state
    entry.rests = rests ?? null
    entry.serving = served
    this.publish(entry)
    link.say({ type: 'beat', epoch: link.epoch, noted: state })
  }

  quiet(link: Link): void {
    this.reseat(link)
  }

  woke(link: Link): void {
    this.reseat(link)
  }

  closed(link: Link): void {
    this.heart.remove(link)
    const entry = this.entries.get(link.hostId)
    if (entry?.link !== link) return
    this.entries.delete(link.hostId)
    this.options.presence.gone(link.hostId)
    for (const place of entry.places) this.options.places.left(place)
  }

  private reseat(link: Link): void {
    const entry = this.entries.get(link.hostId)
    if (entry?.link === link) this.seat(entry)
  }

  /** Ends the host's older link. */
  private fence({ hostId, tokenId }: Omit<Identity, 'epoch'>, run: string | null): void {
    const older = this.entries.get(hostId)
    if (!older) return
    older.link.say({ type: 'refused', ...superseded })
    const failure: Failure = { class: 'network', code: superseded.code, message: superseded.message }
    // One program that came by two ways, or one of which that is not known, proves nothing.
    if (older.run === null || run === null || older.run === run) return older.link.close(closeCode.superseded, failure)
    older.link.dismiss(closeCode.superseded, failure, {
      withinMs: FAREWELL_MS,
      alive: () => this.met({ hostId, tokenIds: [older.link.tokenId, tokenId] }),
    })
  }

  /** Two living programs have this host's identity. */
  private met(host: { hostId: string; tokenIds: string[] }): void {
    const { log } = this.options
    if (!this.clones.met(host.hostId))
      return log.warn('two programs were one host: is it two machines?', { host: host.hostId })
    log.warn('two machines are one host: locked', { host: host.hostId })
    this.options.lock(host)
    this.lock(host.tokenIds.map((tokenId) => ({ hostId: host.hostId, tokenId })))
  }

  /** Grows with every link, over restarts too. */
  private nextEpoch(): number {
    this.lastEpoch = Math.max(this.options.env.now(), this.lastEpoch + 1)
    return this.lastEpoch
  }

  private publish(entry: Entry): void {
    const { link, state, serving, judgement } = entry
    link.draining = state === 'draining'
    this.seat(entry)
    this.options.presence.set(link.hostId, {
      epoch: link.epoch,
      state: judgement.quarantined
        ? 'quarantined'
        : state === 'draining'
          ? 'draining'
          : serving.length === 0
            ? 'connecting'
            : judgement.belowNetwork
              ? 'tripped'
              : 'ready',
      models: serving.map(({ variant }) => variant),
      run: entry.run,
      rests: entry.rests,
    })
  }

  /** Makes the host's places what it offers now. */
  private seat(entry: Entry): void {
    const { link, state, serving, judgement, places: before } = entry
    const { places: told } = this.options
    const { vetted } = judgement
    const { quarantined, belowNetwork } = judgement
    const wanted = state === 'ready' && !link.quiet && !quarantined && !belowNetwork ? serving : []
    for (const place of before) if (!wanted.some(({ variant }) => variant === place.variant)) told.left(place)
    entry.places = wanted.map((served) => {
      const place = before.find(({ variant }) => variant === served.variant)
      if (place && place.vetted === vetted && same(place, served)) return place
      const { hostId, ownerId, simulated } = link
      const now = { ...served, hostId, ownerId, simulated, vetted, link }
      if (place) told.changed(now)
      else told.joined(now)
      return now
    })
  }
}

/** Says why, then ends the link. */
function dismiss(link: Link, code: number, refusal: Refusal): void {
  link.say({ type: 'refused', ...refusal })
  link.close(code, { class: WHOSE[refusal.code] ?? 'network', code: refusal.code, message: refusal.message })
}

/** A hub that stops is no fault of the host's, and a revoked token none of the network's. */
const WHOSE: Partial<Record<Refusal['code'], 'hub' | 'host'>> = { stopping: 'hub', bad_token: 'host', locked: 'host' }

const superseded: Refusal = {
  code: 'superseded',
  message: 'This host linked again; the newer link serves.',
  retry: false,
}

function same(a: Served, b: Served): boolean {
  return a.name === b.name && a.slots === b.slots && a.contextTokens === b.contextTokens && a.tokenIds === b.tokenIds
}
