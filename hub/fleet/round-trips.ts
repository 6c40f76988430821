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

/** Places for this many links at a time: what grows is never copied. */
const PAGE = 1_024

interface Page {
  trips: Uint16Array
  /** How many were taken, and, by it, where the next one goes. */
  taken: Uint32Array
  beats: Uint8Array
  /** Median that was told last, milliseconds, plus one; 0: none was. */
  told: Uint16Array
}

export class RoundTrips {
  private readonly pages: Page[] = []
  private readonly free: number[] = []
  private used = 0

  /** A place for one link. */
  take(): number {
    const slot = this.free.pop() ?? this.used++
    if (slot >= this.pages.length * PAGE) this.pages.push(emptyPage())
    const { taken, beats, told } = this.pageOf(slot)
    taken[slot % PAGE] = beats[slot % PAGE] = told[slot % PAGE] = 0
    return slot
  }

  release(slot: number): void {
    this.free.push(slot)
  }

  /** A beat is about to be sent: whether it is to ask for an echo. */
  due(slot: number): boolean {
    const { beats, taken } = this.pageOf(slot)
    const beat = beats[slot % PAGE]!
    beats[slot % PAGE] = beat + 1 < FIRST_BEATS + EVERY_BEATS ? beat + 1 : FIRST_BEATS
    // An older agent answers none.
    return beat < FIRST_BEATS ? taken[slot % PAGE]! < LEAST : beat === FIRST_BEATS
  }

  /** @returns the median where it is news, milliseconds */
  note(slot: number, ms: number): number | null {
    const { trips, taken, told } = this.pageOf(slot)
    const at = slot % PAGE
    const count = taken[at]!
    trips[at * KEPT + (count % KEPT)] = Math.min(LONGEST_MS, Math.max(0, Math.round(ms)))
    taken[at] = count + 1
    const median = this.median(slot)
    if (median === null || !isNews(median, told[at]! - 1)) return null
    told[at] = median + 1
    return median
  }

  /** Milliseconds; null until enough are known. */
  median(slot: number): number | null {
    const { trips, taken } = this.pageOf(slot)
    const at = slot % PAGE
    const count = Math.min(KEPT, taken[at]!)
    if (count < LEAST) return null
    return trips.slice(at * KEPT, at * KEPT + count).sort()[count >> 1]!
  }

  private pageOf(slot: number): Page {
    return this.pages[Math.floor(slot / PAGE)]!
  }
}

function emptyPage(): Page {
  return {
    trips: new Uint16Array(PAGE * KEPT),
    taken: new Uint32Array(PAGE),
    beats: new Uint8Array(PAGE),
    told: new Uint16Array(PAGE),
  }
}

/** A fifth more or less, and more than the jitter of a good line. `before` -1: none was told. */
function isNews(median: number, before: number): boolean {
  return before < 0 || Math.abs(median - before) > Math.max(5, before / 5)
}
