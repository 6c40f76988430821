// What this hub sees of its hosts' connections: round trips of beats, and links that were lost. Kept in a few bytes a
// host; only what is news is written down, in the background, for all hubs to judge alike (network-round.ts).
import { inArray, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { LOSSES_WITHIN_MS } from './network.ts'
import { RoundTrips } from './round-trips.ts'
import { WriteBehind } from './write-behind.ts'

const SOON_MS = 10_000
const AFTER_FAILURE_MS = 30_000
const MOST_AT_ONCE = 200
/** More than any minimum allows. */
const MOST_LOSSES = 16
const MOST_LOSERS = 20_000
/** When half of the links are lost within this time, it is this hub's own line that broke. */
const TOGETHER_MS = 15_000
const LEAST_TOGETHER = 3

export class NetworkBook {
  private readonly trips = new RoundTrips()
  private links = 0
  /** Of hosts that lost a link lately; the least recent first. */
  private readonly losses = new Map<string, number[]>()
  /** Losses that may yet turn out to be the hub's own. */
  private fresh: { hosts: string[]; of: number; settle: Cancel } | null = null
  /** The median, or null where only losses are news. */
  private readonly changes: WriteBehind<number | null>

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly log: Log,
    /** Another one once this hub was thought dead. */
    private readonly hubId: () => string,
  ) {
    this.changes = new WriteBehind({
      ...{ env, log, what: 'cannot write how good hosts’ connections are' },
      ...{ soonMs: SOON_MS, afterFailureMs: AFTER_FAILURE_MS, mostAtOnce: MOST_AT_ONCE },
      write: (batch) => this.write(batch),
      join: (older, newer) => newer ?? older,
    })
  }

  joined(): number {
    this.links++
    return this.trips.take()
  }

  due(slot: number): boolean {
    return this.trips.due(slot)
  }

  measured({ hostId, slot }: { hostId: string; slot: number }, ms: number): void {
    const news = this.trips.note(slot, ms)
    if (news !== null) this.changes.set(hostId, news)
  }

  left({ hostId, slot }: { hostId: string; slot: number }, lost: boolean): void {
    if (lost) this.lost(hostId)
    this.links--
    this.trips.release(slot)
  }

  /** Writes what is not yet written; at the end of a hub's life. */
  flush(): Promise<void> {
    this.settle()
    return this.changes.flush()
  }

  private lost(hostId: string): void {
    this.fresh ??= { hosts: [], of: this.links, settle: this.env.timer(TOGETHER_MS, () => this.settle()) }
    this.fresh.hosts.push(hostId)
  }

  private settle(): void {
    const { fresh } = this
    this.fresh = null
    if (!fresh) return
    fresh.settle()
    const hosts = new Set(fresh.hosts)
    if (hosts.size >= LEAST_TOGETHER && hosts.size * 2 >= fresh.of)
      return this.log.warn('half of the links were lost at once: no host is blamed', { hosts: hosts.size })
    const now = this.env.now()
    for (const hostId of fresh.hosts) {
      const before = this.losses.get(hostId) ?? []
      this.losses.delete(hostId)
      this.losses.set(hostId, [...before.filter((at) => at > now - LOSSES_WITHIN_MS), now].slice(-MOST_LOSSES))
      this.forgetOldest()
      this.changes.set(hostId, this.changes.get(hostId) ?? null)
    }
  }

  private forgetOldest(): void {
    if (this.losses.size <= MOST_LOSERS) return
    for (const oldest of this.losses.keys()) return void this.losses.delete(oldest)
  }

  private write(batch: [string, number | null][]): Promise<void> {
    return transaction(this.db, async (tx) => {
      const { hosts, networkSightings } = this.db.tables
      const ids = batch.map(([hostId]) => hostId)
      // A host may have been removed meanwhile.
      const here = new Set((await tx.select({ id: hosts.id }).from(hosts).where(inArray(hosts.id, ids))).map(idOf))
      const at = this.env.now()
      const rows = batch.flatMap(([hostId, roundTripMs]) =>
        here.has(hostId)
          ? [{ hostId, hubId: this.hubId(), roundTripMs, losses: this.losses.get(hostId) ?? [], at }]
          : [],
      )
      if (rows.length === 0) return
      await tx
        .insert(networkSightings)
        .values(rows)
        .onConflictDoUpdate({
          target: [networkSightings.hostId, networkSightings.hubId],
          set: {
            roundTripMs: sql`coalesce(excluded.round_trip_ms, ${networkSightings.roundTripMs})`,
            losses: sql`excluded.losses`,
            at: sql`excluded.at`,
          },
        })
    })
  }
}

const idOf = ({ id }: { id: string }) => id
