// Checked hosts become vetted by themselves where the team wishes so: after so many days and requests without a stain.
import { and, count, eq, gte, inArray, isNotNull, isNull, lte, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { judgeHost } from '../fleet/judge.ts'
import type { ListedHost } from '../fleet/list.ts'
import type { Newsroom } from '../mail/news.ts'
import type { Policy } from '../policy/policy.ts'
import type { Settings } from '../policy/settings.ts'

export const VETTING_EVERY_MS = 5 * 60_000
const DAY_MS = 24 * 60 * 60_000
/** Of a hundred answers, one may have failed, and one may have been counted otherwise. */
const STAINS_SHARE = 0.01
const LOOKED_AT = 500

export interface Record {
  completed: number
  /** Answers that host and hub count differently. */
  differ: number
  /** Attempts that failed because of the engine or the machine. */
  failed: number
}

/** Why it is not vetted yet, in a sentence; null: it has earned it. */
export function missing({ completed, differ, failed }: Record, requests: number): string | null {
  if (completed < requests) return `${completed} of ${requests} answers`
  const most = Math.floor(completed * STAINS_SHARE)
  if (differ > most) return `${differ} answers that it counted otherwise, at most ${most} of ${completed} may be`
  if (failed > most) return `${failed} attempts that failed on it, at most ${most} to ${completed} answers may`
  return null
}

interface World {
  env: Env
  db: Db
  news: Pick<Newsroom, 'tell'>
  policy: Pick<Policy, 'current'>
}

export async function vetByRecord({ env, db, news, policy }: World): Promise<number> {
  const { vetAfterRequests, vetAfterDays } = policy.current()
  if (vetAfterRequests === null) return 0
  const { hosts } = db.tables
  const due = await db.query
    .select({ id: hosts.id, checkedAt: hosts.checkedAt })
    .from(hosts)
    .where(
      and(
        ...[isNotNull(hosts.checkedAt), isNull(hosts.vettedAt), isNull(hosts.quarantinedAt)],
        ...[isNull(hosts.belowNetworkAt), eq(hosts.simulated, false)],
        lte(hosts.checkedAt, env.now() - vetAfterDays * DAY_MS),
      ),
    )
    .orderBy(hosts.checkedAt)
    .limit(LOOKED_AT)
  for (const { id, checkedAt } of due) {
    const record = await recordSince(db, id, checkedAt ?? 0)
    if (missing(record, vetAfterRequests) !== null) continue
    const reason = `${record.completed} answers in ${vetAfterDays} days or more, ${record.differ} counted otherwise, ${record.failed} failed`
    await judgeHost({ env, db, news }, 'hub', id, { is: 'vetted', reason })
  }
  return 0
}

export async function recordSince(db: Db, hostId: string, since: number): Promise<Record> {
  const { failureDays, requests } = db.tables
  const [answers] = await db.query
    .select({ completed: count(), differ: sql<number>`sum(case when ${requests.countsDiffer} then 1 else 0 end)` })
    .from(requests)
    .where(and(eq(requests.hostId, hostId), eq(requests.state, 'completed'), gte(requests.at, since)))
  const days = await db.query
    .select({ count: failureDays.count })
    .from(failureDays)
    .where(
      and(
        eq(failureDays.hostId, hostId),
        gte(failureDays.day, since - (since % DAY_MS)),
        inArray(failureDays.class, ['engine', 'host']),
      ),
    )
  return {
    completed: Number(answers?.completed ?? 0),
    differ: Number(answers?.differ ?? 0),
    failed: days.reduce((sum, day) => sum + day.count, 0),
  }
}

/** What a checked host lacks to be vetted by itself, in a sentence; null: nothing, or it is not on its way. */
export async function missingFor(db: Db, settings: Settings, host: ListedHost): Promise<string | null> {
  const { vetAfterRequests, vetAfterDays } = settings
  if (vetAfterRequests === null || host.stage !== 'checked' || host.checkedAt === null) return null
  return (
    missing(await recordSince(db, host.id, host.checkedAt), vetAfterRequests) ??
    `${vetAfterDays} days since it was checked`
  )
}
