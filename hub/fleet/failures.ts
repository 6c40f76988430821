// The memory of what failed on each host: the last of it with evidence, all of it as counts by day and class. Noted in
// memory and written in the background, many at a time: no request waits for it.
import { and, desc, eq, getTableColumns, gte, inArray, lt, sql } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { type FailureClass, failureClasses } from '../../db/schema/fleet.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { WriteBehind } from './write-behind.ts'

export interface HostFailure {
  hostId: string
  variant: string
  class: FailureClass
  code: string
  /** For people: never a prompt or an answer. */
  message: string
  /** The client's own name for the request: for the hub's team, never for the host's owner. */
  requestId: string
  attempt: number
  /** Produced before it failed. */
  tokens: number
}

export type FailureCounts = Record<FailureClass, number>

/** Kept with evidence, for each host. */
export const KEPT_FAILURES = 50
export const KEPT_DAYS = 90
const SOON_MS = 500
const AFTER_FAILURE_MS = 5_000
const MOST_HOSTS_AT_ONCE = 100
const DAY_MS = 24 * 60 * 60_000

interface Waiting {
  failures: (HostFailure & { id: string; at: number })[]
  /** By day and class. */
  counts: Map<string, { day: number; class: FailureClass; count: number }>
}

export class FailureBook {
  /** By host. However many failures come while the database is away, the size of this follows the number of hosts. */
  private readonly waiting: WriteBehind<Waiting>

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    log: Log,
  ) {
    this.waiting = new WriteBehind({
      ...{ env, log, what: 'cannot write what failed on hosts' },
      ...{ soonMs: SOON_MS, afterFailureMs: AFTER_FAILURE_MS, mostAtOnce: MOST_HOSTS_AT_ONCE },
      write: (batch) => transaction(db, (tx) => this.keep(tx, batch)),
      join,
    })
  }

  note(failure: HostFailure): void {
    const now = this.env.now()
    const waiting: Waiting = this.waiting.get(failure.hostId) ?? { failures: [], counts: new Map() }
    waiting.failures.push({ ...failure, id: newId(this.env, 'failure'), at: now })
    if (waiting.failures.length > KEPT_FAILURES) waiting.failures.shift()
    count(waiting, dayOf(now), failure.class, 1)
    this.waiting.set(failure.hostId, waiting)
  }

  /** Writes what is not yet written; at the end of a hub's life. */
  flush(): Promise<void> {
    return this.waiting.flush()
  }

  private async keep(tx: Queries, batch: [string, Waiting][]): Promise<void> {
    const { failures, failureDays, hosts } = this.db.tables
    const asked = batch.map(([hostId]) => hostId)
    // A host may have been removed meanwhile.
    const here = await tx.select({ id: hosts.id }).from(hosts).where(inArray(hosts.id, asked))
    const known = new Set(here.map(({ id }) => id))
    const rows = batch.filter(([hostId]) => known.has(hostId))
    if (rows.length === 0) return
    for (const page of pages(rows.flatMap(([, waiting]) => waiting.failures)))
      await tx.insert(failures).values(page).onConflictDoNothing()
    await tx
      .insert(failureDays)
      .values(rows.flatMap(([hostId, { counts }]) => [...counts.values()].map((each) => ({ hostId, ...each }))))
      .onConflictDoUpdate({
        target: [failureDays.hostId, failureDays.day, failureDays.class],
        set: { count: sql`${failureDays.count} + excluded.count` },
      })
    await this.forget(tx, [...known])
  }

  /** All but the last failures of these hosts, and days long ago. */
  private async forget(tx: Queries, hostIds: string[]): Promise<void> {
    const { failures, failureDays } = this.db.tables
    const ranked = tx
      .select({
        id: failures.id,
        place:
          sql<number>`row_number() over (partition by ${failures.hostId} order by ${failures.at} desc, ${failures.id} desc)`.as(
            'place',
          ),
      })
      .from(failures)
      .where(inArray(failures.hostId, hostIds))
      .as('ranked')
    await tx
      .delete(failures)
      .where(
        inArray(failures.id, tx.select({ id: ranked.id }).from(ranked).where(sql`${ranked.place} > ${KEPT_FAILURES}`)),
      )
    const oldest = dayOf(this.env.now()) - KEPT_DAYS * DAY_MS
    await tx.delete(failureDays).where(and(inArray(failureDays.hostId, hostIds), lt(failureDays.day, oldest)))
  }
}

function join(older: Waiting, newer: Waiting): Waiting {
  newer.failures = [...older.failures, ...newer.failures].slice(-KEPT_FAILURES)
  for (const each of older.counts.values()) count(newer, each.day, each.class, each.count)
  return newer
}

export interface ToldFailure extends HostFailure {
  at: number
}

/** The last failures of a host, newest first. */
export async function failuresOf(db: Db, hostId: string): Promise<ToldFailure[]> {
  const { failures } = db.tables
  const { id, ...told } = getTableColumns(failures)
  return db.query
    .select(told)
    .from(failures)
    .where(eq(failures.hostId, hostId))
    .orderBy(desc(failures.at), desc(id))
    .limit(KEPT_FAILURES)
}

/** How many attempts failed on these hosts since the day of `since` (UTC) began, by whose trouble it was. */
export async function failureCounts(db: Db, since: number, hostIds: string[]): Promise<Map<string, FailureCounts>> {
  const { failureDays } = db.tables
  const counts = new Map<string, FailureCounts>()
  for (const ids of pages(hostIds)) {
    const rows = await db.query
      .select({
        hostId: failureDays.hostId,
        class: failureDays.class,
        count: sql`sum(${failureDays.count})`.mapWith(Number),
      })
      .from(failureDays)
      .where(and(inArray(failureDays.hostId, ids), gte(failureDays.day, dayOf(since))))
      .groupBy(failureDays.hostId, failureDays.class)
    for (const row of rows) {
      const ofHost = counts.get(row.hostId) ?? noFailures()
      counts.set(row.hostId, ofHost)
      ofHost[row.class] = row.count
    }
  }
  return counts
}

export function noFailures(): FailureCounts {
  return Object.fromEntries(failureClasses.map((each) => [each, 0])) as FailureCounts
}

function count({ counts }: Waiting, day: number, whose: FailureClass, times: number): void {
  const key = `${day} ${whose}`
  const before = counts.get(key)?.count ?? 0
  counts.set(key, { day, class: whose, count: before + times })
}

/** Midnight UTC before `at`. */
function dayOf(at: number): number {
  return Math.floor(at / DAY_MS) * DAY_MS
}

/** Below both databases' limit of parameters. */
function* pages<T>(rows: T[], size = 500): Generator<T[]> {
  for (let at = 0; at < rows.length; at += size) yield rows.slice(at, at + size)
}
