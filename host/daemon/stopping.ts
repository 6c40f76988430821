/** The owner's wish to stop: first politely, then now. Both only ever go one way. */
export class Stopping {
  private readonly politely = new AbortController()
  private readonly atOnce = new AbortController()

  /** Aborts when the agent should finish what runs and end. */
  readonly soon: AbortSignal = this.politely.signal
  /** Aborts when it should end without finishing. */
  readonly now: AbortSignal = this.atOnce.signal

  ask(how: 'soon' | 'now'): void {
    if (how === 'now') this.atOnce.abort()
    this.politely.abort()
  }
}

/** Resolves when `signal` aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
