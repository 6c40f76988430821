// Keeps an eye on the engine: one that died must not be sent requests, and one that is back should be.
import type { Cancel, Env } from '../../sdk/env.ts'
import { HostError, printable } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Offer } from '../offer.ts'
import type { Engine } from './engine.ts'

const LOOK_MS = 15_000
const LOOK_AGAIN_MS = 3_000
/** A busy engine may miss one look. */
const MISSES = 2

export class EngineWatch {
  private next: Cancel
  private misses = 0
  private looking = false
  private readonly stopped = new AbortController()

  constructor(
    private readonly env: Env,
    private readonly log: Log,
    private readonly engine: Engine,
    private readonly offer: Offer,
  ) {
    this.next = env.timer(LOOK_MS, () => void this.look())
  }

  /** Something went wrong with it just now: look at once rather than later. */
  doubt(): void {
    void this.look()
  }

  stop(): void {
    this.next()
    this.stopped.abort()
  }

  private async look(): Promise<void> {
    if (this.looking || this.stopped.signal.aborted) return
    this.looking = true
    this.next()
    const well = this.misses < MISSES ? await this.engine.alive(this.stopped.signal) : await this.backAgain()
    this.looking = false
    if (this.stopped.signal.aborted) return
    this.report(well)
    this.offer.compare()
    this.next = this.env.timer(well ? LOOK_MS : LOOK_AGAIN_MS, () => void this.look())
  }

  /** An engine that was gone has to prove itself as it did at first. */
  private async backAgain(): Promise<boolean> {
    try {
      await this.engine.start(this.stopped.signal)
      return true
    } catch (error) {
      // One that this program runs knows why it ended.
      if (error instanceof HostError && !this.stopped.signal.aborted)
        this.offer.hold('engine', printable(error.message))
      return false
    }
  }

  private report(well: boolean): void {
    if (well && this.misses >= MISSES) {
      this.log.info('the engine works again')
      this.offer.hold('engine', null)
    }
    this.misses = well ? 0 : this.misses + 1
    if (this.misses === MISSES) {
      this.log.error('the engine does not answer; nothing new is taken until it does')
      this.offer.hold('engine', 'the engine does not answer')
    }
  }
}
