// Judges hosts' connections by what all hubs wrote down of them. Any hub may do it, at any time: it reads the same rows,
// comes to the same end, and who writes first has written it. Hubs notice within a second (revoked.ts).
import { and, eq, gt, inArray, isNull, ne, notInArray, or } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import { networkBelow } from '../mail/letters.ts'
import type { News, Newsroom } from '../mail/news.ts'
import type { Policy } from '../policy/policy.ts'
import type { Settings } from '../policy/settings.ts'
import { HUB_GONE_MS } from './hubs.ts'
import {
  faultsOf,
  faultWords,
  fine,
  judgeNetwork,
  type Least,
  type Measured,
  networkWords,
  together,
} from './network.ts'

export const NETWORK_EVERY_MS = 30_000
/** Rows that changed within this time are looked at: a round may fail, and clocks of other machines may be wrong. */
const LOOK_BACK_MS = 10 * 60_000
const AT_ONCE = 200

/** A host whose state has changed, for whoever writes to its owner. */
export interface NetworkNews {
  hostId: string
  name: string
  ownerId: string
  state: 'warned' | 'below' | 'ok'
  words: string
}

interface World {
  env: Pick<Env, 'now'>
  db: Db
  log: Log
  policy: Pick<Policy, 'current'>
  /** In the transaction that makes it so. */
  told: (tx: Queries, news: NetworkNews) => Promise<void>
}

export function leastOf(settings: Settings): Least {
  const { hostDownMbits, hostUpMbits, hostRoundTripMs, hostLinkLosses } = settings
  return {
    ...{ downMbits: hostDownMbits, upMbits: hostUpMbits },
    ...{ roundTripMs: hostRoundTripMs, linkLosses: hostLinkLosses },
  }
}

export class NetworkRound {
  /** By which minimum the last round judged: under another one everybody is looked at again. */
  private judgedBy = ''

  constructor(private readonly world: World) {}

  async run(): Promise<number> {
    const { env, policy } = this.world
    const least = leastOf(policy.current())
    const now = env.now()
    await this.sweep()
    const everybody = this.judgedBy !== JSON.stringify(least)
    const hostIds = await this.due(everybody ? 0 : now - LOOK_BACK_MS)
    for (let at = 0; at < hostIds.length; at += AT_ONCE) await this.judge(hostIds.slice(at, at + AT_ONCE), least, now)
    this.judgedBy = JSON.stringify(least)
    return 0
  }

  /** What hubs that are gone had seen. */
  private async sweep(): Promise<void> {
    const { hubs, networkSightings } = this.world.db.tables
    const alive = await this.world.db.query.select({ id: hubs.id }).from(hubs)
    if (alive.length === 0) return
    const ids = alive.map(({ id }) => id)
    await this.world.db.query.delete(networkSightings).where(notInArray(networkSightings.hubId, ids))
  }

  private async due(since: number): Promise<string[]> {
    const { networks, networkSightings } = this.world.db.tables
    const { query } = this.world.db
    const seen = await query
      .selectDistinct({ id: networkSightings.hostId })
      .from(networkSightings)
      .where(gt(networkSightings.at, since))
    const judged = await query
      .select({ id: networks.hostId })
      .from(networks)
      .where(or(ne(networks.state, 'ok'), gt(networks.probedAt, since)))
    return [...new Set([...seen, ...judged].map(({ id }) => id))].sort()
  }

  private async judge(hostIds: string[], least: Least, now: number): Promise<void> {
    const { db } = this.world
    const { hosts, hubs, links, networks, networkSightings } = db.tables
    const alive = gt(hubs.seenAt, now - HUB_GONE_MS)
    const sightings = await db.query
      .select({ seen: networkSightings, hubStartedAt: hubs.startedAt, link: links.epoch })
      .from(networkSightings)
      .innerJoin(hubs, and(eq(hubs.id, networkSightings.hubId), alive))
      .leftJoin(links, and(eq(links.hostId, networkSightings.hostId), eq(links.hubId, networkSightings.hubId)))
      .where(inArray(networkSightings.hostId, hostIds))
    const linked = await db.query
      .selectDistinct({ id: links.hostId })
      .from(links)
      .innerJoin(hubs, and(eq(hubs.id, links.hubId), alive))
      .where(inArray(links.hostId, hostIds))
    const rows = await db.query
      .select({ id: hosts.id, name: hosts.name, ownerId: hosts.ownerId, network: networks })
      .from(hosts)
      .leftJoin(networks, eq(networks.hostId, hosts.id))
      .where(inArray(hosts.id, hostIds))
    const here = new Set(linked.map(({ id }) => id))
    for (const host of rows) {
      const seen = sightings
        .filter((each) => each.seen.hostId === host.id)
        .map((each) => ({ ...each.seen, linked: each.link !== null, hubStartedAt: each.hubStartedAt }))
      const measured: Measured = { ...lineOf(host.network), ...together(seen, now) }
      await this.decide(host, { measured, least, linked: here.has(host.id), now })
    }
  }

  private async decide(
    { id, name, ownerId, network }: { id: string; name: string; ownerId: string; network: NetworkRow | null },
    look: Parameters<typeof judgeNetwork>[1],
  ): Promise<void> {
    const { db, log, told } = this.world
    const { hosts, networks } = db.tables
    const { measured, least, now } = look
    const before = network ?? fine(now)
    const { state, since, clearSince } = judgeNetwork(before, look)
    const faults = faultsOf(measured, least)
    const next = {
      ...{ state, since, clearSince, faults },
      ...{ roundTripMs: measured.roundTripMs, linkLosses: measured.linkLosses },
    }
    if (network && Bun.deepEquals(next, shownOf(network))) return
    const turned = state !== before.state
    await transaction(db, async (tx) => {
      if (!network) {
        const added = await tx
          .insert(networks)
          .values({ hostId: id, ...next, downKbits: null, upKbits: null, probedAt: null })
          .onConflictDoNothing()
          .returning({ id: networks.hostId })
        if (added.length === 0) return
      } else {
        // Another hub may have judged meanwhile: then that stands.
        const same = and(eq(networks.state, before.state), eq(networks.since, before.since))
        const clear =
          before.clearSince === null ? isNull(networks.clearSince) : eq(networks.clearSince, before.clearSince)
        const changed = await tx
          .update(networks)
          .set(next)
          .where(and(eq(networks.hostId, id), same, clear))
          .returning({ id: networks.hostId })
        if (changed.length === 0) return
      }
      if (!turned) return
      if (state === 'below' || before.state === 'below')
        await tx
          .update(hosts)
          .set({ belowNetworkAt: state === 'below' ? now : null, judgedAt: now })
          .where(eq(hosts.id, id))
      log.info('a host’s network', { host: id, state, faults: faults.map(faultWords).join('; ') })
      await told(tx, { hostId: id, name, ownerId, state, words: networkWords(state, faults) })
    })
  }
}

/** Its owner hears when it ends the requests; before that, and when they come back, the pages say so. */
export async function tellOfNetwork(news: Pick<Newsroom, 'tell'>, tx: Queries, told: NetworkNews): Promise<void> {
  const { hostId, ownerId, name, words, state } = told
  if (state !== 'below') return
  const letter: News['letter'] = (links) => networkBelow({ id: hostId, name, words, ...links })
  await news.tell(tx, ownerId, { kind: 'network-below', about: hostId, letter })
}

type NetworkRow = Db['tables']['networks']['$inferSelect']

function lineOf(row: NetworkRow | null): Pick<Measured, 'downMbits' | 'upMbits'> {
  return { downMbits: mbits(row?.downKbits ?? null), upMbits: mbits(row?.upKbits ?? null) }
}

function shownOf({ state, since, clearSince, faults, roundTripMs, linkLosses }: NetworkRow) {
  return { state, since, clearSince, faults, roundTripMs, linkLosses }
}

/** To a tenth. */
export function mbits(kbits: number | null): number | null {
  return kbits === null ? null : Math.round(kbits / 100) / 10
}
