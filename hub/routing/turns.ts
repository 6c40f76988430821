// Whose turn it is, per variant: smooth weighted round robin over the seats that can take a request now. Seats of
// equal weight stand in one queue, and pick.ts decides between the queues, so a turn costs the same at ten hosts and
// at ten thousand. Equal seats alone are plain round robin.
//
// Who may sit here is decided outside: the tunnel offers hosts that are ready and not draining, and standing.ts, which
// stands between the two, takes those out for a while that fail.
import type { Place } from '../tunnel/links.ts'
import { inherit, type Party, take, whoseTurn } from './pick.ts'
import { Queue } from './queue.ts'
import { weightOf } from './weight.ts'

/** One host offering one variant. */
export interface Seat extends Place {
  weight: number
  /** Called as the seat is given a turn. */
  taken?: () => void
}

export function seatFor(place: Place): Seat {
  return { ...place, weight: weightOf(place) }
}

interface Rank extends Party {
  /** Of one seat; the party's own weight is that of all seats in the queue together. */
  seatWeight: number
  queue: Queue<Seat>
}

interface Rota {
  ranks: Rank[]
  seats: Map<string, Seat>
  /** Of all seats together. */
  slots: number
}

export class Turns {
  private readonly rotas = new Map<string, Rota>()

  /** `grown` hears when more requests for a variant can be taken than before. */
  constructor(private readonly grown: (variant: string) => void = () => {}) {}

  /** A host that sits already is moved to the end, with what it offers now. */
  join(seat: Seat): void {
    this.leave(seat.hostId, seat.variant)
    const rota: Rota = this.rotas.get(seat.variant) ?? { ranks: [], seats: new Map(), slots: 0 }
    this.rotas.set(seat.variant, rota)
    rota.seats.set(seat.hostId, seat)
    let rank = rota.ranks.find((other) => other.seatWeight === seat.weight)
    if (!rank) rota.ranks.push((rank = { seatWeight: seat.weight, weight: 0, owed: 0, queue: new Queue() }))
    rank.queue.join(seat)
    rank.weight += seat.weight
    rota.slots += seat.slots
    this.grown(seat.variant)
  }

  leave(hostId: string, variant: string): void {
    const rota = this.rotas.get(variant)
    const seat = rota?.seats.get(hostId)
    if (!rota || !seat) return
    rota.seats.delete(hostId)
    rota.slots -= seat.slots
    const rank = rankOf(rota, seat)
    rank.queue.leave(hostId)
    rank.weight -= seat.weight
    if (rank.queue.size > 0) return
    rota.ranks = rota.ranks.filter((other) => other !== rank)
    if (rota.ranks.length === 0) this.rotas.delete(variant)
    else inherit(rota.ranks, rank.owed)
  }

  /** What the host offers has changed. It keeps its place in the order unless its weight is another. */
  change(seat: Seat): void {
    const rota = this.rotas.get(seat.variant)
    const before = rota?.seats.get(seat.hostId)
    if (!rota || !before) return
    if (before.weight !== seat.weight) return this.join(seat)
    rota.seats.set(seat.hostId, seat)
    rota.slots += seat.slots - before.slots
    rankOf(rota, seat).queue.replace(seat)
    this.grown(seat.variant)
  }

  /**
   * The next seat for `variant` whose host is not excluded; null when there is none. The turn is counted here, before
   * anything is sent: a host that dies mid-answer must not get the next turn too. An excluded host keeps its turn.
   */
  next(variant: string, exclude: ReadonlySet<string>): Seat | null {
    const rota = this.rotas.get(variant)
    if (!rota) return null
    const rank = whoseTurn(rota.ranks, ({ queue }) => queue.first(exclude) !== null)
    const seat = rank?.queue.first(exclude)
    if (!rank || !seat) return null
    take(rota.ranks, rank)
    rank.queue.toTheEnd(seat.hostId)
    seat.taken?.()
    return seat
  }

  /** Requests for `variant` that its seats together work on at a time. */
  slots(variant: string): number {
    return this.rotas.get(variant)?.slots ?? 0
  }

  /** Whether `next` would find one; no turn is taken. */
  any(variant: string, exclude: { has(hostId: string): boolean }): boolean {
    return this.rotas.get(variant)?.ranks.some(({ queue }) => queue.first(exclude) !== null) ?? false
  }

  /** The seat of this host that can take a request now. */
  get({ hostId, variant }: { hostId: string; variant: string }): Seat | undefined {
    return this.rotas.get(variant)?.seats.get(hostId)
  }

  /** The hosts that can take a request for `variant` now. */
  hosts(variant: string): string[] {
    return [...(this.rotas.get(variant)?.seats.keys() ?? [])]
  }

  /** Seats that can take a request for `variant` now. */
  count(variant: string): number {
    return this.rotas.get(variant)?.seats.size ?? 0
  }
}

function rankOf(rota: Rota, seat: Seat): Rank {
  const rank = rota.ranks.find((other) => other.seatWeight === seat.weight)
  if (!rank) throw new Error('a seat stands in no queue')
  return rank
}
