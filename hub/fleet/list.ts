// The fleet as a person sees it, from any process that has the database.
import { and, desc, eq, gt } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { LinkState } from '../../db/schema/fleet.ts'
import type { Env } from '../../sdk/env.ts'
import type { Hardware } from '../../sdk/wire/frames.ts'
import { HUB_GONE_MS } from './hubs.ts'

export interface ListedHost {
  id: string
  /** Email. */
  owner: string
  name: string
  state: LinkState
  /** Variants on offer. */
  models: string[]
  /** The hub it is linked to; null when gone. */
  hub: string | null
  /** Of its state; milliseconds since 1970. */
  since: number
  /** When it last came or went. */
  seenAt: number
  /** One line, such as `2 × NVIDIA GeForce RTX 4090, 24 GiB`. */
  hardware: string
  simulated: boolean
}

const MOST = 10_000
const GIB = 2 ** 30

/** Every host, the most recently seen first. One that links to several hubs is listed once, by its best link. */
export async function listHosts(env: Pick<Env, 'now'>, db: Db): Promise<ListedHost[]> {
  const { hosts, hubs, links, users } = db.tables
  const rows = await db.query
    .select({ host: hosts, owner: users.email })
    .from(hosts)
    .innerJoin(users, eq(users.id, hosts.ownerId))
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
  return rows.map(({ host, owner }) => {
    const link = best.get(host.id)
    return {
      id: host.id,
      owner,
      name: host.name,
      state: link?.state ?? 'gone',
      models: link?.models ?? [],
      hub: link?.hubId ?? null,
      since: link?.since ?? host.seenAt,
      seenAt: host.seenAt,
      hardware: summary(host.hardware),
      simulated: host.simulated,
    }
  })
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
