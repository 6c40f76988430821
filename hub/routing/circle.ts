// Seats that take turns among themselves, each as often as its weight says. Equal seats stand in one queue, and pick.ts
// decides between the queues.
import { inherit, type Party, take, whoseTurn } from './pick.ts'
import { Queue } from './queue.ts'

export interface Sitter {
  hostId: string
  weight: number
  slots: number
}

interface Rank<S extends Sitter> extends Party {
  /** Of one seat; the party's own weight is that of all seats in the queue together. */
  seatWeight: number
  queue: Queue<S>
}

type Excluded = { has(hostId: string): boolean }

export class Circle<S extends Sitter> {
  private ranks: Rank<S>[] = []
  /** Of all seats together. */
  weight = 0
  slots = 0

  get empty(): boolean {
    return this.ranks.length === 0
  }

  join(seat: S): void {
    let rank = this.ranks.find((other) => other.seatWeight === seat.weight)
    if (!rank) this.ranks.push((rank = { seatWeight: seat.weight, weight: 0, owed: 0, queue: new Queue() }))
    rank.queue.join(seat)
    rank.weight += seat.weight
    this.weight += seat.weight
    this.slots += seat.slots
  }

  leave(seat: S): void {
    const rank = this.rankOf(seat)
    rank.queue.leave(seat.hostId)
    rank.weight -= seat.weight
    this.weight -= seat.weight
    this.slots -= seat.slots
    if (rank.queue.size > 0) return
    this.ranks = this.ranks.filter((other) => other !== rank)
    if (!this.empty) inherit(this.ranks, rank.owed)
  }

  /** It keeps its place in the order: its weight is as before. */
  replace(before: S, seat: S): void {
    this.slots += seat.slots - before.slots
    this.rankOf(seat).queue.replace(seat)
  }

  /** Whether `next` would find one; no turn is taken. */
  any(exclude: Excluded): boolean {
    return this.ranks.some(({ queue }) => queue.first(exclude) !== null)
  }

  next(exclude: Excluded): S | null {
    const rank = whoseTurn(this.ranks, ({ queue }) => queue.first(exclude) !== null)
    const seat = rank?.queue.first(exclude)
    if (!rank || !seat) return null
    take(this.ranks, rank)
    rank.queue.toTheEnd(seat.hostId)
    return seat
  }

  private rankOf(seat: S): Rank<S> {
    const rank = this.ranks.find((other) => other.seatWeight === seat.weight)
    if (!rank) throw new Error('a seat stands in no queue')
    return rank
  }
}
