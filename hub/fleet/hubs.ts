// The hubs of this deployment, as hosts see them. Each hub's row is kept fresh by its ledger; here it is only read, and
// the links that a hub which is gone left behind are removed.
import { notInArray } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'

const EVERY_MS = 5_000
/** A hub whose ledger did not say so for this long is gone. */
export const HUB_GONE_MS = 30_000
/** As many as a welcome lists. */
const MOST_HUBS = 64

export class Hubs {
  private addresses: string[] = []
  private count = 1
  private stopTimer: Cancel | null = null
  private stopped = false

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly log: Log,
  ) {}

  /** Where hosts link to, every hub of the deployment; empty when none has an address of its own. The same until it changes. */
  links(): string[] {
    return this.addresses
  }

  /** No other hub works on this database. */
  alone(): boolean {
    return this.count <= 1
  }

  async start(): Promise<void> {
    await this.refresh()
    this.again()
  }

  stop(): void {
    this.stopped = true
    this.stopTimer?.()
  }

  private again(): void {
    if (!this.stopped) this.stopTimer = this.env.timer(EVERY_MS, () => void this.round())
  }

  private async round(): Promise<void> {
    try {
      await this.refresh()
    } catch (error) {
      this.log.error('cannot refresh the list of hubs', { error: String(error) })
    }
    this.again()
  }

  private async refresh(): Promise<void> {
    const { hubs, links } = this.db.tables
    const alive = await this.db.query
      .select({ id: hubs.id, selfUrl: hubs.selfUrl })
      .from(hubs)
      .orderBy(hubs.startedAt, hubs.id)
    this.count = alive.length
    const addresses = alive
      .flatMap(({ selfUrl }) => (selfUrl === null ? [] : [linkAddress(selfUrl)]))
      .slice(0, MOST_HUBS)
    if (addresses.join() !== this.addresses.join()) this.addresses = addresses
    // In one statement: a hub that enrols meanwhile keeps what it wrote.
    if (alive.length > 0)
      await this.db.query.delete(links).where(notInArray(links.hubId, this.db.query.select({ id: hubs.id }).from(hubs)))
  }
}

/** `https://hub.example` → `wss://hub.example/hosts/link`. */
export function linkAddress(selfUrl: string): string {
  const url = new URL('/hosts/link', selfUrl)
  url.protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'ws:' : 'wss:'
  return url.href
}
