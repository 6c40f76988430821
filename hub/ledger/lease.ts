// That this hub lives, told to the others; and what is done for hubs that died: their grants are released, and what they
// charged without delivering is refunded. Nobody's clock is compared with anybody else's: a hub is dead when its row has
// stood still while this hub looked at it several times.
import { and, eq, isNotNull, ne, not, notExists, notInArray } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import { clientAccount } from '../identity/users.ts'
import type { Log } from '../log.ts'
import type { Item } from './items.ts'
import type { Writer } from './writer.ts'

const BEAT_MS = 5_000
/** Looks, one a beat: 30 seconds. A hub that was paused itself counts no look it did not make. */
const SILENT_LOOKS = 6
const SWEEP_ROWS = 100

interface LeaseOptions {
  selfUrl: string | null
  /** No other hub can be alive beside this one. */
  alone: boolean
  log: Log
}

export class Lease {
  private readonly seen = new Map<string, { seenAt: number; looks: number }>()
  private beat: Cancel | null = null
  private looking: Promise<void> | null = null
  private stopped = false

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly writer: Writer,
    private readonly enrolment: { id(): string },
    private readonly options: LeaseOptions,
  ) {}

  /** Enrols, and clears up after whoever must be dead: everybody else on this file, or an earlier hub at this address. */
  async start(): Promise<void> {
    const { selfUrl, alone } = this.options
    const id = this.enrolment.id()
    await this.writer.ask({ kind: 'enrol', selfUrl })
    const { hubs } = this.db.tables
    const another = ne(hubs.id, id)
    if (alone) await this.db.query.delete(hubs).where(another)
    else if (selfUrl !== null) await this.db.query.delete(hubs).where(and(another, eq(hubs.selfUrl, selfUrl)))
    await this.sweep()
    this.next()
  }

  /** Leaves: what this hub still has set aside is free at once. */
  async leave(): Promise<void> {
    this.stopped = true
    this.beat?.()
    await this.looking
    const { hubs } = this.db.tables
    await this.db.query.delete(hubs).where(eq(hubs.id, this.enrolment.id()))
    await this.sweep()
  }

  private next(): void {
    this.beat = this.env.timer(BEAT_MS, () => {
      this.push({ kind: 'beat' })
      this.looking ??= this.look()
        .catch((error) => this.options.log.warn('ledger.look', { error: String(error) }))
        .finally(() => (this.looking = null))
      this.next()
    })
  }

  private async look(): Promise<void> {
    if (this.options.alone) return
    const { hubs } = this.db.tables
    const others = await this.db.query
      .select({ id: hubs.id, seenAt: hubs.seenAt })
      .from(hubs)
      .where(ne(hubs.id, this.enrolment.id()))
    const present = new Set(others.map(({ id }) => id))
    for (const id of this.seen.keys()) if (!present.has(id)) this.seen.delete(id)
    for (const { id, seenAt } of others) {
      const before = this.seen.get(id)
      const looks = before?.seenAt === seenAt ? before.looks + 1 : 0
      this.seen.set(id, { seenAt, looks })
      if (looks >= SILENT_LOOKS) await this.bury(id, seenAt)
    }
    await this.sweep()
  }

  /** From here on the silent hub can neither take grants nor charge in its own name. Of several hubs one gets to do it. */
  private async bury(id: string, seenAt: number): Promise<void> {
    const { hubs } = this.db.tables
    const gone = await this.db.query
      .delete(hubs)
      .where(and(eq(hubs.id, id), eq(hubs.seenAt, seenAt)))
      .returning({ id: hubs.id })
    if (gone.length > 0) this.options.log.warn('ledger.hub_silent', { hub: id })
  }

  /** Whatever belongs to no living hub. Several hubs may do this at once: each item happens once. */
  private async sweep(): Promise<void> {
    const { hubs, grants, requests, onces } = this.db.tables
    const living = this.db.query.select({ id: hubs.id }).from(hubs)
    // An answer that is kept can still be fetched; it is refunded when nobody did (onces.ts).
    const kept = this.db.query
      .select({ id: onces.id })
      .from(onces)
      .where(and(eq(onces.requestId, requests.id), isNotNull(onces.answer)))
    let grantsReleased = 0
    let requestsRefunded = 0
    for (;;) {
      const orphans = await this.db.query
        .select({ holder: grants.hubId, account: grants.account })
        .from(grants)
        .where(notInArray(grants.hubId, living))
        .limit(SWEEP_ROWS)
      const undelivered = await this.db.query
        .select({ id: requests.id, userId: requests.userId })
        .from(requests)
        .where(
          and(not(requests.delivered), ne(requests.state, 'lost'), notInArray(requests.hubId, living), notExists(kept)),
        )
        .limit(SWEEP_ROWS)
      const items: Item[] = [
        ...orphans.map(({ holder, account }): Item => ({ kind: 'forfeit', holder, account })),
        ...undelivered.map(({ id, userId }): Item => ({ kind: 'lose', id, account: clientAccount(userId), row: null })),
      ]
      if (items.length === 0) break
      const outcomes = await Promise.all(items.map((item) => this.writer.ask(item)))
      grantsReleased += orphans.length
      requestsRefunded += undelivered.length
      // The writer has logged why; the next look tries again.
      if (outcomes.some(({ kind }) => kind === 'refused')) break
    }
    if (grantsReleased + requestsRefunded > 0) {
      this.options.log.info('ledger.swept', { grants: grantsReleased, requests: requestsRefunded })
    }
  }

  private push(item: Item): void {
    if (!this.stopped && !this.writer.busy) this.writer.push({ item })
  }
}
