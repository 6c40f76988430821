// Who may sit: stands between the tunnel's places and the turns. A seat whose breaker opened is taken out of its turns;
// half-open it is offered one turn at a time. What is known of a seat outlives its link: who links anew is no better.
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Link } from '../tunnel/link.ts'
import type { Place, PlaceEvents } from '../tunnel/links.ts'
import type { Blame } from './blame.ts'
import { after, type Breaker, unharmed } from './breaker.ts'
import { type Seat, seatFor, type Turns } from './turns.ts'

interface Options {
  env: Pick<Env, 'mono' | 'timer'>
  turns: Turns
  /** The variants of a host that sit out now; told at every change. */
  tripped: (hostId: string, variants: string[]) => void
}

/** A seat that has failed at least once. */
interface Entry {
  hostId: string
  variant: string
  breaker: Breaker
  /** What the tunnel offers while the seat sits out; null while it does not, or is not here. */
  held: Seat | null
  /** The seat that is offered one turn to prove itself. */
  probe: Seat | null
  wake: Cancel | null
  /** A lost link counts once. */
  lostLink: WeakRef<Link> | null
}

/** A probe that is not heard of for so long (a long answer, a client that left) is followed by another. */
const PROBE_MS = 15_000
const BROKEN_MS = 10 * 60_000
const MOST_ENTRIES = 20_000

export class Standing implements PlaceEvents {
  /** By host, then by variant; the least recently failed first. */
  private readonly hosts = new Map<string, Map<string, Entry>>()
  private size = 0

  constructor(private readonly options: Options) {}

  joined(place: Place): void {
    const seat = seatFor(place)
    const entry = this.find(seat)
    if (!entry || !sitsOut(entry.breaker)) return this.options.turns.join(seat)
    entry.held = seat
    if (entry.breaker.state === 'half-open') this.offer(entry)
  }

  changed(place: Place): void {
    const { turns } = this.options
    const seat = seatFor(place)
    const entry = this.find(seat)
    if (!entry?.held) return turns.change(seat)
    entry.held = seat
    if (entry.probe && turns.get(entry) === entry.probe) turns.change((entry.probe = this.probeOf(entry, seat)))
  }

  left({ hostId, variant }: Place): void {
    const entry = this.find({ hostId, variant })
    if (entry) entry.held = null
    this.options.turns.leave(hostId, variant)
  }

  answered(seat: Seat): void {
    const entry = this.find(seat)
    if (entry && hasASay(entry, seat))
      this.become(entry, after(entry.breaker, { kind: 'answered' }, this.options.env.mono()))
  }

  failed(seat: Seat, blame: Blame): void {
    if (blame === 'nobody') return
    const entry = this.remember(seat)
    if (!hasASay(entry, seat)) return
    if (blame !== 'broken' && !sitsOut(entry.breaker) && this.halfSitOut(seat.variant)) return
    if (blame === 'link') {
      if (entry.lostLink?.deref() === seat.link) return
      entry.lostLink = new WeakRef(seat.link)
    }
    const broken = blame === 'broken' ? { weight: Number.POSITIVE_INFINITY, leastMs: BROKEN_MS } : { weight: 1 }
    this.become(entry, after(entry.breaker, { kind: 'failed', ...broken }, this.options.env.mono()))
  }

  stop(): void {
    for (const entries of this.hosts.values()) for (const entry of entries.values()) entry.wake?.()
    this.hosts.clear()
    this.size = 0
  }

  private become(entry: Entry, breaker: Breaker): void {
    const before = entry.breaker
    if (breaker === before) return
    entry.breaker = breaker
    if (breaker.state === 'open') this.shut(entry, breaker.until)
    else if (breaker.state === 'half-open') this.offer(entry)
    else if (before.state !== 'closed') this.readmit(entry)
    if (sitsOut(before) !== sitsOut(breaker)) this.tell(entry.hostId)
  }

  private shut(entry: Entry, until: number): void {
    const { env, turns } = this.options
    // The seat as it is offered now; the attempt that failed may have known an older one.
    entry.held ??= turns.get(entry) ?? null
    entry.probe = null
    turns.leave(entry.hostId, entry.variant)
    this.wakeIn(entry, until - env.mono(), () =>
      this.become(entry, after(entry.breaker, { kind: 'waited' }, env.mono())),
    )
  }

  /** One turn, like everybody's. */
  private offer(entry: Entry): void {
    entry.wake?.()
    entry.wake = null
    if (!entry.held) return
    entry.probe = this.probeOf(entry, entry.held)
    this.options.turns.join(entry.probe)
  }

  private probeOf(entry: Entry, seat: Seat): Seat {
    return {
      ...seat,
      taken: () => {
        this.options.turns.leave(entry.hostId, entry.variant)
        this.wakeIn(entry, PROBE_MS, () => this.offer(entry))
      },
    }
  }

  private readmit(entry: Entry): void {
    entry.wake?.()
    entry.wake = null
    const { held } = entry
    entry.held = null
    entry.probe = null
    if (held) this.options.turns.join(held)
  }

  private wakeIn(entry: Entry, ms: number, work: () => void): void {
    entry.wake?.()
    entry.wake = this.options.env.timer(Math.max(1, ms), () => {
      entry.wake = null
      work()
    })
  }

  /** Then failing says little about this seat, and taking out more would leave nobody. The last seat never goes for it. */
  private halfSitOut(variant: string): boolean {
    let out = 0
    for (const entries of this.hosts.values()) if (entries.get(variant)?.held) out++
    return this.options.turns.count(variant) <= out + 1
  }

  private find({ hostId, variant }: { hostId: string; variant: string }): Entry | undefined {
    return this.hosts.get(hostId)?.get(variant)
  }

  private remember({ hostId, variant }: Seat): Entry {
    const entries = this.hosts.get(hostId) ?? new Map<string, Entry>()
    // Set anew, so that the Map is in order of use.
    this.hosts.delete(hostId)
    this.hosts.set(hostId, entries)
    const known = entries.get(variant)
    if (known) return known
    const entry = { hostId, variant, breaker: unharmed, held: null, probe: null, wake: null, lostLink: null }
    entries.set(variant, entry)
    if (++this.size > MOST_ENTRIES) this.forgetOldest()
    return entry
  }

  private forgetOldest(): void {
    for (const [hostId, entries] of this.hosts) {
      this.hosts.delete(hostId)
      this.size -= entries.size
      for (const entry of entries.values()) if (sitsOut(entry.breaker)) this.readmit(entry)
      return this.options.tripped(hostId, [])
    }
  }

  private tell(hostId: string): void {
    const entries = [...(this.hosts.get(hostId)?.values() ?? [])]
    const out = entries.filter(({ breaker }) => sitsOut(breaker)).map(({ variant }) => variant)
    this.options.tripped(hostId, out.sort())
  }
}

/** Half-open, only those that were let in to prove the seat do: all others began before it failed. */
function hasASay({ breaker }: Entry, seat: Seat): boolean {
  return breaker.state !== 'half-open' || seat.taken !== undefined
}

function sitsOut({ state }: Breaker): boolean {
  return state !== 'closed'
}
