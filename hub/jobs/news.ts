// News that nothing announces: it is looked for. The books, above all, tell nobody (nothing hangs on the path of money),
// so those who used the hub just now are looked up in them.
import { and, eq, gt, inArray, isNotNull, lte, notExists, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import { formatUsd, parseUsd } from '../../sdk/money.ts'
import { HUB_GONE_MS } from '../fleet/hubs.ts'
import { clientAccount } from '../ledger/chart.ts'
import { creditLow, keyBudget, type Links, machineOffline } from '../mail/letters.ts'
import type { Newsroom } from '../mail/news.ts'
import type { Policy } from '../policy/policy.ts'

interface World {
  env: Env
  db: Db
  policy: Pick<Policy, 'current'>
  news: Pick<Newsroom, 'tell'>
}

export const NEWS_EVERY_MS = 60_000
/** Several rounds: one may fail, and a request is in the books when it ends, by when it began. */
const USED_WITHIN_MS = 10 * 60_000
/** A key is of no use any more well before the last cent. */
const USED_UP_PERCENT = 95n
const AWAY_HOURS = 2
const AWAY_MS = AWAY_HOURS * 60 * 60_000
/** How long after that it is still news. */
const AWAY_WITHIN_MS = 60 * 60_000
/** A link that was lost is written down within this time of the host's being gone. */
const LOST_WITHIN_MS = 60_000
const AT_ONCE = 500

export async function lookForNews(world: World): Promise<number> {
  const { env, db } = world
  const { requests } = db.tables
  const used = await db.query
    .selectDistinct({ userId: requests.userId, keyId: requests.keyId })
    .from(requests)
    .where(gt(requests.at, env.now() - USED_WITHIN_MS))
  await lowCredit(world, [...new Set(used.map(({ userId }) => userId))])
  await usedUpKeys(world, [...new Set(used.map(({ keyId }) => keyId))])
  await lostMachines(world)
  return 0
}

async function lowCredit({ db, policy, news }: World, userIds: string[]): Promise<void> {
  const low = parseUsd(policy.current().creditLow)
  const { accounts } = db.tables
  const byAccount = new Map(userIds.map((id) => [clientAccount(id), id]))
  for (const ids of pages([...byAccount.keys()])) {
    const rows = await db.query.select().from(accounts).where(inArray(accounts.id, ids))
    for (const { id, balance } of rows) {
      if (balance >= low) continue
      const letter = (links: Links) => creditLow({ balance: formatUsd(balance), ...links })
      const userId = byAccount.get(id) ?? ''
      await transaction(db, (tx) => news.tell(tx, userId, { kind: 'credit-low', about: userId, letter }))
    }
  }
}

async function usedUpKeys({ db, news }: World, keyIds: string[]): Promise<void> {
  const { keys, limits } = db.tables
  for (const ids of pages(keyIds)) {
    const rows = await db.query
      .select({ key: keys, budget: limits.budget, spent: limits.spent })
      .from(limits)
      .innerJoin(keys, eq(keys.id, limits.subject))
      .where(and(inArray(limits.subject, ids), isNotNull(limits.budget)))
    for (const { key, budget, spent } of rows) {
      if (budget === null || spent * 100n < budget * USED_UP_PERCENT) continue
      const amounts = { spent: formatUsd(spent), budget: formatUsd(budget) }
      const letter = (links: Links) => keyBudget({ name: key.name, hint: key.hint, ...amounts, ...links })
      // Another budget is another matter.
      const about = `${key.id} ${budget}`
      await transaction(db, (tx) => news.tell(tx, key.userId, { kind: 'key-budget', about, letter, once: true }))
    }
  }
}

/** Of machines whose link was lost: those that were stopped are not missed. */
async function lostMachines({ env, db, news }: World): Promise<void> {
  const { hosts, hubs, links, networkSightings } = db.tables
  const now = env.now()
  const alive = and(eq(hubs.id, links.hubId), gt(hubs.seenAt, now - HUB_GONE_MS))
  const linked = db.query.select({ one: sql`1` }).from(links).innerJoin(hubs, alive).where(eq(links.hostId, hosts.id))
  const away = await db.query
    .select({ id: hosts.id, name: hosts.name, ownerId: hosts.ownerId, seenAt: hosts.seenAt })
    .from(hosts)
    .where(and(lte(hosts.seenAt, now - AWAY_MS), gt(hosts.seenAt, now - AWAY_MS - AWAY_WITHIN_MS), notExists(linked)))
    .limit(AT_ONCE)
  if (away.length === 0) return
  const ids = away.map(({ id }) => id)
  const seen = await db.query.select().from(networkSightings).where(inArray(networkSightings.hostId, ids))
  for (const { id, name, ownerId, seenAt } of away) {
    const losses = seen.filter(({ hostId }) => hostId === id).flatMap((sighting) => sighting.losses)
    if (!losses.some((at) => Math.abs(at - seenAt) <= LOST_WITHIN_MS)) continue
    const letter = (links: Links) => machineOffline({ id, name, hours: AWAY_HOURS, ...links })
    const about = `${id} ${seenAt}`
    await transaction(db, (tx) => news.tell(tx, ownerId, { kind: 'machine-offline', about, letter, once: true }))
  }
}

function* pages<T>(items: T[]): Generator<T[]> {
  for (let at = 0; at < items.length; at += AT_ONCE) yield items.slice(at, at + AT_ONCE)
}
