// What ended requests cost, read for the people they concern. Every query is scoped by the user who asks.
import { and, desc, eq, gte, inArray, lt, type SQL, sql } from 'drizzle-orm'
import { type Db, sumOf } from '../../db/open.ts'
import type { Tables } from '../../db/schema.ts'
import type { Money } from '../../sdk/money.ts'

export type RequestRow = Tables['requests']['$inferSelect']

export interface RequestFilter {
  state?: RequestRow['state']
  variant?: string
  keyId?: string
  /** Milliseconds since 1970, of when it was asked; `to` is the first moment after. */
  from?: number
  to?: number
}

/** A user's ended requests, newest first; `before` is the id of the last row of the page before. */
export async function requestsOf(
  db: Db,
  userId: string,
  { limit, before, state, variant, keyId, from, to }: RequestFilter & { limit: number; before: string | null },
): Promise<RequestRow[]> {
  const { requests } = db.tables
  const mine = and(
    eq(requests.userId, userId),
    before === null ? undefined : olderThan(requests, before),
    state === undefined ? undefined : eq(requests.state, state),
    variant === undefined ? undefined : eq(requests.variant, variant),
    keyId === undefined ? undefined : eq(requests.keyId, keyId),
    from === undefined ? undefined : gte(requests.at, from),
    to === undefined ? undefined : lt(requests.at, to),
  )
  return db.query.select().from(requests).where(mine).orderBy(desc(requests.at), desc(requests.id)).limit(limit)
}

/** In the order of the index by user and time. */
function olderThan({ at, id }: Tables['requests'], before: string): SQL {
  return sql`(${at}, ${id}) < (select last.at, last.id from requests as last where last.id = ${before})`
}

export async function requestOf(db: Db, userId: string, id: string): Promise<RequestRow | null> {
  const { requests } = db.tables
  const [row] = await db.query
    .select()
    .from(requests)
    .where(and(eq(requests.id, id), eq(requests.userId, userId)))
  return row ?? null
}

export interface UsageSum {
  /** The UTC day, the variant's id or the key's id. */
  group: string
  requests: number
  promptTokens: number
  completionTokens: number
  cost: Money
}

interface UsageQuestion {
  /** Milliseconds since 1970; `to` is the first moment not counted. */
  from: number
  to: number
  group: 'day' | 'model' | 'key'
  limit: number
  /** The `group` of the last row of the page before. */
  before: string | null
}

const DAY_MS = 24 * 60 * 60 * 1_000

/** What was charged in a time, summed: days newest first, variants and keys by id. */
export async function usageOf(db: Db, userId: string, question: UsageQuestion): Promise<UsageSum[]> {
  const { requests } = db.tables
  const { from, to, group, limit, before } = question
  const by = {
    day: sql`${requests.at} / ${sql.raw(String(DAY_MS))}`,
    model: sql`${requests.variant}`,
    key: sql`${requests.keyId}`,
  }[group]
  const next = group === 'day' ? sql`${by} < ${dayNumber(before)}` : sql`${by} > ${before}`
  const charged = inArray(requests.state, ['completed', 'cancelled'])
  const rows = await db.query
    .select({
      group: by.mapWith(String) as SQL<string>,
      requests: sql`count(*)`.mapWith(Number),
      promptTokens: sql`coalesce(sum(${requests.promptTokens}), 0)`.mapWith(Number),
      completionTokens: sql`coalesce(sum(${requests.completionTokens}), 0)`.mapWith(Number),
      cost: sumOf(requests.cost),
    })
    .from(requests)
    .where(
      and(
        eq(requests.userId, userId),
        charged,
        gte(requests.at, from),
        lt(requests.at, to),
        before === null ? undefined : next,
      ),
    )
    .groupBy(by)
    .orderBy(group === 'day' ? desc(by) : by)
    .limit(limit)
  return group === 'day' ? rows.map((row) => ({ ...row, group: dayName(row.group) })) : rows
}

function dayNumber(name: string | null): number {
  return name === null ? 0 : Math.floor(Date.parse(name) / DAY_MS)
}

function dayName(number: string): string {
  return new Date(Number(number) * DAY_MS).toISOString().slice(0, 10)
}
