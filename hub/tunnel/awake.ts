// A clock that counts only the time in which this hub could read what its hosts sent. Watchdogs run by it: a hub that
// stood still (a stopped process, a blocked event loop, a machine that slept) learns nothing from its own silence.
import type { Cancel, Env } from '../../sdk/env.ts'

/** A pulse this much too late means that the hub stood still. */
const PAUSE_MS = 1_000
/** After that the clock waits this long: what arrived meanwhile is to be read before anybody is judged. */
const CATCH_UP_MS = 1_000
/** A pulse later than this was held up by the hub's own work. */
const LATE_MS = 25
/** What is left of a wait below this is rounding. */
const ROUNDING_MS = 0.5

export class Awake implements Pick<Env, 'mono' | 'timer'> {
  private expectedAt: number | null = null
  private lostMs = 0
  /** The last pulse was that much behind. */
  private behindMs = 0
  /** What was read last. */
  private latest = 0

  /** `stoodStill` hears of every pause, with its length. */
  constructor(
    private readonly env: Pick<Env, 'mono' | 'timer'>,
    private readonly stoodStill: (ms: number) => void = () => {},
  ) {}

  /** Milliseconds, monotonic, fractional, like `env.mono()`; stands still while the hub does. */
  mono(): number {
    const now = this.env.mono()
    // Looked at here, too: after a pause other timers may run before the one that would have noticed.
    if (this.expectedAt !== null && now - this.expectedAt > PAUSE_MS) this.lose(now, now - this.expectedAt)
    this.latest = Math.max(this.latest, now - this.lostMs)
    return this.latest
  }

  /** The hub stood still just now: what it learns of its hosts in this moment is its own doing. */
  catchingUp(): boolean {
    return this.mono() > this.env.mono() - this.lostMs
  }

  /** The hub is busy with itself: what it measures now is its own delay. */
  late(): boolean {
    const overdueMs = this.expectedAt === null ? 0 : this.env.mono() - this.expectedAt
    return Math.max(overdueMs, this.behindMs) > LATE_MS || this.catchingUp()
  }

  /** As `env.timer`, but a wait during which the hub stood still takes as much longer. */
  timer(delayMs: number, work: () => void): Cancel {
    const until = this.mono() + delayMs
    let cancel: Cancel = () => {}
    const wait = (ms: number) => {
      cancel = this.env.timer(ms, () => {
        const leftMs = until - this.mono()
        if (leftMs > ROUNDING_MS) wait(leftMs)
        else work()
      })
    }
    wait(delayMs)
    return () => cancel()
  }

  /** Somebody's timer runs now, and promises the next pulse in `ms`. */
  pulse(ms: number): void {
    this.mono()
    const now = this.env.mono()
    this.behindMs = this.expectedAt === null ? 0 : now - this.expectedAt
    this.expectedAt = now + ms
  }

  /** No pulse is promised any more: until the next one nobody can tell a pause from idleness, and nobody has to. */
  rest(): void {
    this.expectedAt = null
  }

  private lose(now: number, lateMs: number): void {
    this.lostMs = now - this.latest + CATCH_UP_MS
    this.expectedAt = now
    this.stoodStill(lateMs)
  }
}
