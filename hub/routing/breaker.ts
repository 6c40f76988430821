// One seat's circuit breaker as one pure function. Three failures within a minute open it; an answer in between takes
// one of them back. Open, the seat gets nothing; after a back-off that doubles with every trip it may prove itself with
// one request (half-open): an answer closes the breaker, a failure opens it again for longer.

export type Breaker =
  /** `since` it closed; `trips` before that, forgotten once it has held long enough. */
  | { state: 'closed'; failures: readonly Recent[]; trips: number; since: number }
  | { state: 'open'; trips: number; until: number }
  | { state: 'half-open'; trips: number }

interface Recent {
  at: number
  weight: number
}

export type BreakerEvent =
  | { kind: 'answered' }
  /** A weight of 1 is one of three; 0 is nobody's fault. `leastMs`: if this opens it, it stays open that long. */
  | { kind: 'failed'; weight: number; leastMs?: number }
  /** Nothing happened, but time passed. */
  | { kind: 'waited' }

export const OPENS_AT = 3
export const WINDOW_MS = 60_000
export const FIRST_BACK_OFF_MS = 5_000
export const LAST_BACK_OFF_MS = 10 * 60_000
/** Closed for so long, its next trip counts as its first. */
export const STEADY_MS = 10 * 60_000

/** Before anything has happened. */
export const unharmed: Breaker = { state: 'closed', failures: [], trips: 0, since: 0 }

/**
 * What the breaker is after `event` at `now` (milliseconds of one monotonic clock). Returns the same object where
 * nothing changes.
 */
export function after(breaker: Breaker, event: BreakerEvent, now: number): Breaker {
  switch (breaker.state) {
    case 'closed':
      return closed(breaker, event, now)
    case 'open':
      if (event.kind === 'waited' && now >= breaker.until) return { state: 'half-open', trips: breaker.trips }
      // What still fails began before it opened: no news, unless it says that the trouble lasts.
      if (event.kind === 'failed' && event.leastMs && now + event.leastMs > breaker.until)
        return { ...breaker, until: now + event.leastMs }
      return breaker
    case 'half-open':
      if (event.kind === 'answered') return { state: 'closed', failures: [], trips: breaker.trips, since: now }
      if (event.kind === 'failed' && event.weight > 0) return open(breaker.trips + 1, event, now)
      return breaker
  }
}

function closed(breaker: Extract<Breaker, { state: 'closed' }>, event: BreakerEvent, now: number): Breaker {
  if (event.kind === 'failed' && event.weight === 0) return breaker
  if (event.kind !== 'failed' && breaker.failures.length === 0) return breaker
  const failures = breaker.failures.filter(({ at }) => now - at < WINDOW_MS)
  if (event.kind === 'answered') return { ...breaker, failures: failures.slice(1) }
  if (event.kind === 'waited') return { ...breaker, failures }
  const all = [...failures, { at: now, weight: event.weight }]
  if (all.reduce((sum, { weight }) => sum + weight, 0) < OPENS_AT) return { ...breaker, failures: all }
  return open(now - breaker.since >= STEADY_MS ? 1 : breaker.trips + 1, event, now)
}

function open(trips: number, { leastMs = 0 }: Extract<BreakerEvent, { kind: 'failed' }>, now: number): Breaker {
  const backOffMs = Math.min(LAST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** Math.min(trips - 1, 30))
  return { state: 'open', trips, until: now + Math.max(backOffMs, leastMs) }
}
