// A queue one can leave from the middle: seats of equal weight, the head has the next turn.

interface Spot<T> {
  item: T
  before: Spot<T> | null
  after: Spot<T> | null
}

export class Queue<T extends { readonly hostId: string }> {
  private head: Spot<T> | null = null
  private tail: Spot<T> | null = null
  private readonly places = new Map<string, Spot<T>>()

  get size(): number {
    return this.places.size
  }

  join(item: T): void {
    const place: Spot<T> = { item, before: null, after: null }
    this.places.set(item.hostId, place)
    this.append(place)
  }

  leave(hostId: string): void {
    const place = this.places.get(hostId)
    if (!place) return
    this.places.delete(hostId)
    this.unlink(place)
  }

  /** Puts `item` where the one with its host id stands. */
  replace(item: T): void {
    const place = this.places.get(item.hostId)
    if (place) place.item = item
  }

  /** The first whose host is not excluded. Looks at no more than `exclude.size + 1` of them. */
  first(exclude: { has(hostId: string): boolean }): T | null {
    let place = this.head
    while (place && exclude.has(place.item.hostId)) place = place.after
    return place?.item ?? null
  }

  toTheEnd(hostId: string): void {
    const place = this.places.get(hostId)
    if (!place || place === this.tail) return
    this.unlink(place)
    this.append(place)
  }

  private append(place: Spot<T>): void {
    place.before = this.tail
    place.after = null
    if (this.tail) this.tail.after = place
    else this.head = place
    this.tail = place
  }

  private unlink({ before, after }: Spot<T>): void {
    if (before) before.after = after
    else this.head = after
    if (after) after.before = before
    else this.tail = before
  }
}
