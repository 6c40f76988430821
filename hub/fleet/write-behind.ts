// What the database does not know yet, by key: gathered, and written in the background, many at a time, so that nobody
// waits for it. What cannot be written is tried again, together with what has come since.
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'

interface Options<News> {
  env: Pick<Env, 'timer'>
  log: Log
  /** What cannot be done when it fails, as in `cannot write which hosts are linked`. */
  what: string
  soonMs: number
  afterFailureMs: number
  mostAtOnce: number
  /** All of the batch, in one transaction. */
  write: (batch: [key: string, news: News][]) => Promise<void>
  /** Of two things to be written under one key. By default the newer stands for both. */
  join?: (older: News, newer: News) => News
}

export class WriteBehind<News> {
  private readonly waiting = new Map<string, News>()
  private stopTimer: Cancel | null = null
  private writing: Promise<void> | null = null
  private failing = false

  constructor(private readonly options: Options<News>) {}

  get(key: string): News | undefined {
    return this.waiting.get(key)
  }

  /** Stands for what waited under that key. */
  set(key: string, news: News): void {
    this.waiting.set(key, news)
    this.schedule(this.options.soonMs)
  }

  /** Writes what is not yet written; at the end of a hub's life. Rejects when that cannot be done. */
  async flush(): Promise<void> {
    this.stopTimer?.()
    this.stopTimer = null
    await this.writing
    while (this.waiting.size > 0) await this.write()
  }

  private schedule(delayMs: number): void {
    if (this.stopTimer || this.writing) return
    this.stopTimer = this.options.env.timer(delayMs, () => {
      this.stopTimer = null
      this.writing = this.writeAll()
    })
  }

  private async writeAll(): Promise<void> {
    const { log, what, soonMs, afterFailureMs } = this.options
    try {
      while (this.waiting.size > 0) await this.write()
      this.failing = false
    } catch (error) {
      if (!this.failing) log.error(what, { error: String(error), waiting: this.waiting.size })
      this.failing = true
    }
    this.writing = null
    if (this.waiting.size > 0) this.schedule(this.failing ? afterFailureMs : soonMs)
  }

  private async write(): Promise<void> {
    const { write, mostAtOnce, join = (_, newer) => newer } = this.options
    // Sorted: hubs that write of the same things lock their rows in the same order.
    const batch = [...this.waiting].sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, mostAtOnce)
    for (const [key] of batch) this.waiting.delete(key)
    try {
      await write(batch)
    } catch (error) {
      for (const [key, older] of batch) {
        const newer = this.waiting.get(key)
        this.waiting.set(key, newer === undefined ? older : join(older, newer))
      }
      throw error
    }
  }
}
