// What a person should look at: found in the database, so that every hub finds the same; each told once to the alert
// webhook when it begins and once when it is over, whichever hub gets to it.
import { and, asc, countDistinct, eq, gt, inArray, isNotNull, isNull, lt, lte } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import { HUB_GONE_MS } from '../fleet/hubs.ts'
import { trafficOf } from '../ledger/traffic.ts'
import type { Log } from '../log.ts'
import { alarmRaised } from '../mail/letters.ts'
import type { Newsroom } from '../mail/news.ts'
import { countNewReports } from '../policy/reports.ts'
import type { Post } from './webhook.ts'

export interface Alarm {
  /** The same trouble has the same id. */
  id: string
  text: string
  /** The page to look at. */
  href: string
}

interface World {
  env: Env
  db: Db
  log: Log
  /** Variants on offer. */
  offered: () => string[]
  /** Where people reach this deployment. */
  url: () => string
  /** Empty: nowhere. */
  webhook: () => string
  news: Pick<Newsroom, 'tellAdmins'>
  post: Post
}

const DAY_MS = 24 * 60 * 60_000
/** Waits between tries; after the last one it is given up. */
const WAITS_MS = [15_000, 60_000, 5 * 60_000, 30 * 60_000, 2 * 60 * 60_000]
const LEASE_MS = 60_000
const AT_ONCE = 20
const MOST = 10
const KEPT_MS = 7 * DAY_MS
/** Requests that fail without anybody's having to look. */
const FAILING_SHARE = 0.01

/** What is wrong now, the worst first; at most ten. Cheap however many hosts there are. */
export async function readAlarms({ env, db, offered }: Pick<World, 'env' | 'db' | 'offered'>): Promise<Alarm[]> {
  const { hosts, hubs, links, notices } = db.tables
  const now = env.now()
  const alive = and(eq(hubs.id, links.hubId), gt(hubs.seenAt, now - HUB_GONE_MS))
  const [[total], newReports, serving, [out], told, anyHost] = await Promise.all([
    trafficOf(db, 'everybody', { from: now - DAY_MS, to: now + 1, by: 'all' }),
    countNewReports(db),
    // Most hosts offer the same few: what differs is little.
    db.query
      .selectDistinct({ models: links.models, tripped: links.tripped })
      .from(links)
      .innerJoin(hubs, alive)
      .where(eq(links.state, 'ready')),
    db.query
      .select({ hosts: countDistinct(links.hostId) })
      .from(links)
      .innerJoin(hubs, alive)
      .where(eq(links.state, 'tripped')),
    db.query
      .select({ id: hosts.id, name: hosts.name, kind: notices.kind })
      .from(notices)
      .innerJoin(hosts, eq(hosts.id, notices.hostId))
      .where(isNull(notices.clearedAt))
      .orderBy(asc(notices.at))
      .limit(MOST),
    db.query.select({ id: hosts.id }).from(hosts).limit(1),
  ])
  const served = new Set(serving.flatMap(({ models, tripped }) => models.filter((model) => !tripped.includes(model))))
  return alarmsOf({
    asked: total ? total.completed + total.failed + total.lost : 0,
    failed: total ? total.failed + total.lost : 0,
    newReports,
    // Before the first host comes, that there is none is no news.
    unserved: anyHost.length === 0 ? [] : offered().filter((variant) => !served.has(variant)),
    offered: offered().length,
    sitOut: Number(out?.hosts ?? 0),
    told,
  })
}

export function alarmsOf(now: {
  /** Requests of a day that ended as they should, or failed. */
  asked: number
  failed: number
  newReports: number
  unserved: string[]
  offered: number
  sitOut: number
  /** Hosts whose owners have been told something. */
  told: { id: string; name: string; kind: string }[]
}): Alarm[] {
  const { asked, failed, newReports, unserved, offered, sitOut, told } = now
  const alarms: (Alarm | false)[] = [
    failed > FAILING_SHARE * asked && {
      ...{ id: 'requests-fail', href: '/status' },
      text: `${failed} of ${asked} requests failed in a day`,
    },
    newReports > 0 && {
      ...{ id: 'abuse-reports', href: '/admin/reports?state=new' },
      text: `${newReports} new abuse ${newReports === 1 ? 'report' : 'reports'}`,
    },
    // A hub whose hosts are all away says so elsewhere, and louder.
    unserved.length > 0 &&
      unserved.length < offered && {
        ...{ id: 'nobody-serves', href: '/admin/fleet' },
        text: `No host serves ${unserved.slice(0, 3).join(', ')}${unserved.length > 3 ? ' …' : ''}`,
      },
    ...told.map(({ id, name, kind }) => ({
      ...{ id: `notice-${id}`, href: `/admin/fleet/${id}` },
      text: `${name}: ${kind}`,
    })),
    sitOut > 0 && {
      ...{ id: 'hosts-sit-out', href: '/admin/fleet?state=tripped' },
      text: `${sitOut} ${sitOut === 1 ? 'host sits' : 'hosts sit'} out: requests failed on them, or their network is below the minimum`,
    },
  ]
  return alarms.filter((alarm) => alarm !== false).slice(0, MOST)
}

/** Notes which alarms began and which are over since the last look. */
export async function lookForAlarms(world: World): Promise<number> {
  const { env, db, webhook, news } = world
  const now = env.now()
  const current = await readAlarms(world)
  const nextAt = webhook() === '' ? null : now
  const { alarms } = db.tables
  await transaction(db, async (tx) => {
    const open = await tx.select({ id: alarms.id }).from(alarms).where(isNull(alarms.clearedAt))
    const known = new Set(open.map(({ id }) => id))
    for (const { id, text, href } of current.filter((alarm) => !known.has(alarm.id))) {
      const row = { id, text, raisedAt: now, clearedAt: null, nextAt, tries: 0 }
      // Another hub may have looked at the same moment: its row stands.
      const raised = await tx
        .insert(alarms)
        .values(row)
        .onConflictDoUpdate({ target: alarms.id, set: row, setWhere: isNotNull(alarms.clearedAt) })
        .returning({ id: alarms.id })
      if (raised.length === 0) continue
      await news.tellAdmins(tx, { kind: 'alarm', about: id, letter: (links) => alarmRaised({ text, href, ...links }) })
    }
    const over = [...known].filter((id) => !current.some((alarm) => alarm.id === id))
    if (over.length > 0)
      await tx
        .update(alarms)
        .set({ clearedAt: now, nextAt, tries: 0 })
        .where(and(inArray(alarms.id, over), isNull(alarms.clearedAt)))
    await tx.delete(alarms).where(and(isNull(alarms.nextAt), lt(alarms.clearedAt, now - KEPT_MS)))
  })
  return 0
}

/** Posts what has to be told; what fails is tried again, five times in all. */
export async function tellAlarms({ env, db, log, url, webhook, post }: World): Promise<number> {
  const target = webhook()
  const { alarms } = db.tables
  const now = env.now()
  const due = await db.query
    .select()
    .from(alarms)
    .where(and(isNotNull(alarms.nextAt), lte(alarms.nextAt, now)))
    .orderBy(asc(alarms.nextAt))
    .limit(AT_ONCE)
  for (const alarm of due) {
    const { id, text, raisedAt, clearedAt, tries } = alarm
    if (alarm.nextAt === null) continue
    // Several hubs look: who moves the time forward tells it.
    const same = (at: number) => and(eq(alarms.id, id), eq(alarms.nextAt, at))
    const lease = now + LEASE_MS
    const mine = await db.query
      .update(alarms)
      .set({ nextAt: lease })
      .where(same(alarm.nextAt))
      .returning({ id: alarms.id })
    if (mine.length === 0) continue
    const event = {
      type: clearedAt === null ? 'alarm.raised' : 'alarm.cleared',
      ...{ id, text, at: new Date(clearedAt ?? raisedAt).toISOString(), page: `${url()}/admin` },
    }
    const failure = target === '' ? null : await post(target, JSON.stringify(event)).then(nothing, reason)
    const wait = failure === null ? undefined : WAITS_MS[tries]
    if (failure !== null)
      log.warn(wait === undefined ? 'alarm not told: given up' : 'alarm not told yet', { alarm: id, error: failure })
    const next = wait === undefined ? { nextAt: null } : { nextAt: env.now() + wait, tries: tries + 1 }
    // It may have changed meanwhile: then that is told next.
    await db.query.update(alarms).set(next).where(same(lease))
  }
  return 0
}

const nothing = () => null

function reason(error: unknown): string {
  return String(error instanceof Error ? error.message : error).slice(0, 200)
}
