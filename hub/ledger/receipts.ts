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
  { limit, before, from, to }: Pick<Search, 'limit' | 'before' | 'from' | 'to'>,
): Promise<RequestRow[]> {
  const { requests } = db.tables
  const mine = within(requests, userId, { before, from, to })
  return db.query.select().from(requests).where(mine).orderBy(desc(requests.at), desc(requests.id)).limit(limit)
}

/** Rows that one search reads at most: a filter that fits nothing must not read a year. */
export const LOOKED_AT = 3_000

export interface Search extends RequestFilter {
  limit: number
  before: string | null
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
  const { state, variant, keyId, limit } = search
  if (state === undefined && variant === undefined && keyId === undefined) {
    const rows = await requestsOf(db, userId, { ...search, limit: limit + 1 })
    const shown = rows.slice(0, limit)
    return { rows: shown, next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null, lookedBackTo: null }
  }
  const { requests } = db.tables
  const read = db.query
    .select()
    .from(requests)
    .where(within(requests, userId, search))
    .orderBy(desc(requests.at), desc(requests.id))
    .limit(LOOKED_AT)
    .as('read')
  const rows = await db.query
    .select()
    .from(read)
    .where(
      and(
        state === undefined ? undefined : eq(read.state, state),
        variant === undefined ? undefined : eq(read.variant, variant),
        keyId === undefined ? undefined : eq(read.keyId, keyId),
      ),
    )
    .orderBy(desc(read.at), desc(read.id))
    .limit(limit + 1)
  const shown = rows.slice(0, limit)
  if (rows.length > limit) return { rows: shown, next: shown.at(-1)?.id ?? null, lookedBackTo: null }
  const last = await lastRead(db, userId, search)
  return { rows: shown, next: last?.id ?? null, lookedBackTo: last?.at ?? null }
}

/** The oldest row a search read, if there are more. */
async function lastRead(db: Db, userId: string, search: Search): Promise<{ id: string; at: number } | null> {
  const { requests } = db.tables
  const [last, older] = await db.query
    .select({ id: requests.id, at: requests.at })
    .from(requests)
    .where(within(requests, userId, search))
    .orderBy(desc(requests.at), desc(requests.id))
    .offset(LOOKED_AT - 1)
    .limit(2)
  return last && older ? last : null
}

function within(requests: Tables['requests'], userId: string, { before, from, to }: Omit<Search, 'limit'>) {
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
