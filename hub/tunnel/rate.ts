// How often somebody may come: so many at once, and from then on so many a second. Knows the last few thousand who
// came; whoever came before that is new again, which a storm from everywhere can bring about and gains nothing by: the
// door has limits for all together, too.
import type { Env } from '../../sdk/env.ts'

const MOST_KNOWN = 10_000

export class Rate {
  /** By who came: how many visits are left, as of when. In order of the last visit. */
  private readonly left = new Map<string, { visits: number; at: number }>()

  constructor(
    private readonly env: Pick<Env, 'mono'>,
    private readonly allowed: { atOnce: number; perSecond: number },
  ) {}

  /** Counts a visit; false: it is one too many, and not counted. */
  take(who: string): boolean {
    const visits = this.visits(who)
    if (visits < 1) return false
    this.left.delete(who)
    this.left.set(who, { visits: visits - 1, at: this.env.mono() })
    if (this.left.size > MOST_KNOWN) for (const oldest of this.left.keys()) return this.left.delete(oldest)
    return true
  }

  /** Whether `take` would be false. */
  spent(who: string): boolean {
    return this.visits(who) < 1
  }

  /** Until the next visit is allowed, seconds, whole. */
  waitSeconds(who: string): number {
    return Math.max(1, Math.ceil((1 - this.visits(who)) / this.allowed.perSecond))
  }

  private visits(who: string): number {
    const { atOnce, perSecond } = this.allowed
    const known = this.left.get(who)
    return known ? Math.min(atOnce, known.visits + ((this.env.mono() - known.at) / 1_000) * perSecond) : atOnce
  }
}
