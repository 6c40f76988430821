// The fleet as a person sees it, from any process that has the database.
import { and, type AnyColumn, desc, eq, inArray, isNull, type SQL } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import type { Env } from '../../sdk/env.ts'
import { type FailureCounts, failureCounts, noFailures } from './failures.ts'
import { cardsOf } from './cards.ts'
import { fits, type HostFilter, type HostPlace, LINK_STATES, linkCounts, seenAfter, type Stage } from './list-filter.ts'
import { type NetworkFault, type NetworkState, networkWords } from './network.ts'
import { mbits } from './network-round.ts'

export interface ListedHost {
  id: string
  /** Email. */
  owner: string
  name: string
  state: LinkState
  /** Variants on offer. */
  models: string[]
  /** Of these, those that sit out now, because requests failed on them. */
  tripped: string[]
  /** Attempts that failed here in the last week, by whose trouble it was. */
  failures: FailureCounts
  /** How far it has come: nothing known, the hub's own questions answered well, trusted by the team. */
  stage: Stage
  /** Since when the hub's own questions are answered well; null: not yet. */
  checkedAt: number | null
  /** The team trusts it with any share of the traffic. */
  vetted: boolean
  /** Why the team keeps it from requests; null: it does not. */
  quarantine: string | null
  /** How its connection stands against the minimum; null: nothing is known yet. */
  network: ListedNetwork | null
  /** What its owner has to know and do. */
  notices: Notice[]
  /** Why it takes nothing new, in its own word; null: it does, or does not say. */
  rests: string | null
  /** The hub it is linked to; null when gone. */
  hub: string | null
  /** Of its state; milliseconds since 1970. */
  since: number
  /** When it last came or went. */
  seenAt: number
  /** Its owner took the program off it. */
  left: boolean
  /** One line, such as `2 × NVIDIA GeForce RTX 4090, 24 GiB`. */
  hardware: string
  simulated: boolean
}

export interface ListedNetwork {
  state: NetworkState
  /** Of its state. */
  since: number
  roundTripMs: number | null
  /** Links lost within an hour. */
  linkLosses: number
  downMbits: number | null
  upMbits: number | null
  /** What of it is below the minimum, and the minimum. */
  faults: NetworkFault[]
  /** In sentences, with what to do; empty: nothing is wrong. */
  words: string
}

export interface Notice {
  kind: string
  message: string
  /** Milliseconds since 1970. */
  at: number
}

/** One of a long list: its failures are counted when it is shown. */
export type FleetHost = Omit<ListedHost, 'failures'>

/** One host, of one owner if named; null when there is none with this id. */
export async function findHost(
  env: Pick<Env, 'now'>,
  db: Db,
  id: string,
  ownerId?: string,
): Promise<ListedHost | null> {
  const { hosts } = db.tables
  const only = and(eq(hosts.id, id), ownerId === undefined ? undefined : eq(hosts.ownerId, ownerId))
  const [host] = await withFailures(env, db, await list(env, db, { only, limit: 1 }))
  return host ?? null
}

/** Failures are counted over this many days, today included. */
export const FAILURE_DAYS = 7
const DAY_MS = 24 * 60 * 60_000
const MOST = 10_000

/** Every host, the most recently seen first. One that links to several hubs is listed once, by its best link. */
export function listHosts(env: Pick<Env, 'now'>, db: Db): Promise<FleetHost[]> {
  return list(env, db, { limit: MOST })
}

export interface HostPage {
  hosts: FleetHost[]
  /** Where the next page begins; null on the last. */
  next: HostPlace | null
}

/** As `listHosts`, some at a time. `after`: the `next` of the page before. */
export async function pageOfHosts(
  env: Pick<Env, 'now'>,
  db: Db,
  { limit, after, ...filter }: HostFilter & { limit: number; after: HostPlace | null },
): Promise<HostPage> {
  const found = await list(env, db, { only: and(fits(env, db, filter), seenAfter(db, after)), limit: limit + 1 })
  const hosts = found.slice(0, limit)
  const last = hosts.at(-1)
  return { hosts, next: found.length > limit && last ? { seenAt: last.seenAt, id: last.id } : null }
}

/** The same hosts, with what failed on them. */
export async function withFailures(env: Pick<Env, 'now'>, db: Db, hosts: FleetHost[]): Promise<ListedHost[]> {
  const ids = hosts.map(({ id }) => id)
  const failures = await failureCounts(db, env.now() - (FAILURE_DAYS - 1) * DAY_MS, ids)
  return hosts.map((host) => ({ ...host, failures: failures.get(host.id) ?? noFailures() }))
}

async function list(
  env: Pick<Env, 'now'>,
  db: Db,
  { only, limit }: { only?: SQL; limit: number },
): Promise<FleetHost[]> {
  const { hosts, networks, users } = db.tables
  const rows = await db.query
    .select({ host: hosts, owner: users.email, network: networks })
    .from(hosts)
    .leftJoin(networks, eq(networks.hostId, hosts.id))
    .innerJoin(users, eq(users.id, hosts.ownerId))
    .where(only)
    .orderBy(desc(hosts.seenAt), hosts.id)
    .limit(limit)
  const ids = rows.map(({ host }) => host.id)
  const [best, notices] = await Promise.all([bestLinks(env, db, ids), openNotices(db, ids)])
  return rows.map(({ host, owner, network }) => {
    const link = best.get(host.id)
    return {
      id: host.id,
      owner,
      name: host.name,
      state: link?.state ?? 'gone',
      models: link?.models ?? [],
      tripped: link?.tripped ?? [],
      stage: host.vettedAt !== null ? 'vetted' : host.checkedAt !== null ? 'checked' : 'new',
      checkedAt: host.checkedAt,
      vetted: host.vettedAt !== null,
      quarantine: host.quarantinedAt === null ? null : (host.quarantineReason ?? ''),
      network: network && shownNetwork(network),
      notices: (notices.get(host.id) ?? []).map(({ kind, message, at }) => ({ kind, message, at })),
      rests: link?.state === 'draining' ? link.rests : null,
      hub: link?.hubId ?? null,
      since: link?.since ?? host.seenAt,
      seenAt: host.seenAt,
      left: host.leftAt !== null,
      // Empty for a machine that was not here since this line is kept.
      hardware: host.cards || cardsOf(host.hardware),
      simulated: host.simulated,
    }
  })
}

/** Of each of these hosts the link by which it serves best. */
async function bestLinks(env: Pick<Env, 'now'>, db: Db, ids: string[]) {
  const { hubs, links } = db.tables
  const present = await db.query
    .select({ link: links })
    .from(links)
    .innerJoin(hubs, linkCounts(env, db))
    .where(amongAll(links.hostId, ids))
  const best = new Map<string, (typeof present)[number]['link']>()
  for (const { link } of present) {
    const other = best.get(link.hostId)
    if (!other || LINK_STATES.indexOf(link.state) < LINK_STATES.indexOf(other.state)) best.set(link.hostId, link)
  }
  return best
}

async function openNotices(db: Db, ids: string[]) {
  const { notices } = db.tables
  const open = await db.query
    .select()
    .from(notices)
    .where(and(isNull(notices.clearedAt), amongAll(notices.hostId, ids)))
    .orderBy(notices.at)
    .limit(MOST)
  return Map.groupBy(open, ({ hostId }) => hostId)
}

/** More than a page are nearly all there are: their ids would only make the question long. */
function amongAll(column: AnyColumn, ids: string[]): SQL | undefined {
  return ids.length > 500 ? undefined : inArray(column, ids)
}

function shownNetwork(row: Db['tables']['networks']['$inferSelect']): ListedNetwork {
  const { state, since, roundTripMs, linkLosses, downKbits, upKbits, faults } = row
  return {
    ...{ state, since, roundTripMs, linkLosses, downMbits: mbits(downKbits), upMbits: mbits(upKbits), faults },
    words: networkWords(state, faults),
  }
}
