// When an agent looks for a newer program: after it has linked, then every hour, and soon after a hub says that there is
// one; never all of a fleet at the same moment. And its part in a trial, by which the launcher judges a new program.
import type { Cancel, Env } from '../../sdk/env.ts'
import { reason } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Updates {
  /** Looks for a newer program and puts it in place. @throws HostError */
  install: (signal: AbortSignal) => Promise<void>
  /** This program is still starting its engine. */
  prolong: () => void
  /** This program works: it has reached its hub. */
  confirm: () => void
}

const HOUR_MS = 60 * 60_000
/** After the hub's word, hosts come within this time. */
const SOON_MS = 60_000
/** After the start. */
const FIRST_MS = 10 * 60_000
/** An engine may take its time to start: weights are many gigabytes. */
const STARTING_MS = 5_000
const MOST_PROLONGED_MS = 30 * 60_000

export class UpdateWatch {
  private next: Cancel = () => {}
  private sign: Cancel = () => {}
  private looking = false
  private readonly stopped = new AbortController()
  private proven = false

  constructor(
    private readonly env: Env,
    private readonly log: Log,
    private readonly updates: Updates,
    /** Starts what is in place, if it is newer. */
    private readonly renew: () => boolean,
  ) {}

  /** The engine is starting: until `linking`, the trial of a new program does not run out. */
  starting(since = this.env.mono()): void {
    if (this.env.mono() - since > MOST_PROLONGED_MS) return
    this.updates.prolong()
    this.sign = this.env.timer(STARTING_MS, () => this.starting(since))
  }

  linking(): void {
    this.sign()
  }

  linked(): void {
    if (this.proven) return
    this.proven = true
    this.updates.confirm()
    this.lookIn(FIRST_MS * this.chance())
  }

  /** A hub says that there is something newer. */
  soon(): void {
    if (this.proven) this.lookIn(SOON_MS * this.chance())
  }

  stop(): void {
    this.sign()
    this.next()
    this.stopped.abort()
  }

  private lookIn(ms: number): void {
    this.next()
    if (!this.stopped.signal.aborted) this.next = this.env.timer(ms, () => void this.look())
  }

  private async look(): Promise<void> {
    // By the time it is through, it has seen what the hub had to say.
    if (this.looking) return
    this.looking = true
    try {
      await this.updates.install(this.stopped.signal)
      if (!this.stopped.signal.aborted) this.renew()
    } catch (error) {
      if (!this.stopped.signal.aborted) this.log.warn('no update', { why: reason(error) })
    } finally {
      this.looking = false
      this.lookIn(HOUR_MS * (0.75 + 0.5 * this.chance()))
    }
  }

  private chance(): number {
    const bytes = this.env.random(2)
    return ((bytes[0] ?? 0) * 256 + (bytes[1] ?? 0)) / 65_536
  }
}
