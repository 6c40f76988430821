// One clock for all links of a hub: beats out, and an ear for those that went quiet, then silent. Silence is measured by the awake
// clock, whose pulse this is: a hub that itself stood still has not read what its hosts sent meanwhile.
import type { Cancel, Env } from '../../sdk/env.ts'
import { BEAT_MS, SILENCE_MS } from '../../sdk/wire/frames.ts'
import type { Awake } from './awake.ts'

export interface Beating {
  /** When it last gave a sign of life, by the awake clock. */
  heardAt: number
  /** Since when a question to it is unanswered; null: none is. */
  readonly questionedAt: number | null
  /** Attempts under way. */
  readonly streamCount: number
  beat(): void
  /** Asks it for a sign of life. */
  question(): void
}

const TICK_MS = 500
/** A host that works, or whose beat is overdue, is asked for a sign of life after so much silence. */
const WORKING_MS = 1_000
const OVERDUE_MS = BEAT_MS + 1_000
/** A home line's round trip with two lost packets. */
export const QUIET_MS = 2_500

export class Heart<L extends Beating> {
  private readonly nextBeatAt = new Map<L, number>()
  private stop: Cancel | null = null

  constructor(
    private readonly env: Env,
    private readonly awake: Awake,
    private readonly told: { quiet(link: L): void; silent(link: L): void },
  ) {}

  /** The first beat is one interval away: links that joined at different moments keep beating at different moments. */
  add(link: L): void {
    this.nextBeatAt.set(link, this.env.mono() + BEAT_MS)
    if (!this.stop) this.sleep()
  }

  remove(link: L): void {
    this.nextBeatAt.delete(link)
    if (this.nextBeatAt.size > 0) return
    this.stop?.()
    this.stop = null
    this.awake.rest()
  }

  private sleep(): void {
    this.awake.pulse(TICK_MS)
    this.stop = this.env.timer(TICK_MS, () => this.tick())
  }

  private tick(): void {
    this.stop = null
    const now = this.env.mono()
    const awake = this.awake.mono()
    for (const [link, beatAt] of this.nextBeatAt) {
      // A link is closed at the last tick before its silence is too long, not at the first one after.
      const quietMs = awake - link.heardAt
      if (quietMs > SILENCE_MS - TICK_MS) {
        this.told.silent(link)
        continue
      }
      if (link.questionedAt !== null && awake - link.questionedAt > QUIET_MS) this.told.quiet(link)
      else if (quietMs > (link.streamCount > 0 ? WORKING_MS : OVERDUE_MS)) link.question()
      if (now >= beatAt) {
        this.nextBeatAt.set(link, now + BEAT_MS)
        link.beat()
      }
    }
    if (this.nextBeatAt.size > 0 && !this.stop) this.sleep()
  }
}
