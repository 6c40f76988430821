// The fleet as a person sees it, from any process that has the database.
import { and, desc, eq, gt, isNull, type SQL } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import type { Env } from '../../sdk/env.ts'
import type { Hardware } from '../../sdk/wire/frames.ts'
import { type FailureCounts, failureCounts, noFailures } from './failures.ts'
import { HUB_GONE_MS } from './hubs.ts'
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
  stage: 'new' | 'checked' | 'vetted'
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

/** One host; null when there is none with this id. */
export async function findHost(env: Pick<Env, 'now'>, db: Db, id: string): Promise<ListedHost | null> {
  const [host] = await withFailures(env, db, await list(env, db, eq(db.tables.hosts.id, id)))
  return host ?? null
}

/** Failures are counted over this many days, today included. */
export const FAILURE_DAYS = 7
const DAY_MS = 24 * 60 * 60_000
const MOST = 10_000
const GIB = 2 ** 30

/** Every host, the most recently seen first. One that links to several hubs is listed once, by its best link. */
export function listHosts(env: Pick<Env, 'now'>, db: Db): Promise<FleetHost[]> {
  return list(env, db)
}

/** As `listHosts`, of one owner. */
export async function hostsOf(env: Pick<Env, 'now'>, db: Db, ownerId: string): Promise<ListedHost[]> {
  return withFailures(env, db, await list(env, db, eq(db.tables.hosts.ownerId, ownerId)))
}

/** The same hosts, with what failed on them. */
export async function withFailures(env: Pick<Env, 'now'>, db: Db, hosts: FleetHost[]): Promise<ListedHost[]> {
  const ids = hosts.map(({ id }) => id)
  const failures = await failureCounts(db, env.now() - (FAILURE_DAYS - 1) * DAY_MS, ids)
  return hosts.map((host) => ({ ...host, failures: failures.get(host.id) ?? noFailures() }))
}

async function list(env: Pick<Env, 'now'>, db: Db, only?: SQL): Promise<FleetHost[]> {
  const { hosts, hubs, links, networks, notices, users } = db.tables
  const rows = await db.query
    .select({ host: hosts, owner: users.email, network: networks })
    .from(hosts)
    .leftJoin(networks, eq(networks.hostId, hosts.id))
    .innerJoin(users, eq(users.id, hosts.ownerId))
    .where(only)
    .orderBy(desc(hosts.seenAt), hosts.id)
    .limit(MOST)
  // A link counts while the hub that wrote it lives.
  const present = await db.query
    .select({ link: links })
    .from(links)
    .innerJoin(hubs, and(eq(hubs.id, links.hubId), gt(hubs.seenAt, env.now() - HUB_GONE_MS)))
  const best = new Map<string, (typeof present)[number]['link']>()
  for (const { link } of present) {
    const other = best.get(link.hostId)
    if (!other || RANK.indexOf(link.state) < RANK.indexOf(other.state)) best.set(link.hostId, link)
  }
  const open = await db.query.select().from(notices).where(isNull(notices.clearedAt)).orderBy(notices.at).limit(MOST)
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
      notices: open.flatMap(({ hostId, kind, message, at }) => (hostId === host.id ? [{ kind, message, at }] : [])),
      rests: link?.state === 'draining' ? link.rests : null,
      hub: link?.hubId ?? null,
      since: link?.since ?? host.seenAt,
      seenAt: host.seenAt,
      left: host.leftAt !== null,
      hardware: summary(host.hardware),
      simulated: host.simulated,
    }
  })
}

function shownNetwork(row: Db['tables']['networks']['$inferSelect']): ListedNetwork {
  const { state, since, roundTripMs, linkLosses, downKbits, upKbits, faults } = row
  return {
    ...{ state, since, roundTripMs, linkLosses, downMbits: mbits(downKbits), upMbits: mbits(upKbits), faults },
    words: networkWords(state, faults),
  }
}

/** From the most able to serve to the least. */
const RANK: LinkState[] = ['ready', 'draining', 'tripped', 'quarantined', 'connecting', 'gone']

/** Equal cards are counted: `2 × RTX 4090, 24 GiB`; a machine without one is its processor. */
export function summary({ gpus, cpu }: Pick<Hardware, 'gpus' | 'cpu'>): string {
  const cards = new Map<string, number>()
  for (const { name, memoryBytes } of gpus) {
    const card = `${name}, ${Math.round(memoryBytes / GIB)} GiB`
    cards.set(card, (cards.get(card) ?? 0) + 1)
  }
  if (cards.size === 0) return cpu
  return [...cards].map(([card, times]) => (times > 1 ? `${times} × ${card}` : card)).join(' + ')
}
