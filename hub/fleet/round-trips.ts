// The last round trips to every linked host: a few bytes for each, in one place, since there are ten thousand of them.

/** A median over so many: about as many minutes, once a link is settled. */
const KEPT = 9
/** Fewer say nothing. */
const LEAST = 5
/** Of the first beats of a link each asks for an echo, until enough have come … */
const FIRST_BEATS = 8
/** … then one in so many. */
const EVERY_BEATS = 12
const LONGEST_MS = 60_000

export class RoundTrips {
  private capacity = 64
  private trips = new Uint16Array(this.capacity * KEPT)
  /** How many were taken, and, by it, where the next one goes. */
  private taken = new Uint32Array(this.capacity)
  private beats = new Uint8Array(this.capacity)
  /** Median that was told last, milliseconds, plus one; 0: none was. */
  private told = new Uint16Array(this.capacity)
  private readonly free: number[] = []
  private used = 0

  /** A place for one link. */
  take(): number {
    const slot = this.free.pop() ?? this.used++
    if (slot >= this.capacity) this.grow()
    this.taken[slot] = this.beats[slot] = this.told[slot] = 0
    return slot
  }

  release(slot: number): void {
    this.free.push(slot)
  }

  /** A beat is about to be sent: whether it is to ask for an echo. */
  due(slot: number): boolean {
    const beat = this.beats[slot]!
    this.beats[slot] = beat + 1 < FIRST_BEATS + EVERY_BEATS ? beat + 1 : FIRST_BEATS
    // An older agent answers none.
    return beat < FIRST_BEATS ? this.taken[slot]! < LEAST : beat === FIRST_BEATS
  }

  /** @returns the median where it is news, milliseconds */
  note(slot: number, ms: number): number | null {
    const count = this.taken[slot]!
    this.trips[slot * KEPT + (count % KEPT)] = Math.min(LONGEST_MS, Math.max(0, Math.round(ms)))
    this.taken[slot] = count + 1
    const median = this.median(slot)
    if (median === null || !isNews(median, this.told[slot]! - 1)) return null
    this.told[slot] = median + 1
    return median
  }

  /** Milliseconds; null until enough are known. */
  median(slot: number): number | null {
    const count = Math.min(KEPT, this.taken[slot]!)
    if (count < LEAST) return null
    return this.trips.slice(slot * KEPT, slot * KEPT + count).sort()[count >> 1]!
  }

  private grow(): void {
    this.capacity *= 2
    this.trips = grown(this.trips, this.capacity * KEPT)
    this.taken = grown(this.taken, this.capacity)
    this.beats = grown(this.beats, this.capacity)
    this.told = grown(this.told, this.capacity)
  }
}

/** A fifth more or less, and more than the jitter of a good line. `before` -1: none was told. */
function isNews(median: number, before: number): boolean {
  return before < 0 || Math.abs(median - before) > Math.max(5, before / 5)
}

function grown<T extends Uint8Array | Uint16Array | Uint32Array>(old: T, length: number): T {
  const fresh = new (old.constructor as new (length: number) => T)(length)
  fresh.set(old)
  return fresh
}
