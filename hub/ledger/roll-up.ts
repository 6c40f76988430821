// Sums hours and days that are over. Done again for an hour in which an answer turned out to be lost later on.
import { type SQL, sql } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'

export const HOUR_MS = 60 * 60 * 1_000
export const DAY_MS = 24 * HOUR_MS
/** No answer lives longer (`streamMinutes` at most): a request that ended in an hour began at most this long before. */
export const LONGEST_ANSWER_MS = 4 * HOUR_MS
/** A settlement may be retried for a while before it is written: an hour is summed this long after its end. */
const LATE_MS = 2 * 60 * 1_000
/** Hours summed in one go; the rest comes with the next. */
const MOST_HOURS = 200

/** Sums what has ended since the last time. @returns how many hours were summed; call again while it is not 0. */
export async function rollUp(db: Db, now: number): Promise<number> {
  const summed = await transaction(db, async (tx) => {
    const until = await lockedUntil(db, tx, now)
    const last = Math.floor((now - LATE_MS) / HOUR_MS) * HOUR_MS
    const to = Math.min(last, until.hour + MOST_HOURS * HOUR_MS)
    if (to <= until.hour) return 0
    await sumHours(db, tx, until.hour, to)
    const day = Math.floor(to / DAY_MS) * DAY_MS
    await sumDays(db, tx, until.day, day)
    const { trafficUntil } = db.tables
    await db.rows(tx, sql`update ${trafficUntil} set at = ${to} where span = 'hour'`)
    await db.rows(tx, sql`update ${trafficUntil} set at = ${Math.max(day, until.day)} where span = 'day'`)
    return (to - until.hour) / HOUR_MS
  })
  return summed > 0 ? summed : resumLost(db)
}

/** Up to when hours and days are summed; 0 before the first time. */
export async function summedUntil(db: Db, on: Queries = db.query): Promise<{ hour: number; day: number }> {
  const rows = await on.select().from(db.tables.trafficUntil)
  const at = (span: 'hour' | 'day') => rows.find((row) => row.span === span)?.at ?? 0
  return { hour: at('hour'), day: at('day') }
}

/** The mark, locked: of several hubs one sums at a time. It begins with the day of the first request. */
async function lockedUntil(db: Db, tx: Queries, now: number): Promise<{ hour: number; day: number }> {
  const { requests, trafficUntil } = db.tables
  const [first] = await db.rows<{ at: unknown }>(tx, sql`select min(${requests.at}) as at from ${requests}`)
  const day = Math.floor(Number(first?.at ?? now) / DAY_MS) * DAY_MS
  for (const span of ['hour', 'day'] as const)
    await tx.insert(trafficUntil).values({ span, at: day }).onConflictDoNothing()
  // The update locks, on both databases.
  await db.rows(tx, sql`update ${trafficUntil} set at = at where span = 'hour'`)
  return summedUntil(db, tx)
}

/**
 * A first token's time is counted under each of these that it does not exceed, ms: from such counts, added up over any
 * time, it can be said within how long half or 95 of 100 answers began, never too short and seldom 1.5 times too long.
 */
export const BEGUN_WITHIN_MS = [
  50, 100, 150, 200, 300, 400, 500, 750, 1_000, 1_500, 2_000, 3_000, 5_000, 10_000, 30_000,
]

/** Of every table of sums. */
export const sums = [
  'completed',
  'cancelled',
  'failed',
  'lost',
  'moved',
  'prompt_tokens',
  'completion_tokens',
  'cost',
  'host_share',
  'decode_ms',
  'decoded_tokens',
  'begun',
  ...BEGUN_WITHIN_MS.map((ms) => `within${ms}`),
]

/** Without how soon answers began: half as much to add up. */
export const plainSums = sums.filter((name) => name !== 'begun' && !name.startsWith('within'))

/** The sums of a group of requests, in the order and by the names of the tables' columns; those of `names`. */
export function sumsOfRequests(db: Db, names: readonly string[] = sums): SQL {
  const { state, attempts, promptTokens, completionTokens, cost, hostShare, firstTokenMs, at, endedAt } =
    db.tables.requests
  const charged = sql`${state} in ('completed', 'cancelled')`
  const timed = sql`${state} = 'completed' and ${firstTokenMs} is not null`
  const parts: [SQL, SQL][] = [
    [sql`${state} = 'completed'`, sql`1`],
    [sql`${state} = 'cancelled'`, sql`1`],
    [sql`${state} = 'failed'`, sql`1`],
    [sql`${state} = 'lost'`, sql`1`],
    [sql`${state} = 'completed' and ${attempts} > 1`, sql`1`],
    [charged, sql`${promptTokens}`],
    [charged, sql`${completionTokens}`],
    [charged, sql`${cost}`],
    // A host keeps its share of an answer that was lost on the way to the client.
    [sql`1 = 1`, sql`${hostShare}`],
    [timed, sql`${endedAt} - ${at} - ${firstTokenMs}`],
    [timed, sql`${completionTokens}`],
    [sql`${firstTokenMs} is not null`, sql`1`],
    ...BEGUN_WITHIN_MS.map((ms): [SQL, SQL] => [sql`${firstTokenMs} <= ${sql.raw(String(ms))}`, sql`1`]),
  ]
  const columns = parts.map(
    ([when, what], i) =>
      sql`cast(coalesce(sum(case when ${when} then ${what} else 0 end), 0) as bigint) as ${sql.raw(sums[i]!)}`,
  )
  return sql.join(
    columns.filter((_, i) => names.includes(sums[i]!)),
    sql`, `,
  )
}

/** Of rows that are sums themselves. */
const added = sums.map((name) => `cast(sum(${name}) as bigint)`).join(', ')

async function sumHours(db: Db, tx: Queries, from: number, to: number): Promise<void> {
  const { requests } = db.tables
  const hour = sql`${requests.endedAt} / ${sql.raw(String(HOUR_MS))} * ${sql.raw(String(HOUR_MS))}`
  const ended = sql`${requests.at} >= ${from - LONGEST_ANSWER_MS} and ${requests.at} < ${to}
    and ${requests.endedAt} >= ${from} and ${requests.endedAt} < ${to}`
  const names = sql.raw(sums.join(', '))
  await db.rows(
    tx,
    sql`insert into client_traffic (user_id, span, at, key_id, variant, ${names})
      select ${requests.userId}, 'hour', ${hour}, ${requests.keyId}, ${requests.variant}, ${sumsOfRequests(db)}
      from ${requests} where ${ended} group by 1, 3, 4, 5`,
  )
  await db.rows(
    tx,
    sql`insert into host_traffic (host_id, span, at, variant, ${names})
      select ${requests.hostId}, 'hour', ${hour}, ${requests.variant}, ${sumsOfRequests(db)}
      from ${requests} where ${ended} and ${requests.hostId} is not null group by 1, 3, 4`,
  )
  await db.rows(
    tx,
    sql`insert into owner_traffic (owner_id, span, at, variant, ${names})
      select hosts.owner_id, 'hour', at, variant, ${sql.raw(added)}
      from host_traffic join hosts on hosts.id = host_traffic.host_id
      where span = 'hour' and at >= ${from} and at < ${to} group by hosts.owner_id, at, variant`,
  )
  await db.rows(
    tx,
    sql`insert into all_traffic (span, at, variant, ${names})
      select 'hour', at, variant, ${sql.raw(added)} from client_traffic
      where span = 'hour' and at >= ${from} and at < ${to} group by at, variant`,
  )
}

async function sumDays(db: Db, tx: Queries, from: number, to: number): Promise<void> {
  if (to <= from) return
  const day = `at / ${DAY_MS} * ${DAY_MS}`
  const names = sums.join(', ')
  const hours = sql`where span = 'hour' and at >= ${from} and at < ${to}`
  await db.rows(
    tx,
    sql`${sql.raw(`insert into client_traffic (user_id, span, at, key_id, variant, ${names})
      select user_id, 'day', ${day}, key_id, variant, ${added} from client_traffic`)} ${hours} group by 1, 3, 4, 5`,
  )
  await db.rows(
    tx,
    sql`${sql.raw(`insert into host_traffic (host_id, span, at, variant, ${names})
      select host_id, 'day', ${day}, variant, ${added} from host_traffic`)} ${hours} group by 1, 3, 4`,
  )
  await db.rows(
    tx,
    sql`${sql.raw(`insert into owner_traffic (owner_id, span, at, variant, ${names})
      select owner_id, 'day', ${day}, variant, ${added} from owner_traffic`)} ${hours} group by 1, 3, 4`,
  )
  await db.rows(
    tx,
    sql`${sql.raw(`insert into all_traffic (span, at, variant, ${names})
      select 'day', ${day}, variant, ${added} from all_traffic`)} ${hours} group by 2, 3`,
  )
}

/** Sums hours again whose requests were found lost since: at most one an invocation. */
async function resumLost(db: Db): Promise<number> {
  const { requests, allTraffic } = db.tables
  const hour = sql`${requests.endedAt} / ${sql.raw(String(HOUR_MS))} * ${sql.raw(String(HOUR_MS))}`
  return transaction(db, async (tx) => {
    const { hour: until, day: dayUntil } = await summedUntil(db, tx)
    const [wrong] = await db.rows<{ at: unknown }>(
      tx,
      sql`select lost.at as at from
        (select ${hour} as at, count(*) as many from ${requests} where ${requests.state} = 'lost' group by 1) as lost
        left join ${allTraffic} on ${allTraffic.span} = 'hour' and ${allTraffic.at} = lost.at
        where lost.at < ${until} group by lost.at, lost.many
        having lost.many <> coalesce(sum(${allTraffic.lost}), 0) limit 1`,
    )
    if (!wrong) return 0
    const at = Number(wrong.at)
    await clear(db, tx, 'hour', at)
    await sumHours(db, tx, at, at + HOUR_MS)
    const day = Math.floor(at / DAY_MS) * DAY_MS
    if (day < dayUntil) {
      await clear(db, tx, 'day', day)
      await sumDays(db, tx, day, day + DAY_MS)
    }
    return 1
  })
}

async function clear(db: Db, tx: Queries, span: 'hour' | 'day', at: number): Promise<void> {
  const { clientTraffic, hostTraffic, ownerTraffic, allTraffic } = db.tables
  for (const table of [clientTraffic, hostTraffic, ownerTraffic, allTraffic])
    await db.rows(tx, sql`delete from ${table} where span = ${span} and at = ${at}`)
}
