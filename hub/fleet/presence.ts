// Writes down which hosts are linked to this hub, for people and for other processes. Only changes of state are
// written, never a beat, and only the latest of each host: a thousand hosts that return cost a few statements.
import { and, eq, inArray, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { WriteBehind } from './write-behind.ts'

export interface Present {
  epoch: number
  state: LinkState
  /** Variants on offer. */
  models: string[]
  /** One start of the host's program, as it says. */
  run: string | null
  /** Why it takes nothing new, in its own word. */
  rests: string | null
}

const SOON_MS = 50
const AFTER_FAILURE_MS = 1_000
const MOST_AT_ONCE = 200

interface Change extends Present {
  tripped: string[]
  /** Of its state. */
  since: number
}

export class Presence {
  private readonly changes: WriteBehind<Change | 'gone'>
  private readonly here = new Map<string, { told: Present; change: Change }>()
  /** Variants that sit out, by host; also of hosts that are not here. */
  private readonly out = new Map<string, string[]>()

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    log: Log,
    private hubId: string,
  ) {
    this.changes = new WriteBehind({
      ...{ env, log, what: 'cannot write which hosts are linked' },
      ...{ soonMs: SOON_MS, afterFailureMs: AFTER_FAILURE_MS, mostAtOnce: MOST_AT_ONCE },
      write: (batch) => this.write(batch),
    })
  }

  set(hostId: string, present: Present): void {
    this.change(hostId, present)
  }

  /** These variants of the host sit out, because requests failed on them; none: it is trusted again. */
  tripped(hostId: string, variants: string[]): void {
    if (variants.length > 0) this.out.set(hostId, variants)
    else this.out.delete(hostId)
    const here = this.here.get(hostId)
    if (here) this.change(hostId, here.told)
  }

  /** This hub has another id now; what was written under the one before is removed with it. */
  movesTo(hubId: string): void {
    this.hubId = hubId
    for (const [hostId, { change }] of this.here) this.changes.set(hostId, change)
  }

  gone(hostId: string): void {
    this.here.delete(hostId)
    this.changes.set(hostId, 'gone')
  }

  /** Writes what is not yet written; at the end of a hub's life. */
  flush(): Promise<void> {
    return this.changes.flush()
  }

  private change(hostId: string, told: Present): void {
    const tripped = told.models.filter((model) => this.out.get(hostId)?.includes(model))
    const state = told.state === 'ready' && tripped.length === told.models.length ? 'tripped' : told.state
    const before = this.here.get(hostId)?.change
    const since = before?.state === state ? before.since : this.env.now()
    const change = { ...told, state, tripped, since }
    this.here.set(hostId, { told, change })
    this.changes.set(hostId, change)
  }

  private write(batch: [string, Change | 'gone'][]): Promise<void> {
    return transaction(this.db, async (tx) => {
      const { hosts, links } = this.db.tables
      const rows = batch.flatMap(([hostId, change]) =>
        change === 'gone' ? [] : [{ hostId, hubId: this.hubId, ...change }],
      )
      const gone = batch.flatMap(([hostId, change]) => (change === 'gone' ? [hostId] : []))
      if (rows.length > 0)
        await tx
          .insert(links)
          .values(rows)
          .onConflictDoUpdate({ target: [links.hostId, links.hubId], set: fromInsert })
      if (gone.length === 0) return
      await tx.delete(links).where(and(eq(links.hubId, this.hubId), inArray(links.hostId, gone)))
      await tx.update(hosts).set({ seenAt: this.env.now() }).where(inArray(hosts.id, gone))
    })
  }
}

const fromInsert = {
  epoch: sql`excluded.epoch`,
  state: sql`excluded.state`,
  models: sql`excluded.models`,
  tripped: sql`excluded.tripped`,
  run: sql`excluded.run`,
  rests: sql`excluded.rests`,
  since: sql`excluded.since`,
}
