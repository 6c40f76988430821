import { and, eq } from 'drizzle-orm'
import { type HostEarnings, mostEarningsMs } from '../../sdk/host-earnings.ts'
import { sum, usdDecimal } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import { nowOf, rentIn, tenuresOf } from '../fleet/tenure.ts'
import { HOUR_MS } from '../ledger/roll-up.ts'
import { trafficOf } from '../ledger/traffic.ts'
import type { Platform } from './platform.ts'

export interface Question {
  /** As it names itself in its hello. */
  machine: string
  /** Milliseconds since 1970. */
  from: number
  to?: number
}

/** What one machine of an owner was paid; one that has never linked, nothing. @throws HubError */
export async function earningsOf(hub: Platform, ownerId: string, question: Question): Promise<HostEarnings> {
  const { env, db } = hub
  const from = Math.floor(question.from / HOUR_MS) * HOUR_MS
  const to = Math.min(question.to ?? Number.POSITIVE_INFINITY, env.now() + 1)
  if (from >= to || to - from > mostEarningsMs)
    throw new HubError(
      'invalid_request',
      '`from` and `to` are milliseconds since 1970, one after the other and both past, 400 days apart at most.',
    )
  const { hosts } = db.tables
  const mine = and(eq(hosts.ownerId, ownerId), eq(hosts.machine, question.machine))
  const rows = await db.query
    .select({ id: hosts.id, leftAt: hosts.leftAt, seenAt: hosts.seenAt })
    .from(hosts)
    .where(mine)
  const hostIds = rows.map(({ id }) => id)
  const traffic = await trafficOf(db, { hostIds }, { from, to, by: 'variant' })
  const paid = traffic.filter(({ completed, cancelled }) => completed + cancelled > 0)
  const tenures = await tenuresOf(db, hostIds)
  const known = rows.flatMap(({ id, leftAt, seenAt }) => {
    const of = tenures.get(id)
    // As on the owner's pages (worth.ts).
    return of ? [{ of, until: leftAt === null ? to : Math.min(to, seenAt) }] : []
  })
  const rent = sum(known.map(({ of, until }) => rentIn(of, { from, to: until })))
  return {
    ...{ from: new Date(from).toISOString(), to: new Date(to).toISOString() },
    data: paid
      .toSorted((a, b) => (a.hostShare === b.hostShare ? 0 : a.hostShare < b.hostShare ? 1 : -1))
      .slice(0, 1_000)
      .map(({ group, completed, cancelled, promptTokens, completionTokens, hostShare }) => ({
        ...{ model: group, requests: completed + cancelled, promptTokens, completionTokens },
        earned: usdDecimal(hostShare),
      })),
    earned: usdDecimal(sum(paid.map(({ hostShare }) => hostShare))),
    ...(rent > 0n ? { rent: usdDecimal(rent) } : {}),
    ...(known.some(({ of }) => nowOf(of).team) ? { team: true } : {}),
  }
}
