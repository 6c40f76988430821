// New hosts become checked by themselves: the hub that they are linked to asks each of their models one question, and
// pays for the answer. Which host is asked when, what came of it, and when that is enough.
import { and, eq, gt, inArray, isNull, lte, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { record } from '../policy/acts.ts'
import type { Finding } from './finding.ts'

export const CHECKS_EVERY_MS = 10_000
/** An engine that has just begun may still be warming up. */
const SETTLED_MS = 30_000
/** After one that was not passed: a minute, then twice as long each time. */
const AGAIN_MS = 60_000
const MOST_AGAIN_MS = 6 * 60 * 60_000
const AT_ONCE = 4
const LOOKED_AT = 200

interface World {
  env: Env
  db: Db
  log: Log
  /** Another one once this hub was thought dead. */
  hubId: () => string
  /** Asks the host its question; null: it cannot be asked just now. */
  ask: (seat: { hostId: string; variant: string }) => Promise<Finding | null>
}

interface Due {
  hostId: string
  variant: string
  tries: number
  /** Of the last check; null: there was none. */
  at: number | null
}

export class HostChecks {
  constructor(private readonly world: World) {}

  /** @returns how many were asked */
  async run(): Promise<number> {
    const due = await this.due()
    const asked = await Promise.all(due.slice(0, AT_ONCE).map((each) => this.check(each)))
    return asked.filter(Boolean).length
  }

  /** Of new hosts that are linked here, ready and settled: what was not asked yet, then what is to be asked again. */
  private async due(): Promise<Due[]> {
    const { env, db, hubId } = this.world
    const { checks, hosts, links } = db.tables
    const now = env.now()
    const here = await db.query
      .select({ hostId: links.hostId, models: links.models })
      .from(links)
      .innerJoin(hosts, eq(hosts.id, links.hostId))
      .where(
        and(
          ...[eq(links.hubId, hubId()), eq(links.state, 'ready'), lte(links.since, now - SETTLED_MS)],
          // A simulated card proves nothing.
          ...[isNull(hosts.checkedAt), isNull(hosts.quarantinedAt), eq(hosts.simulated, false)],
        ),
      )
      .orderBy(links.since)
      .limit(LOOKED_AT)
    if (here.length === 0) return []
    const known = await db.query
      .select()
      .from(checks)
      .where(
        inArray(
          checks.hostId,
          here.map(({ hostId }) => hostId),
        ),
      )
    return here
      .flatMap(({ hostId, models }) =>
        models.map((variant) => {
          const last = known.find((each) => each.hostId === hostId && each.variant === variant)
          return { hostId, variant, tries: last?.tries ?? 0, at: last?.at ?? null, passed: last?.passed ?? false }
        }),
      )
      .filter(({ passed, at, tries }) => !passed && (at === null || at + againMs(tries) <= now))
      .sort((a, b) => (a.at ?? 0) - (b.at ?? 0))
  }

  private async check(due: Due): Promise<boolean> {
    const { log, ask } = this.world
    if (!(await this.claim(due))) return false
    const { hostId: host, variant } = due
    const finding = await ask({ hostId: host, variant })
    if (!finding) return false
    log.info('a new host was asked a question', { host, variant, ...finding })
    await this.keep(due, finding)
    return true
  }

  /** Several hubs may have it linked: who moves the time forward asks. */
  private async claim({ hostId, variant, tries, at }: Due): Promise<boolean> {
    const { checks } = this.world.db.tables
    const now = this.world.env.now()
    const row = { hostId, variant, tries, passed: false, finding: '', tokensPerSecond: null, at: now }
    const mine = await this.world.db.query
      .insert(checks)
      .values(row)
      .onConflictDoUpdate({
        target: [checks.hostId, checks.variant],
        set: { at: now },
        setWhere: at === null ? sql`false` : eq(checks.at, at),
      })
      .returning({ hostId: checks.hostId })
    return mine.length > 0
  }

  private async keep({ hostId, variant, tries }: Due, finding: Finding): Promise<void> {
    const { env, db } = this.world
    const { checks, hosts, hubs, links } = db.tables
    const { passed, tokensPerSecond } = finding
    await transaction(db, async (tx) => {
      // Its row is locked first: of two checks that end at once, the later one sees the other.
      await tx
        .update(hosts)
        .set({ checkedAt: sql`${hosts.checkedAt}` })
        .where(eq(hosts.id, hostId))
      await tx
        .update(checks)
        .set({
          ...{ passed, finding: finding.finding, tries: passed ? 0 : tries + 1 },
          tokensPerSecond: tokensPerSecond === null ? null : Math.round(tokensPerSecond),
        })
        .where(and(eq(checks.hostId, hostId), eq(checks.variant, variant)))
      if (!passed) return
      const known = await tx.select().from(checks).where(eq(checks.hostId, hostId)).orderBy(checks.variant)
      const offered = await tx
        .select({ models: links.models })
        .from(links)
        .innerJoin(hubs, eq(hubs.id, links.hubId))
        .where(eq(links.hostId, hostId))
      const all = new Set(offered.flatMap(({ models }) => models))
      const good = new Set(known.flatMap((each) => (each.passed ? [each.variant] : [])))
      if (all.size === 0 || [...all].some((each) => !good.has(each))) return
      const promoted = await tx
        .update(hosts)
        .set({ checkedAt: env.now() })
        .where(and(eq(hosts.id, hostId), isNull(hosts.checkedAt)))
        .returning({ id: hosts.id })
      if (promoted.length === 0) return
      const findings = known.map((each) => `${each.variant}: ${each.finding}`)
      await record(env, db, tx, { by: 'hub', what: 'host.check', subject: hostId, before: 'new', after: findings })
    })
  }
}

export interface Check {
  variant: string
  passed: boolean
  finding: string
  at: number
}

/** What came of the questions to one host. */
export async function checksOf(db: Db, hostId: string): Promise<Check[]> {
  const { checks } = db.tables
  const { variant, passed, finding, at } = checks
  const rows = await db.query
    .select({ variant, passed, finding, at })
    .from(checks)
    .where(and(eq(checks.hostId, hostId), gt(checks.at, 0)))
    .orderBy(variant)
  return rows.filter((row) => row.finding !== '')
}

function againMs(tries: number): number {
  return Math.min(MOST_AGAIN_MS, AGAIN_MS * 2 ** Math.min(20, Math.max(0, tries - 1)))
}
