// How many a second, lately: counted in windows of some seconds, the last whole one and the one under way.

const WINDOW_MS = 5_000

export class Turnover {
  private startedAt = Number.NEGATIVE_INFINITY
  private now = 0
  private before = 0

  /** One more. `at` is monotonic, milliseconds, and never less than the last. */
  count(at: number): void {
    this.turn(at)
    this.now++
  }

  perSecond(at: number): number {
    this.turn(at)
    return (Math.max(this.now, this.before) / WINDOW_MS) * 1_000
  }

  private turn(at: number): void {
    const windows = Math.floor((at - this.startedAt) / WINDOW_MS)
    if (windows === 0) return
    this.before = windows === 1 ? this.now : 0
    this.now = 0
    this.startedAt = at
  }
}
