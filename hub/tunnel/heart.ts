// One clock for all links of a hub: beats out, and an ear for those that went silent. A hub that itself stood still
// (a long pause, a stopped process) has not read what its hosts sent meanwhile: it must not take them for dead.
import type { Cancel, Env } from '../../sdk/env.ts'
import { BEAT_MS, SILENCE_MS } from '../../sdk/wire/frames.ts'

export interface Beating {
  /** Monotonic time of the last sign of life. */
  heardAt: number
  beat(): void
}

const TICK_MS = 500
/** A tick this much too late means that the hub stood still. */
const PAUSE_MS = 1_000

export class Heart<L extends Beating> {
  private readonly nextBeatAt = new Map<L, number>()
  private expectedAt = 0
  private stop: Cancel | null = null

  constructor(
    private readonly env: Env,
    private readonly silent: (link: L) => void,
    private readonly paused: (ms: number) => void,
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
  }

  private sleep(): void {
    this.expectedAt = this.env.mono() + TICK_MS
    this.stop = this.env.timer(TICK_MS, () => this.tick())
  }

  private tick(): void {
    this.stop = null
    const now = this.env.mono()
    const lateMs = now - this.expectedAt
    if (lateMs > PAUSE_MS) this.forgive(now, lateMs)
    for (const [link, beatAt] of this.nextBeatAt) {
      // A link is closed at the last tick before its silence is too long, not at the first one after.
      if (now - link.heardAt > SILENCE_MS - TICK_MS) this.silent(link)
      else if (now >= beatAt) {
        this.nextBeatAt.set(link, now + BEAT_MS)
        link.beat()
      }
    }
    if (this.nextBeatAt.size > 0 && !this.stop) this.sleep()
  }

  private forgive(now: number, lateMs: number): void {
    this.paused(lateMs)
    for (const link of this.nextBeatAt.keys()) link.heardAt = now
  }
}
