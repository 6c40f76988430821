// The hubs of this deployment, each a row that its process keeps fresh. What a hub that is gone left behind is removed
// by those that live.
import { and, eq, gt, inArray, isNull, lt, ne } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'

const EVERY_MS = 5_000
/** A hub that was not seen for this long is gone. */
export const HUB_GONE_MS = 30_000

export interface Hub {
  /** New at every start of the process. */
  id: string
  /** Where hosts reach this very hub; null for a hub that is alone. */
  selfUrl: string | null
}

export class Hubs {
  private addresses: string[] = []
  private stopTimer: Cancel | null = null
  private stopped = false

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly log: Log,
    private readonly self: Hub,
  ) {}

  /** Where hosts link to, every hub of the deployment; empty when this one is alone. */
  links(): string[] {
    return this.addresses
  }

  /** Announces this hub, and removes what earlier processes at its address left. */
  async start(): Promise<void> {
    const { hubs } = this.db.tables
    const now = this.env.now()
    await transaction(this.db, async (tx) => {
      const here = this.self.selfUrl === null ? isNull(hubs.selfUrl) : eq(hubs.selfUrl, this.self.selfUrl)
      await this.remove(
        tx,
        await tx
          .select({ id: hubs.id })
          .from(hubs)
          .where(and(here, ne(hubs.id, this.self.id))),
      )
      await tx.insert(hubs).values({ ...this.self, startedAt: now, seenAt: now })
    })
    await this.refresh()
    this.again()
  }

  /** Takes this hub and its links out. */
  async stop(): Promise<void> {
    this.stopped = true
    this.stopTimer?.()
    await transaction(this.db, (tx) => this.remove(tx, [this.self]))
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
    const { hubs } = this.db.tables
    const now = this.env.now()
    await transaction(this.db, async (tx) => {
      await tx.update(hubs).set({ seenAt: now }).where(eq(hubs.id, this.self.id))
      await this.remove(
        tx,
        await tx
          .select({ id: hubs.id })
          .from(hubs)
          .where(lt(hubs.seenAt, now - HUB_GONE_MS)),
      )
    })
    const alive = await this.db.query
      .select({ selfUrl: hubs.selfUrl })
      .from(hubs)
      .where(gt(hubs.seenAt, now - HUB_GONE_MS))
      .orderBy(hubs.startedAt, hubs.id)
    this.addresses = alive
      .flatMap(({ selfUrl }) => (selfUrl === null ? [] : [linkAddress(selfUrl)]))
      .slice(0, MOST_HUBS)
  }

  private async remove(tx: Queries, gone: { id: string }[]): Promise<void> {
    if (gone.length === 0) return
    const { hubs, links } = this.db.tables
    const ids = gone.map(({ id }) => id)
    await tx.delete(links).where(inArray(links.hubId, ids))
    await tx.delete(hubs).where(inArray(hubs.id, ids))
  }
}

/** As many as a welcome lists. */
const MOST_HUBS = 64

/** `https://hub.example` → `wss://hub.example/hosts/link`. */
export function linkAddress(selfUrl: string): string {
  const url = new URL('/hosts/link', selfUrl)
  url.protocol = url.protocol === 'http:' || url.protocol === 'ws:' ? 'ws:' : 'wss:'
  return url.href
}
