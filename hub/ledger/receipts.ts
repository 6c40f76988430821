// What ended requests cost, read for the people they concern. Every query is scoped by the user who asks.
import { and, desc, eq, gte, inArray, lt, min, type SQL, sql } from 'drizzle-orm'
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
  { limit, before, from, to }: Pick<Search, 'limit' | 'before' | 'from' | 'to'>,
): Promise<RequestRow[]> {
  const { requests } = db.tables
  const mine = within(requests, userId, { before, from, to })
  return db.query.select().from(requests).where(mine).orderBy(desc(requests.at), desc(requests.id)).limit(limit)
}

/** Rows that one search reads, or a few more: a filter that fits nothing must not read a year. */
export const LOOKED_AT = 3_000

export interface Search extends RequestFilter {
  limit: number
  before: string | null
  /** Instead of `LOOKED_AT`. */
  lookAt?: number
}

export interface Found {
  rows: RequestRow[]
  /** The id to go on before; null: there is nothing older. */
  next: string | null
  /** When it was stopped by how much it had read, not by `limit`: the moment up to which everything was seen. */
  lookedBackTo: number | null
}

/** As `requestsOf`, in bounded time: it may stop before `limit` is reached, and says where to go on. */
export async function searchRequests(db: Db, userId: string, search: Search): Promise<Found> {
  const { requests } = db.tables
  const { state, variant, keyId, limit } = search
  const filter = and(
    state === undefined ? undefined : eq(requests.state, state),
    variant === undefined ? undefined : eq(requests.variant, variant),
    keyId === undefined ? undefined : eq(requests.keyId, keyId),
  )
  const edge = filter === undefined ? null : await edgeOf(db, userId, search)
  const rows = await db.query
    .select()
    .from(requests)
    .where(and(within(requests, userId, search), filter, edge === null ? undefined : gte(requests.at, edge.at)))
    .orderBy(desc(requests.at), desc(requests.id))
    .limit(limit + 1)
  const shown = rows.slice(0, limit)
  if (rows.length > limit) return { rows: shown, next: shown.at(-1)?.id ?? null, lookedBackTo: null }
  return { rows: shown, next: edge?.id ?? null, lookedBackTo: edge?.at ?? null }
}

/**
 * The oldest row a search reads; null when it reads to the end. Counted in the index by user and time alone, so the rows
 * of its last millisecond all belong to it.
 */
async function edgeOf(db: Db, userId: string, search: Search): Promise<{ id: string; at: number } | null> {
  const { requests } = db.tables
  const { before, from, to, lookAt = LOOKED_AT } = search
  const [last, older] = await db.query
    .select({ at: requests.at })
    .from(requests)
    .where(
      and(
        within(requests, userId, { before: null, from, to }),
        before === null
          ? undefined
          : sql`${requests.at} < (select last.at from requests as last where last.id = ${before})`,
      ),
    )
    .orderBy(desc(requests.at))
    .offset(lookAt - 1)
    .limit(2)
  if (!last || !older) return null
  const [first] = await db.query
    .select({ id: min(requests.id) })
    .from(requests)
    .where(and(eq(requests.userId, userId), eq(requests.at, last.at)))
  return first?.id ? { id: first.id, at: last.at } : null
}

function within(
  requests: Tables['requests'],
  userId: string,
  { before, from, to }: Pick<Search, 'before' | 'from' | 'to'>,
) {
  return and(
    eq(requests.userId, userId),
    before === null ? undefined : olderThan(requests, before),
    from === undefined ? undefined : gte(requests.at, from),
    to === undefined ? undefined : lt(requests.at, to),
  )
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
