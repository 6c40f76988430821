// Whose a machine is, and what it costs to have it: rented by the hour, the team's own, or neither. What it earns is booked
// like any other's (`host:ID:pending`); while it is the team's none of that becomes payable, ever.
import { and, asc, eq, gte, inArray, lt } from 'drizzle-orm'
import { type Db, sumOf } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import { formatUsd, type Money, overTime, parseUsd, sum } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import { pendingAccount } from '../ledger/chart.ts'
import { type Actor, record } from '../policy/acts.ts'

/** From `at` (milliseconds since 1970) to the next one's. */
export interface Tenure {
  at: number
  team: boolean
  /** For an hour. */
  rent: Money
}

export interface Span {
  from: number
  /** First moment not counted. */
  to: number
}

/** USD for an hour: no rented machine costs more. */
const MOST_RENT = parseUsd('1000')
/** A machine has seldom more than a few. */
const MOST_TENURES = 1_000
const UNTOLD: Omit<Tenure, 'at'> = { team: false, rent: 0n }

/** Those of some hosts, the oldest first; hosts of which nothing was ever said are left out. */
export async function tenuresOf(db: Db, hostIds: readonly string[]): Promise<Map<string, Tenure[]>> {
  const { tenures } = db.tables
  const found = new Map<string, Tenure[]>()
  if (hostIds.length === 0) return found
  const rows = await db.query
    .select()
    .from(tenures)
    .where(inArray(tenures.hostId, [...hostIds]))
    .orderBy(asc(tenures.at))
  for (const { hostId, ...tenure } of rows) found.set(hostId, [...(found.get(hostId) ?? []), tenure])
  return found
}

/** Hosts that are the team's now. */
export async function teamHosts(db: Db): Promise<string[]> {
  const { tenures } = db.tables
  const said = await db.query.selectDistinct({ id: tenures.hostId }).from(tenures).where(eq(tenures.team, true))
  const all = await tenuresOf(
    db,
    said.map(({ id }) => id),
  )
  return [...all].flatMap(([id, tenures]) => (nowOf(tenures).team ? [id] : []))
}

export function nowOf(tenures: readonly Tenure[]): Omit<Tenure, 'at'> {
  return tenures.at(-1) ?? UNTOLD
}

/** What the machine cost in that time. */
export function rentIn(tenures: readonly Tenure[], span: Span): Money {
  return sum(within(tenures, span).map(({ rent, from, to }) => overTime(rent, to - from)))
}

/** What was booked for a host while it was the team's: no payout may touch it. Reads every entry of that time. */
export async function neverPayable(db: Db, hostId: string, tenures: readonly Tenure[], now: number): Promise<Money> {
  const { entries } = db.tables
  const amounts: Money[] = []
  for (const { team, from, to } of within(tenures, { from: 0, to: now + 1 })) {
    if (!team) continue
    const [row] = await db.query
      .select({ sum: sumOf(entries.amount) })
      .from(entries)
      .where(and(eq(entries.account, pendingAccount(hostId)), gte(entries.at, from), lt(entries.at, to)))
    amounts.push(row?.sum ?? 0n)
  }
  return sum(amounts)
}

function within(tenures: readonly Tenure[], span: Span): (Span & Omit<Tenure, 'at'>)[] {
  return tenures.flatMap(({ at, team, rent }, place) => {
    const from = Math.max(at, span.from)
    const to = Math.min(tenures[place + 1]?.at ?? Number.POSITIVE_INFINITY, span.to)
    return from < to ? [{ from, to, team, rent }] : []
  })
}

/**
 * Says what a machine costs, USD an hour as a person types it (`0.35`; empty or 0: nothing), and whose it is. The first word
 * of a rent counts from the machine's first day, all else from now on: what was earned before stays its owner's. What is
 * not given stays as it is. `owner`: only a machine of theirs. @throws HubError
 */
export async function setTenure(
  { env, db }: { env: Env; db: Db },
  by: Actor,
  { id, owner, rent: typed, team }: { id: string; owner?: string; rent?: string; team?: boolean },
): Promise<void> {
  const rent = typed === undefined ? undefined : readRent(typed)
  const { hosts, tenures } = db.tables
  await transaction(db, async (tx) => {
    // Locked by being written: of two who speak at once, one speaks after the other.
    const [host] = await tx.update(hosts).set({ id }).where(eq(hosts.id, id)).returning()
    if (!host || (owner !== undefined && host.ownerId !== owner))
      throw new HubError('not_found', 'There is no such machine.')
    const known = await tx.select().from(tenures).where(eq(tenures.hostId, id)).orderBy(asc(tenures.at))
    const before = nowOf(known)
    const after = { team: team ?? before.team, rent: rent ?? before.rent }
    if (after.team === before.team && after.rent === before.rent) return
    if (known.length >= MOST_TENURES)
      throw new HubError('invalid_request', 'This was changed a thousand times already. Ask the team.')
    const told = (of: typeof after) => ({ team: of.team, rent: formatUsd(of.rent) })
    await record(env, db, tx, { by, what: 'host.tenure', subject: id, before: told(before), after: told(after) })
    const rows: Tenure[] = []
    if (known.length === 0 && after.rent > 0n) rows.push({ at: host.createdAt, team: false, rent: after.rent })
    const last = rows.at(-1) ?? known.at(-1)
    if (rows.length === 0 || after.team) rows.push({ at: Math.max(env.now(), (last?.at ?? 0) + 1), ...after })
    await tx.insert(tenures).values(rows.map((row) => ({ hostId: id, ...row })))
  })
}

function readRent(text: string): Money {
  const typed = text.trim()
  try {
    const rent = typed === '' ? 0n : parseUsd(typed)
    if (rent <= MOST_RENT) return rent
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
  }
  throw new HubError('invalid_request', 'A rent is dollars an hour such as 0.35, at most 1000; 0 for none.', {
    param: 'rent',
  })
}
