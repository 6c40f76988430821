// What machines that cost rent, or are the team's own, earned beside what they cost: today, in 7 and in 30 days.
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import type { Money } from '../../sdk/money.ts'
import { DAY_MS } from '../ledger/roll-up.ts'
import { trafficOf } from '../ledger/traffic.ts'
import type { ListedHost } from './list.ts'
import { nowOf, rentIn, type Tenure, tenuresOf } from './tenure.ts'

export const WORTH_DAYS = [1, 7, 30] as const

export interface Worth {
  earned: Money
  rent: Money
}

export interface HostWorth extends Omit<Tenure, 'at'> {
  id: string
  name: string
  /** In the order of `WORTH_DAYS`: UTC days, today included. */
  spans: Worth[]
}

type Asked = Pick<ListedHost, 'id' | 'name' | 'left' | 'seenAt'>

/** Of these hosts those that cost something, or are the team's; in their order. */
export async function worthOf(env: Pick<Env, 'now'>, db: Db, hosts: readonly Asked[]): Promise<HostWorth[]> {
  const tenures = await tenuresOf(
    db,
    hosts.map(({ id }) => id),
  )
  if (tenures.size === 0) return []
  const hostIds = [...tenures.keys()]
  const now = env.now()
  const today = Math.floor(now / DAY_MS) * DAY_MS
  const starts = WORTH_DAYS.map((days) => today - (days - 1) * DAY_MS)
  const earned = await Promise.all(
    starts.map(async (from) => {
      const traffic = await trafficOf(db, { hostIds }, { from, to: now + 1, by: 'host' })
      return new Map(traffic.map(({ group, hostShare }) => [group, hostShare]))
    }),
  )
  return hosts.flatMap(({ id, name, left, seenAt }) => {
    const known = tenures.get(id)
    if (!known) return []
    // Who took the program off a machine gave it back, too.
    const to = left ? seenAt : now
    const spans = starts.map((from, place) => ({
      earned: earned[place]?.get(id) ?? 0n,
      rent: rentIn(known, { from, to }),
    }))
    const { team, rent } = nowOf(known)
    const idle = !team && rent === 0n && spans.every((span) => span.rent === 0n)
    return idle ? [] : [{ id, name, team, rent, spans }]
  })
}
