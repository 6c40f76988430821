// Two machines with one identity, each linked to another hub, never meet. They show in the database: links of one host
// from two programs that stay side by side for longer than any lost link or dead hub takes to be cleared away.
import { inArray, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { lockHost } from './locks.ts'

const EVERY_MS = 5_000
/** Looks, no clock of another machine: a minute. */
const LOOKS = 12

export class Doubles {
  /** By host: which links stood side by side, and in how many looks. */
  private seen = new Map<string, { links: string; looks: number }>()
  private stopTimer: Cancel | null = null
  private stopped = false

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly log: Log,
    /** Alone there is nobody to compare with. */
    private readonly alone: () => boolean,
  ) {}

  start(): void {
    if (!this.stopped) this.stopTimer = this.env.timer(EVERY_MS, () => void this.round())
  }

  stop(): void {
    this.stopped = true
    this.stopTimer?.()
  }

  private async round(): Promise<void> {
    try {
      if (!this.alone()) await this.look()
    } catch (error) {
      this.log.error('cannot look for hosts that are two', { error: String(error) })
    }
    this.start()
  }

  private async look(): Promise<void> {
    const { hosts, links } = this.db.tables
    const doubled = await this.db.query
      .select({ hostId: links.hostId })
      .from(links)
      .groupBy(links.hostId)
      .having(sql`count(distinct ${links.run}) > 1`)
    if (doubled.length === 0) return this.seen.clear()
    const ids = doubled.map(({ hostId }) => hostId)
    const rows = await this.db.query.select().from(links).where(inArray(links.hostId, ids)).orderBy(links.hubId)
    const owners = await this.db.query.select().from(hosts).where(inArray(hosts.id, ids))
    const before = this.seen
    this.seen = new Map()
    for (const { id: hostId, tokenId } of owners) {
      const together = rows.filter((row) => row.hostId === hostId).map(({ hubId, epoch }) => `${hubId} ${epoch}`)
      const same = together.join()
      const looks = before.get(hostId)?.links === same ? before.get(hostId)!.looks + 1 : 1
      this.seen.set(hostId, { links: same, looks })
      if (looks < LOOKS) continue
      this.log.warn('two machines are one host, at different hubs: locked', { host: hostId })
      await lockHost(this.env, this.db, { hostId, tokenIds: [tokenId] })
    }
  }
}
