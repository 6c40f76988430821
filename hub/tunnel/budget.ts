// What one host may send in all, whatever its streams are allowed: far above what engines produce, far below what
// would keep the hub from its other hosts.
import type { Env } from '../../sdk/env.ts'

export const BYTES_PER_SECOND = 16 * 1024 * 1024
export const FRAMES_PER_SECOND = 20_000
/** Seconds' worth that may come at once: all windows of a busy link, after the hub or the network paused. */
const BURST_SECONDS = 4

export class Budget {
  private bytes = BYTES_PER_SECOND * BURST_SECONDS
  private frames = FRAMES_PER_SECOND * BURST_SECONDS
  private filledAt: number

  constructor(private readonly env: Pick<Env, 'mono'>) {
    this.filledAt = env.mono()
  }

  /** Whether the host may have sent this. */
  spend({ bytes, frames }: { bytes: number; frames: number }): boolean {
    this.bytes -= bytes
    this.frames -= frames
    if (this.bytes < 0 || this.frames < 0) this.fill()
    return this.bytes >= 0 && this.frames >= 0
  }

  /** Only when it seems used up: reading the clock for every message would cost more than counting it. */
  private fill(): void {
    const now = this.env.mono()
    const seconds = (now - this.filledAt) / 1_000
    this.filledAt = now
    this.bytes = Math.min(this.bytes + BYTES_PER_SECOND * seconds, BYTES_PER_SECOND * BURST_SECONDS)
    this.frames = Math.min(this.frames + FRAMES_PER_SECOND * seconds, FRAMES_PER_SECOND * BURST_SECONDS)
  }
}
