// The machines, the hubs they link to, and what is on offer.
import { sql } from 'drizzle-orm'
import type { Hardware } from '../../sdk/wire/frames.ts'
import type { Columns } from '../columns.ts'

export type LinkState = 'connecting' | 'ready' | 'draining' | 'tripped' | 'quarantined' | 'gone'

/** Whose trouble a failed attempt was. Only the last three are a host's. */
export type FailureClass = 'client' | 'hub' | 'network' | 'host' | 'engine'
export const failureClasses: readonly FailureClass[] = ['client', 'hub', 'network', 'host', 'engine']

/** `warned`: below the minimum, and still given requests; `below`: given none. */
export type NetworkState = 'ok' | 'warned' | 'below'

/** Mbit/s, milliseconds, or links within an hour. */
export interface NetworkFault {
  what: 'download' | 'upload' | 'round trip' | 'link losses'
  actual: number
  required: number
}

export function fleetTables({
  table,
  index,
  uniqueIndex,
  primaryKey,
  text,
  flag,
  integer,
  money,
  time,
  json,
}: Columns) {
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
      /** Since when the hub's own checks have been passed; null: not yet. */
      checkedAt: time(),
      /** Since when the team trusts it; null: not yet. */
      vettedAt: time(),
      /** Since when it gets no requests, because the team said so; null: it may serve. */
      quarantinedAt: time(),
      /** Why, fit to be shown to its owner. */
      quarantineReason: text(),
      /** Since when it gets no requests, because its network is below the minimum; null: it is not. */
      belowNetworkAt: time(),
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

  /** Whose a machine is and what its rent is, from a moment on. Rows are only added: what was paid for stays paid for. */
  const tenures = table(
    'tenures',
    {
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      at: time().notNull(),
      /** It is the team's own: what it earns is booked, and never paid out. */
      team: flag().notNull(),
      /** For an hour; 0: none. */
      rent: money().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.at] })],
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

  /** How a host's connection stands against the minimum; no row: nothing was ever wrong, or measured. */
  const networks = table(
    'networks',
    {
      hostId: text()
        .primaryKey()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      state: text().$type<NetworkState>().notNull(),
      since: time().notNull(),
      clearSince: time(),
      /** Thousands of bits a second, as the hub timed them. */
      downKbits: integer(),
      upKbits: integer(),
      probedAt: time(),
      /** As it was judged last: over all hubs. */
      roundTripMs: integer(),
      linkLosses: integer().notNull(),
      faults: json<NetworkFault[]>().notNull(),
    },
    (t) => [index('networks_state').on(t.state), index('networks_probed').on(t.probedAt)],
  )

  /** What one hub saw of a host's connection. Gone with the hub. */
  const networkSightings = table(
    'network_sightings',
    {
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      hubId: text().notNull(),
      /** Median; null: not measured yet. */
      roundTripMs: integer(),
      /** When links were lost, within the last hour or so. */
      losses: json<number[]>().notNull(),
      at: time().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.hubId] }), index('network_sightings_at').on(t.at)],
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

  /** What the hub itself asked a new host, and what came of it; the newest of each variant. */
  const checks = table(
    'checks',
    {
      hostId: text()
        .notNull()
        .references(() => hosts.id, { onDelete: 'cascade' }),
      variant: text().notNull(),
      /** Tried so often in a row without passing; 0: passed. */
      tries: integer().notNull(),
      passed: flag().notNull(),
      /** What was found, in a sentence. */
      finding: text().notNull(),
      tokensPerSecond: integer(),
      at: time().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.variant] })],
  )

  /** Models that the team brought here, beside those of the catalog. */
  const imports = table('imports', {
    /** Its HuggingFace id. */
    model: text().primaryKey(),
    record: json<unknown>().notNull(),
    changedAt: time().notNull(),
  })

  /** What imported models' tokens are counted with. Never changed: named by what it is. */
  const tokenizers = table('tokenizers', {
    /** SHA-256 of the files, hex. */
    id: text().primaryKey(),
    /** tokenizer.json and tokenizer_config.json as one JSON, gzip, base64. */
    packed: text().notNull(),
    at: time().notNull(),
  })

  return {
    hubs,
    hosts,
    links,
    failures,
    failureDays,
    hostLocks,
    tenures,
    notices,
    networks,
    networkSightings,
    checks,
    imports,
    tokenizers,
    offers,
  }
}
