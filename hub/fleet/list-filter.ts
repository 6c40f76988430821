// Which hosts a list is asked for, as the database answers it.
import { and, type AnyColumn, count, eq, gt, isNotNull, isNull, lt, or, type SQL, sql } from 'drizzle-orm'
import { contains } from '../../db/contains.ts'
import type { Db } from '../../db/open.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import type { Env } from '../../sdk/env.ts'
import { HUB_GONE_MS } from './hubs.ts'

export interface HostFilter {
  ownerId?: string
  state?: LinkState
  stage?: Stage
  /** Part of its name, its owner's address, its cards or a model it offers, in any case of letters; or its id. */
  search?: string
}

/** How far a host has come: nothing known, the hub's own questions answered well, trusted by the team. */
export type Stage = 'new' | 'checked' | 'vetted'

/** A host in a list by when it was last seen: it stays where it was though the host comes back meanwhile. */
export interface HostPlace {
  seenAt: number
  id: string
}

/** From the most able to serve to the least. */
export const LINK_STATES: readonly LinkState[] = ['ready', 'draining', 'tripped', 'quarantined', 'connecting', 'gone']

export async function countHosts(env: Pick<Env, 'now'>, db: Db, filter: HostFilter = {}): Promise<number> {
  const { hosts, users } = db.tables
  const [row] = await db.query
    .select({ hosts: count() })
    .from(hosts)
    .innerJoin(users, eq(users.id, hosts.ownerId))
    .where(fits(env, db, filter))
  return Number(row?.hosts ?? 0)
}

/** For a query of hosts joined with their owners. */
export function fits(env: Pick<Env, 'now'>, db: Db, { ownerId, state, stage, search }: HostFilter): SQL | undefined {
  const { hosts } = db.tables
  return and(
    ownerId === undefined ? undefined : eq(hosts.ownerId, ownerId),
    state === undefined ? undefined : sql`${stateOf(env, db)} = ${state}`,
    stage === undefined ? undefined : isAt(db, stage),
    search === undefined ? undefined : named(env, db, search),
  )
}

/** Further down in a list by when hosts were seen, the latest first. */
export function seenAfter(db: Db, place: HostPlace | null): SQL | undefined {
  if (place === null) return undefined
  const { seenAt, id } = db.tables.hosts
  return or(lt(seenAt, place.seenAt), and(eq(seenAt, place.seenAt), gt(id, place.id)))
}

/** A link counts while the hub that wrote it lives. */
export function linkCounts(env: Pick<Env, 'now'>, { tables: { hubs, links } }: Db): SQL | undefined {
  return and(eq(hubs.id, links.hubId), gt(hubs.seenAt, env.now() - HUB_GONE_MS))
}

/** That of its best link. */
function stateOf(env: Pick<Env, 'now'>, db: Db): SQL {
  const { hosts, hubs, links } = db.tables
  const rank = LINK_STATES.map((state, i) => sql`when ${state} then ${sql.raw(String(i))}`)
  return sql`coalesce((select ${links.state} from ${links} inner join ${hubs} on ${linkCounts(env, db)}
    where ${links.hostId} = ${hosts.id} order by case ${links.state} ${sql.join(rank, sql` `)} end limit 1), 'gone')`
}

function isAt({ tables: { hosts } }: Db, stage: Stage): SQL | undefined {
  if (stage === 'vetted') return isNotNull(hosts.vettedAt)
  return and(isNull(hosts.vettedAt), stage === 'checked' ? isNotNull(hosts.checkedAt) : isNull(hosts.checkedAt))
}

function named(env: Pick<Env, 'now'>, db: Db, search: string): SQL | undefined {
  const { hosts, hubs, links, users } = db.tables
  const has = (column: AnyColumn) => contains(column, search)
  return or(
    eq(hosts.id, search),
    ...[hosts.name, users.email, hosts.cards].map(has),
    sql`exists (select 1 from ${links} inner join ${hubs} on ${linkCounts(env, db)}
      where ${links.hostId} = ${hosts.id} and ${has(links.models)})`,
  )
}
