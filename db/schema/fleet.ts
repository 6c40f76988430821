// The machines, the hubs they link to, and what is on offer.
import { sql } from 'drizzle-orm'
import type { Hardware } from '../../sdk/wire/frames.ts'
import type { Columns } from '../columns.ts'

export type LinkState = 'connecting' | 'ready' | 'draining' | 'tripped' | 'quarantined' | 'gone'

/** Whose trouble a failed attempt was. Only the last three are a host's. */
export type FailureClass = 'client' | 'hub' | 'network' | 'host' | 'engine'
export const failureClasses: readonly FailureClass[] = ['client', 'hub', 'network', 'host', 'engine']

export function fleetTables({ table, index, uniqueIndex, primaryKey, text, flag, integer, time, json }: Columns) {
  const hubs = table('hubs', {
    /** New at every start of a hub process: what an earlier process left behind belongs to nobody alive. */
    id: text().primaryKey(),
    /** Where hosts reach this very hub; null for a hub that is alone. */
    selfUrl: text(),
    startedAt: time().notNull(),
    seenAt: time().notNull(),
  })

  const hosts = table(
    'hosts',
    {
      id: text().primaryKey(),
      ownerId: text().notNull(),
      tokenId: text().notNull(),
      /** The installation's own name for itself; with the owner it identifies the host. */
      machine: text().notNull(),
      name: text().notNull(),
      agent: text().notNull(),
      hardware: json<Hardware>().notNull(),
      simulated: flag().notNull(),
      /** Since when the team trusts it; null: not yet. */
      vettedAt: time(),
      /** Since when it gets no requests, because the team said so; null: it may serve. */
      quarantinedAt: time(),
      /** Why, fit to be shown to its owner. */
      quarantineReason: text(),
      /** The team's own, never shown to its owner. */
      note: text().notNull().default(''),
      /** When one of these last changed what it may do. */
      judgedAt: time(),
      createdAt: time().notNull(),
      seenAt: time().notNull(),
      /** When its owner took the program off it; null: it may come back. */
      leftAt: time(),
    },
    (t) => [uniqueIndex('hosts_machine').on(t.ownerId, t.machine), index('hosts_judged').on(t.judgedAt)],
  )

  const links = table(
    'links',
    {
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      hubId: text().notNull(),
      epoch: integer().notNull(),
      state: text().$type<LinkState>().notNull(),
      models: json<string[]>().notNull(),
      /** Models of these that sit out now because requests failed on them. */
      tripped: json<string[]>().notNull().default(sql`'[]'`),
      /** One start of the host's program. Two at a time are two machines with one identity. */
      run: text(),
      /** Why it takes nothing new, in the host's own word (sdk/wire/frames.ts). */
      rests: text(),
      since: time().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.hubId] }), index('links_hub').on(t.hubId)],
  )

  /** The last attempts that failed on a host, with what is known of each; older ones are only counted. */
  const failures = table(
    'failures',
    {
      id: text().primaryKey(),
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      variant: text().notNull(),
      class: text().$type<FailureClass>().notNull(),
      code: text().notNull(),
      message: text().notNull(),
      requestId: text().notNull(),
      attempt: integer().notNull(),
      /** Produced before it failed. */
      tokens: integer().notNull(),
      at: time().notNull(),
    },
    (t) => [index('failures_host').on(t.hostId, t.at)],
  )

  const failureDays = table(
    'failure_days',
    {
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      /** Midnight UTC at which the day began. */
      day: time().notNull(),
      class: text().$type<FailureClass>().notNull(),
      count: integer().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.day, t.class] })],
  )

  /** A token that two machines used under one identity opens nothing for that host any more. */
  const hostLocks = table(
    'host_locks',
    {
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      tokenId: text().notNull(),
      at: time().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.tokenId] }), index('host_locks_at').on(t.at)],
  )

  /** What a host's owner has to know, and do. */
  const notices = table(
    'notices',
    {
      id: text().primaryKey(),
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      ownerId: text().notNull(),
      kind: text().$type<'cloned'>().notNull(),
      /** Whole sentences, fit to be shown and mailed. */
      message: text().notNull(),
      /** The token it is about. */
      tokenId: text(),
      at: time().notNull(),
      /** Since when it no longer holds; null while it does. */
      clearedAt: time(),
    },
    (t) => [index('notices_host').on(t.hostId, t.at), index('notices_owner').on(t.ownerId, t.at)],
  )

  const offers = table('offers', {
    /** Catalog id of a variant. A row says what this team decided about it; without one the catalog's default holds. */
    variant: text().primaryKey(),
    enabled: flag().notNull(),
    /** What it costs before a market moves it, pico-dollars a token; null: what the catalog says. */
    promptPicos: integer(),
    completionPicos: integer(),
    changedAt: time().notNull(),
  })

  return { hubs, hosts, links, failures, failureDays, hostLocks, notices, offers }
}
