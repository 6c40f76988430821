// A bucket that holds what may be used in a minute and fills steadily: bursts are fine, the average is what counts.
// Pure. Clocks are monotonic, milliseconds. It may be in debt, where the use is known only afterwards.

export interface Bucket {
  level: number
  at: number
}

const MINUTE_MS = 60_000

export function fullBucket(perMinute: number, now: number): Bucket {
  return { level: perMinute, at: now }
}

export function levelAt({ level, at }: Bucket, perMinute: number, now: number): number {
  return Math.min(perMinute, level + ((now - at) / MINUTE_MS) * perMinute)
}

/** The bucket after `amount` was used; a negative amount gives back. */
export function used(bucket: Bucket, perMinute: number, amount: number, now: number): Bucket {
  return { level: Math.min(perMinute, levelAt(bucket, perMinute, now) - amount), at: now }
}

/** How long until it holds `wanted`, at most all it ever holds; milliseconds. */
export function msUntil(bucket: Bucket, perMinute: number, wanted: number, now: number): number {
  const missing = Math.min(wanted, perMinute) - levelAt(bucket, perMinute, now)
  return missing <= 0 ? 0 : (missing / perMinute) * MINUTE_MS
}
