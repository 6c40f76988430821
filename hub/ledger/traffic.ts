// What went through, for the pages: sums over any time, by hour, day, variant, key or host. Whole days and hours that
// are over are read from their sums (roll-up.ts); what ended since is read from the requests themselves, so a page is
// never behind.
import { type SQL, sql } from 'drizzle-orm'
import type { PgColumn } from 'drizzle-orm/pg-core'
import type { Db } from '../../db/open.ts'
import type { Money } from '../../sdk/money.ts'
import {
  BEGUN_WITHIN_MS,
  DAY_MS,
  HOUR_MS,
  LONGEST_ANSWER_MS,
  plainSums,
  summedUntil,
  sums,
  sumsOfRequests,
} from './roll-up.ts'

export interface Traffic {
  /** The start of the hour or day in milliseconds since 1970, or the id of the variant, key or host; both with a space between; '' for all. */
  group: string
  completed: number
  cancelled: number
  failed: number
  lost: number
  /** Completed after more than one attempt. */
  moved: number
  promptTokens: number
  completionTokens: number
  cost: Money
  /** Of it, what the hosts earned. */
  hostShare: Money
  /** Answers that began; and how many of them within each of `BEGUN_WITHIN_MS`. */
  begun: number
  within: number[]
  /** Of completed answers after their first token; null when there were none. */
  tokensPerSecond: number | null
}

/** What adds up. */
export type Sums = Omit<Traffic, 'tokensPerSecond'>

export interface Question {
  /** Milliseconds since 1970, rounded down to an hour; `to` is the first moment not counted. */
  from: number
  to: number
  by: 'all' | 'hour' | 'day' | 'variant' | 'key' | 'host' | 'hour and variant' | 'day and variant' | 'key and variant'
  /** Which sums are wanted; the others are 0. By default `usual`. */
  want?: Want
}

/** `outcomes`: what came of requests. `usual`: all but how soon answers began. Each column takes its time to add up. */
export type Want = keyof typeof WANTED
const only = (...wanted: string[]) => sums.filter((name) => wanted.includes(name))
const WANTED = {
  cost: only('cost'),
  outcomes: only('completed', 'cancelled', 'failed', 'lost', 'moved'),
  usual: plainSums,
  everything: sums,
} as const

/** Whose traffic: one client's, that of some hosts, of all hosts of one owner, or all of it. */
export type Whose = { userId: string } | { hostIds: readonly string[] } | { ownerId: string } | 'everybody'

/** The sums, by group in ascending order; groups without traffic are left out. */
export async function trafficOf(db: Db, whose: Whose, { from, to, by, want = 'usual' }: Question): Promise<Traffic[]> {
  const names = WANTED[want]
  const start = Math.floor(from / HOUR_MS) * HOUR_MS
  if (typeof whose === 'object' && 'hostIds' in whose && whose.hostIds.length === 0) return []
  const until = await summedUntil(db)
  // Days serve only where no hour is asked for, and only whole ones.
  const firstDay = Math.ceil(start / DAY_MS) * DAY_MS
  const lastDay = by.startsWith('hour')
    ? firstDay
    : Math.max(firstDay, Math.min(until.day, Math.floor(to / DAY_MS) * DAY_MS))
  const lastHour = Math.max(lastDay, Math.min(until.hour, Math.floor(to / HOUR_MS) * HOUR_MS))
  const parts = [
    summed(db, whose, by, names, { span: 'hour', from: start, to: Math.min(firstDay, until.hour, to) }),
    summed(db, whose, by, names, { span: 'day', from: firstDay, to: lastDay }),
    summed(db, whose, by, names, { span: 'hour', from: lastDay, to: lastHour }),
    recent(db, whose, by, names, { from: Math.max(start, Math.min(until.hour, lastHour)), to }),
  ]
  const rows = await db.rows<Record<string, unknown>>(
    db.query,
    sql`select grp, ${sql.join(
      names.map((name) => sql.raw(`cast(coalesce(sum(${name}), 0) as bigint) as ${name}`)),
      sql`, `,
    )} from (${sql.join(parts, sql` union all `)}) as parts group by grp order by grp`,
  )
  return rows.map(readTraffic)
}

function readTraffic(row: Record<string, unknown>): Traffic {
  const decodeMs = Number(row.decode_ms ?? 0)
  return {
    group: String(row.grp),
    completed: Number(row.completed ?? 0),
    cancelled: Number(row.cancelled ?? 0),
    failed: Number(row.failed ?? 0),
    lost: Number(row.lost ?? 0),
    moved: Number(row.moved ?? 0),
    promptTokens: Number(row.prompt_tokens ?? 0),
    completionTokens: Number(row.completion_tokens ?? 0),
    cost: BigInt((row.cost as string | undefined) ?? 0),
    hostShare: BigInt((row.host_share as string | undefined) ?? 0),
    begun: Number(row.begun ?? 0),
    within: BEGUN_WITHIN_MS.map((ms) => Number(row[`within${ms}`] ?? 0)),
    tokensPerSecond: decodeMs > 0 ? (Number(row.decoded_tokens) * 1_000) / decodeMs : null,
  }
}

interface Part {
  from: number
  to: number
}

function summed(
  db: Db,
  whose: Whose,
  by: Question['by'],
  names: readonly string[],
  { span, from, to }: Part & { span: 'hour' | 'day' },
): SQL {
  const { table, mine } = sumsOf(db, whose, by)
  const { clientTraffic, hostTraffic } = db.tables
  const group = groupOf(by, {
    at: table.at,
    variant: table.variant,
    keyId: clientTraffic.keyId,
    hostId: hostTraffic.hostId,
  })
  const columns = sql.join(
    names.map((name) => sql.raw(name)),
    sql`, `,
  )
  return sql`select ${group} as grp, ${columns} from ${table}
    where ${mine} and ${table.span} = ${span} and ${table.at} >= ${from} and ${table.at} < ${to}`
}

/** The smallest table of sums that can answer, and which of its rows do. */
function sumsOf({ tables }: Db, whose: Whose, by: Question['by']) {
  const { clientTraffic, hostTraffic, ownerTraffic, allTraffic, hosts } = tables
  if (whose === 'everybody') {
    const table = by === 'host' ? hostTraffic : by.startsWith('key') ? clientTraffic : allTraffic
    return { table, mine: sql`1 = 1` }
  }
  if ('userId' in whose) {
    if (by === 'host') throw new Error('what hosts did is summed by host')
    return { table: clientTraffic, mine: sql`${clientTraffic.userId} = ${whose.userId}` }
  }
  if (by.startsWith('key')) throw new Error('what clients asked is summed by key')
  if ('hostIds' in whose) return { table: hostTraffic, mine: sql`${hostTraffic.hostId} in ${whose.hostIds}` }
  if (by !== 'host') return { table: ownerTraffic, mine: sql`${ownerTraffic.ownerId} = ${whose.ownerId}` }
  const owned = sql`select ${hosts.id} from ${hosts} where ${hosts.ownerId} = ${whose.ownerId}`
  return { table: hostTraffic, mine: sql`${hostTraffic.hostId} in (${owned})` }
}

function recent(db: Db, whose: Whose, by: Question['by'], names: readonly string[], { from, to }: Part): SQL {
  const { requests } = db.tables
  const { endedAt, variant, keyId, hostId } = requests
  const group = groupOf(by, { at: endedAt, variant, keyId, hostId })
  const mine = by === 'host' && whose === 'everybody' ? sql`${requests.hostId} is not null` : ownRequests(db, whose)
  // Indexes are by when a request began.
  return sql`select ${group} as grp, ${sumsOfRequests(db, names)} from ${requests}
    where ${mine} and ${requests.at} >= ${from - LONGEST_ANSWER_MS} and ${requests.at} < ${to}
    and ${requests.endedAt} >= ${from} and ${requests.endedAt} < ${to} group by 1`
}

function ownRequests({ tables: { hosts, requests } }: Db, whose: Whose): SQL {
  if (whose === 'everybody') return sql`1 = 1`
  if ('userId' in whose) return sql`${requests.userId} = ${whose.userId}`
  if ('hostIds' in whose) return sql`${requests.hostId} in ${whose.hostIds}`
  return sql`${requests.hostId} in (select ${hosts.id} from ${hosts} where ${hosts.ownerId} = ${whose.ownerId})`
}

function groupOf(
  by: Question['by'],
  { at, variant, keyId, hostId }: Record<'at' | 'variant' | 'keyId' | 'hostId', PgColumn>,
): SQL {
  const began = (ms: number) => text(sql`${at} / ${sql.raw(String(ms))} * ${sql.raw(String(ms))}`)
  return {
    all: sql`''`,
    hour: began(HOUR_MS),
    day: began(DAY_MS),
    variant: sql`${variant}`,
    key: sql`${keyId}`,
    host: sql`${hostId}`,
    'hour and variant': sql`${began(HOUR_MS)} || ' ' || ${variant}`,
    'day and variant': sql`${began(DAY_MS)} || ' ' || ${variant}`,
    'key and variant': sql`${keyId} || ' ' || ${variant}`,
  }[by]
}

/** Groups of all kinds are texts. */
function text(number: SQL): SQL {
  return sql`cast(${number} as text)`
}

/** Rows of many groups as rows of fewer, in the order of their first. `into` names the new group of an old one. */
export function folded(rows: readonly Sums[], into: (group: string) => string): Sums[] {
  const groups = new Map<string, Sums>()
  for (const row of rows) {
    const group = into(row.group)
    const sum = groups.get(group)
    if (!sum) {
      groups.set(group, { ...row, group })
      continue
    }
    for (const name of COUNTS) sum[name] += row[name]
    sum.within = sum.within.map((count, i) => count + row.within[i]!)
    sum.cost += row.cost
    sum.hostShare += row.hostShare
  }
  return [...groups.values()]
}

const COUNTS = [
  'completed',
  'cancelled',
  'failed',
  'lost',
  'moved',
  'promptTokens',
  'completionTokens',
  'begun',
] as const

/** Of all rows together; null of none. */
export function totalOf(rows: readonly Sums[]): Sums | null {
  return folded(rows, () => '')[0] ?? null
}

/**
 * Within how many milliseconds `share` (0–1) of the answers began: the least of `BEGUN_WITHIN_MS` that is true,
 * Infinity where none is; null: none began.
 */
export function begunWithin({ begun, within }: Pick<Sums, 'begun' | 'within'>, share: number): number | null {
  if (begun === 0) return null
  const at = within.findIndex((count) => count >= begun * share)
  return BEGUN_WITHIN_MS[at] ?? Infinity
}

/** The variant in a group of `hour and variant`, `day and variant` or `key and variant`. */
export function variantIn(group: string): string {
  return group.slice(group.indexOf(' ') + 1)
}

/** The key in a group of `key and variant`. */
export function keyIn(group: string): string {
  return group.slice(0, group.indexOf(' '))
}

/** Times to the first token of a client's latest answers, ascending, ms: for a median and the like. At most `limit`. */
export async function firstTokens(
  db: Db,
  whose: Whose,
  { from, limit }: { from: number; limit: number },
): Promise<number[]> {
  const { requests } = db.tables
  const rows = await db.rows<{ ms: unknown }>(
    db.query,
    sql`select ${requests.firstTokenMs} as ms from ${requests}
      where ${ownRequests(db, whose)} and ${requests.at} >= ${from} and ${requests.firstTokenMs} is not null
      order by ${requests.at} desc limit ${limit}`,
  )
  return rows.map(({ ms }) => Number(ms)).sort((a, b) => a - b)
}

/** The value that at least `share` (0–1) of `ascending` do not exceed; null when there is none. */
export function percentile(ascending: readonly number[], share: number): number | null {
  return ascending[Math.max(0, Math.ceil(ascending.length * share) - 1)] ?? null
}
