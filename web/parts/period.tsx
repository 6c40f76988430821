// The time a page is about, as its address says: today, 7 or 30 days. Days are UTC days, as they are billed.
const DAY_MS = 24 * 60 * 60 * 1_000

export const periods = { today: 1, '7d': 7, '30d': 30 } as const
export type PeriodName = keyof typeof periods

export interface Period {
  name: PeriodName
  /** Milliseconds since 1970; `to` is the first moment after. */
  from: number
  to: number
  days: number
  /** `Last 7 days`. */
  words: string
}

export function readPeriod(query: URLSearchParams, now: number, fallback: PeriodName = '7d'): Period {
  const given = query.get('period') ?? ''
  const name = given in periods ? (given as PeriodName) : fallback
  const days = periods[name]
  const today = Math.floor(now / DAY_MS) * DAY_MS
  return {
    name,
    from: today - (days - 1) * DAY_MS,
    to: today + DAY_MS,
    days,
    words: days === 1 ? 'Today (UTC)' : `Last ${days} days`,
  }
}

/** The days of a period, by their start, oldest first. */
export function daysOf({ from, days }: Period): number[] {
  return Array.from({ length: days }, (_, i) => from + i * DAY_MS)
}

/** `Nov 25`. */
export function dayName(at: number): string {
  return new Date(at).toLocaleDateString('en-US', { month: 'short', day: 'numeric', timeZone: 'UTC' })
}

/** `14:00`. */
export function hourName(at: number): string {
  return new Date(at).toISOString().slice(11, 16)
}

/** Links that choose it; `path` keeps whatever else it says. */
export function PeriodLinks({ period, path }: { period: Period; path: string }) {
  const names: Record<PeriodName, string> = { today: 'today', '7d': '7 days', '30d': '30 days' }
  return (
    <nav class="row small" aria-label="Period">
      {Object.entries(names).map(([name, text]) => (
        <a
          href={`${path}${path.includes('?') ? '&' : '?'}period=${name}`}
          aria-current={name === period.name || undefined}
        >
          {text}
        </a>
      ))}
    </nav>
  )
}
