// The wish to stop, whoever has it: the owner, the system, an update. What runs may finish within a grace, which can
// become shorter and never longer.
import type { Cancel, Env } from '../../sdk/env.ts'

/** What follows once the agent has stopped. An end that somebody asked for is not undone by an update. */
export type Afterwards = 'end' | 'restart'

export class Stopping {
  private readonly politely = new AbortController()
  private readonly atOnce = new AbortController()
  private until = Number.POSITIVE_INFINITY
  private cancel: Cancel = () => {}
  private next: Afterwards = 'restart'

  /** Aborts when the agent should take nothing new, let finish what runs, and end. */
  readonly soon: AbortSignal = this.politely.signal
  /** Aborts when the grace is over: from here on nothing is waited for. */
  readonly now: AbortSignal = this.atOnce.signal

  constructor(private readonly env: Pick<Env, 'mono' | 'timer'>) {}

  get afterwards(): Afterwards {
    return this.next
  }

  /** `graceMs` 0 means at once. */
  ask({ graceMs, afterwards = 'end' }: { graceMs: number; afterwards?: Afterwards }): void {
    if (afterwards === 'end') this.next = 'end'
    const until = this.env.mono() + graceMs
    if (until < this.until) {
      this.until = until
      this.cancel()
      if (graceMs <= 0) this.atOnce.abort()
      else this.cancel = this.env.timer(graceMs, () => this.atOnce.abort())
    }
    this.politely.abort()
  }

  /** The agent has stopped: no timer is left behind. */
  over(): void {
    this.cancel()
  }
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
