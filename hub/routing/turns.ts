// Whose turn it is, per variant: smooth weighted round robin over the seats that can take a request now, so that a turn
// costs the same at ten hosts and at ten thousand. Equal seats alone are plain round robin. Hosts that the team has not
// vetted yet sit in a circle of their own, which together gets no more than its share while there are vetted ones.
//
// Who may sit here is decided outside: the tunnel offers hosts that are ready and not draining, and standing.ts, which
// stands between the two, takes those out for a while that fail.
import type { Place } from '../tunnel/links.ts'
import { Circle } from './circle.ts'
import { type Party, take, whoseTurn } from './pick.ts'
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

interface Side extends Party {
  circle: Circle<Seat>
}

interface Rota {
  vetted: Side
  unvetted: Side
  seats: Map<string, Seat>
}

interface Options {
  /** Hears when more requests for a variant can be taken than before. */
  grown?: (variant: string) => void
  /** The most that hosts not vetted get together of a variant's requests, 0 to 1. */
  unvettedShare?: () => number
}

export class Turns {
  private readonly rotas = new Map<string, Rota>()
  private readonly grown: (variant: string) => void
  private readonly unvettedShare: () => number

  constructor({ grown = () => {}, unvettedShare = () => 1 }: Options = {}) {
    this.grown = grown
    this.unvettedShare = unvettedShare
  }

  /** A host that sits already is moved to the end, with what it offers now. */
  join(seat: Seat): void {
    this.leave(seat.hostId, seat.variant)
    const rota: Rota = this.rotas.get(seat.variant) ?? { vetted: side(), unvetted: side(), seats: new Map() }
    this.rotas.set(seat.variant, rota)
    rota.seats.set(seat.hostId, seat)
    sideOf(rota, seat).circle.join(seat)
    this.grown(seat.variant)
  }

  leave(hostId: string, variant: string): void {
    const rota = this.rotas.get(variant)
    const seat = rota?.seats.get(hostId)
    if (!rota || !seat) return
    rota.seats.delete(hostId)
    const { circle } = sideOf(rota, seat)
    circle.leave(seat)
    if (rota.seats.size === 0) this.rotas.delete(variant)
    else if (circle.empty) rota.vetted.owed = rota.unvetted.owed = 0
  }

  /** What the host offers has changed. It keeps its place in the order unless its weight or its side is another. */
  change(seat: Seat): void {
    const rota = this.rotas.get(seat.variant)
    const before = rota?.seats.get(seat.hostId)
    if (!rota || !before) return
    if (before.weight !== seat.weight || before.vetted !== seat.vetted) return this.join(seat)
    rota.seats.set(seat.hostId, seat)
    sideOf(rota, seat).circle.replace(before, seat)
    this.grown(seat.variant)
  }

  /**
   * The next seat for `variant` whose host is not excluded; null when there is none. The turn is counted here, before
   * anything is sent: a host that dies mid-answer must not get the next turn too. An excluded host keeps its turn.
   */
  next(variant: string, exclude: ReadonlySet<string>): Seat | null {
    const rota = this.rotas.get(variant)
    const seat = rota ? this.circleFor(rota, exclude).next(exclude) : null
    seat?.taken?.()
    return seat
  }

  /** Requests for `variant` that its seats together work on at a time, as far as they get them. */
  slots(variant: string): number {
    const rota = this.rotas.get(variant)
    if (!rota) return 0
    const { vetted, unvetted } = rota
    return vetted.circle.slots + Math.ceil(this.capped(unvetted.circle.slots, vetted.circle.slots))
  }

  /** Whether `next` would find one; no turn is taken. */
  any(variant: string, exclude: { has(hostId: string): boolean }): boolean {
    const rota = this.rotas.get(variant)
    return rota !== undefined && (rota.vetted.circle.any(exclude) || rota.unvetted.circle.any(exclude))
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

  /** A request that no vetted host can take goes to one that is not, rather than nowhere. */
  private circleFor({ vetted, unvetted }: Rota, exclude: ReadonlySet<string>): Circle<Seat> {
    if (unvetted.circle.empty) return vetted.circle
    if (vetted.circle.empty) return unvetted.circle
    vetted.weight = vetted.circle.weight
    unvetted.weight = this.capped(unvetted.circle.weight, vetted.circle.weight)
    const sides = unvetted.weight === 0 ? [vetted] : [vetted, unvetted]
    const due = whoseTurn(sides, ({ circle }) => circle.any(exclude))
    if (!due) return unvetted.circle
    take(sides, due)
    return due.circle
  }

  /** What the unvetted count for beside the vetted; where nobody is vetted, for all they have. */
  private capped(unvetted: number, vetted: number): number {
    const share = this.unvettedShare()
    return vetted === 0 || share >= 1 ? unvetted : Math.min(unvetted, (vetted * share) / (1 - share))
  }
}

function side(): Side {
  return { circle: new Circle(), weight: 0, owed: 0 }
}

function sideOf(rota: Rota, { vetted }: Seat): Side {
  return vetted ? rota.vetted : rota.unvetted
}
