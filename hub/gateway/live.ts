// The runs whose clients have not been told everything yet: a hub that stops waits for them, and in the end gives those
// that are left a last word.
import { HubError } from '../errors.ts'

export class Live<Run extends { abort(reason: HubError): void }> {
  private readonly runs = new Set<Run>()
  private over = false
  private waiting: (() => void)[] = []

  /** The hub waits for nobody any more: who loses an answer now was cut off by it. */
  get ended(): boolean {
    return this.over
  }

  get size(): number {
    return this.runs.size
  }

  /** One that comes too late, such as a request that waited for its money, is told so at once. */
  enter(run: Run): void {
    this.runs.add(run)
    if (this.over) run.abort(stopping())
  }

  leave(run: Run): void {
    if (!this.runs.delete(run) || this.size > 0) return
    for (const resolve of this.waiting.splice(0)) resolve()
  }

  /** Resolves when nobody is left. */
  async empty(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  /** Ends all of them: each client gets the documented error, and nothing is billed. */
  end(): void {
    this.over = true
    for (const run of this.runs) run.abort(stopping())
  }
}

function stopping(): HubError {
  const message = 'This hub is stopping and could not finish the answer in time. Nothing was billed. Try again.'
  return new HubError('hub_unavailable', message)
}
