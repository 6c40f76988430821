// Percentiles of durations in little, fixed memory: buckets that grow by a fifth, and old samples that fade. A few
// hundred bytes a sketch, some nanoseconds a sample, and never more than a fifth too high.

const LEAST_MS = 1
const GROWTH = 1.2
/** Up to 120 s; what is longer counts as that. */
const BUCKETS = Math.ceil(Math.log(120_000 / LEAST_MS) / Math.log(GROWTH)) + 1
/** At this many samples all of them count half from then on. */
const FADE_AT = 2_048

export class Sketch {
  private readonly buckets = new Float32Array(BUCKETS)
  private total = 0

  /** How many samples there are, faded ones in part. */
  get size(): number {
    return this.total
  }

  add(ms: number): void {
    this.addTo(bucketOf(ms))
  }

  /** As `add`, where the bucket is known: it is the same in every sketch. */
  addTo(bucket: number): void {
    if (this.total >= FADE_AT) this.fade()
    this.buckets[bucket]!++
    this.total++
  }

  /** The least duration that at least `share` (0–1) of the samples do not exceed, rounded up to its bucket; 0 if empty. */
  percentile(share: number): number {
    let left = this.total * share
    for (let at = 0; at < BUCKETS; at++) {
      left -= this.buckets[at]!
      if (left <= 0 && this.total > 0) return LEAST_MS * GROWTH ** at
    }
    return 0
  }

  private fade(): void {
    this.total = 0
    for (let at = 0; at < BUCKETS; at++) this.total += this.buckets[at]! /= 2
  }
}

const PER_LOG = 1 / Math.log(GROWTH)

/** Where a duration is counted. */
export function bucketOf(ms: number): number {
  if (!(ms > LEAST_MS)) return 0
  return Math.min(BUCKETS - 1, Math.ceil(Math.log(ms / LEAST_MS) * PER_LOG))
}
