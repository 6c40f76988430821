import { type Env, sleep } from '../../sdk/env.ts'

/** Lets bytes through no faster than said, over all that share it. */
export class Throttle {
  /** When the bytes taken so far are paid for. */
  private paidAt: number

  constructor(
    private readonly env: Env,
    private readonly bytesPerSecond: number | null,
  ) {
    this.paidAt = env.mono()
  }

  async take(bytes: number, signal: AbortSignal): Promise<void> {
    if (this.bytesPerSecond === null) return
    const now = this.env.mono()
    this.paidAt = Math.max(this.paidAt, now) + (bytes / this.bytesPerSecond) * 1_000
    if (this.paidAt > now) await sleep(this.env, this.paidAt - now, signal)
  }
}
