// When this machine's line is measured: some minutes after it is linked, then as rarely as the hub says, and never by a
// whole fleet at the same moment. It is a few hundred kilobytes, mostly every six hours.
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Probed } from '../../sdk/network.ts'
import { reason } from '../errors.ts'
import type { Log } from '../log.ts'

export interface Linked {
  /** The hub's link address. */
  address: string
  /** The hub's id for this host. */
  host: string
}

export type Probe = (at: Linked, stopped: AbortSignal) => Promise<Probed>

/** After the start: between one and ten minutes. */
const FIRST_MS = 60_000
const FIRST_WITHIN_MS = 9 * 60_000
/** After one that failed, or while no hub is linked. */
const LATER_MS = 15 * 60_000
/** The hub's word, and up to a tenth more. */
const SPREAD = 0.1

export class LineWatch {
  private next: Cancel = () => {}
  private begun = false
  private readonly stopped = new AbortController()

  constructor(
    private readonly env: Env,
    private readonly log: Log,
    private readonly probe: Probe,
    private readonly linked: () => Linked | null,
  ) {}

  /** A hub has welcomed this host. */
  start(): void {
    if (this.begun) return
    this.begun = true
    this.again(FIRST_MS + FIRST_WITHIN_MS * this.chance())
  }

  stop(): void {
    this.next()
    this.stopped.abort()
  }

  private again(ms: number): void {
    if (!this.stopped.signal.aborted) this.next = this.env.timer(ms, () => void this.measure())
  }

  private async measure(): Promise<void> {
    const at = this.linked()
    let waitMs = LATER_MS
    try {
      if (at) {
        const { againSeconds, downMbits, upMbits } = await this.probe(at, this.stopped.signal)
        waitMs = againSeconds * 1_000
        this.log.info('the hub measured the line', { downMbits, upMbits })
      }
    } catch (error) {
      if (!this.stopped.signal.aborted) this.log.info('the line could not be measured', { why: reason(error) })
    }
    this.again(waitMs * (1 + SPREAD * this.chance()))
  }

  private chance(): number {
    return this.env.random(1)[0]! / 256
  }
}
