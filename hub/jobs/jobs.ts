// What happens again and again beside the requests. One table of them, in hub.ts; each runs by itself, and never twice
// at a time. Where several hubs share a database, a job sees to it that they do not do the same thing twice.
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'

export interface Job {
  name: string
  everyMs: number
  /** @returns how much was done; above zero it is asked again at once. */
  run(): Promise<number>
}

/** Rounds without a pause: a job that always finds more must not keep the hub busy. */
const MOST_ROUNDS = 50

export class Jobs {
  private readonly cancels = new Map<string, Cancel>()
  private readonly running = new Set<Promise<void>>()
  private stopped = false

  constructor(
    private readonly env: Env,
    private readonly log: Log,
    private readonly jobs: readonly Job[],
  ) {}

  start(): void {
    for (const job of this.jobs) this.again(job)
  }

  /** Resolves when nothing of it runs any more. */
  async stop(): Promise<void> {
    this.stopped = true
    for (const cancel of this.cancels.values()) cancel()
    await Promise.all(this.running)
  }

  private again(job: Job): void {
    if (this.stopped) return
    const cancel = this.env.timer(job.everyMs, () => {
      const done = this.run(job).finally(() => {
        this.running.delete(done)
        this.again(job)
      })
      this.running.add(done)
    })
    this.cancels.set(job.name, cancel)
  }

  private async run(job: Job): Promise<void> {
    try {
      for (let round = 0; round < MOST_ROUNDS && !this.stopped; round++) if ((await job.run()) === 0) return
    } catch (error) {
      // A database that is away for a moment: the next time does it.
      this.log.warn('job failed', { job: job.name, error: String(error) })
    }
  }
}
