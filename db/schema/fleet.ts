// The machines, the hubs they link to, and what is on offer.
import type { Hardware } from '../../sdk/wire/frames.ts'
import type { Columns } from '../columns.ts'

export type LinkState = 'connecting' | 'ready' | 'draining' | 'tripped' | 'quarantined' | 'gone'

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
      createdAt: time().notNull(),
      seenAt: time().notNull(),
    },
    (t) => [uniqueIndex('hosts_machine').on(t.ownerId, t.machine)],
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
      since: time().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.hubId] }), index('links_hub').on(t.hubId)],
  )

  const offers = table('offers', {
    /** Catalog id of a variant. A row says what this team decided about it; without one the catalog's default holds. */
    variant: text().primaryKey(),
    enabled: flag().notNull(),
    changedAt: time().notNull(),
  })

  return { hubs, hosts, links, offers }
}
