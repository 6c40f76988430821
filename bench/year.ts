// A year of a hub's life in one SQLite file: requests with their charges, the machines that answered them, the people
// who asked. Written by SQL statements over counted rows, in the order of the primary keys, with the indexes made last.
import { Database } from 'bun:sqlite'
import { join } from 'node:path'
import { migrate } from '../db/migrate.ts'
import { type Db, openDb } from '../db/open.ts'
import { everyOffer, whyNot } from '../hub/catalog/find.ts'
import { decide } from '../hub/catalog/offers.ts'
import { cardsOf } from '../hub/fleet/cards.ts'
import { addKey } from '../hub/identity/keys.ts'
import { openSession } from '../hub/identity/sessions.ts'
import { addUser, type Role } from '../hub/identity/users.ts'
import { rollUp } from '../hub/ledger/roll-up.ts'
import { systemEnv } from '../sdk/env.ts'

export const YEAR = { requests: 1_000_000, clients: 400, owners: 100, hosts: 500 } as const

const DAY_MS = 24 * 60 * 60_000
const YEAR_MS = 365 * DAY_MS
const MODELS = 12
const KEYS = { heavy: 12, others: 2 }

export interface Year {
  /** Secrets of sessions' cookies, by whose pages they open. */
  sessions: Record<Role, string>
  /** What addresses name. */
  things: {
    client: string
    key: string
    /** Never used. */
    idleKey: string
    variant: string
    rareVariant: string
    request: string
    /** In the middle of the heavy client's year. */
    olderRequest: string
    host: string
    /** In the middle of the first owner's machines. */
    olderHost: { seenAt: number; id: string }
    report: string
    entry: { at: number; posting: string }
  }
}

/** Fills `folder` with the data of a hub; takes minutes. */
export async function seedYear(folder: string): Promise<Year> {
  const file = join(folder, 'hub.db')
  const db = await openDb(`sqlite:${file}`)
  try {
    await migrate(db)
    const people = await addPeople(db)
    const now = systemEnv.now()
    const client = new Database(file)
    try {
      bulk(client, now, people)
    } finally {
      client.close()
    }
    while ((await rollUp(db, now)) > 0);
    return { sessions: await openSessions(db, people), things: await pickThings(db, people) }
  } finally {
    await db.close()
  }
}

interface People {
  /** The first asks for a fifth of everything. */
  clients: string[]
  /** The first has a fifth of all machines. */
  owners: string[]
  admin: string
  variants: string[]
  idleKey: string
}

async function addPeople(db: Db): Promise<People> {
  const several = async (count: number, name: string, roles: Role[]) => {
    const ids: string[] = []
    for (let i = 0; i < count; i++)
      ids.push((await addUser(systemEnv, db, { email: `${name}${i}@example.com`, roles })).id)
    return ids
  }
  const clients = await several(YEAR.clients, 'client', ['client'])
  const owners = await several(YEAR.owners, 'owner', ['host'])
  const [admin = ''] = await several(1, 'admin', ['admin'])
  const offers = everyOffer().filter((offer) => whyNot(offer) === null && offer.model.tokenizer !== 'emulated')
  const variants = offers.slice(0, MODELS).map(({ id }) => id)
  for (const variant of variants) await decide(systemEnv, db, 'command line', { variant, enabled: true })
  for (const [i, userId] of clients.entries())
    for (let k = 0; k < (i === 0 ? KEYS.heavy : KEYS.others); k++)
      await addKey(systemEnv, db, { userId, name: `key ${k}` })
  const { id: idleKey } = await addKey(systemEnv, db, { userId: clients[0]!, name: 'never used' })
  return { clients, owners, admin, variants, idleKey }
}

/** Numbers that look drawn and are the same every time, below `most`. */
const drawn = (salt: number, most: number | string) => `((i * 2654435761 + ${salt} * 40503) / 7 % 1000003 % (${most}))`

function bulk(client: Database, now: number, { clients, owners, variants, idleKey }: People): void {
  for (const pragma of ['synchronous = OFF', 'journal_mode = WAL', 'cache_size = -400000', 'temp_store = MEMORY'])
    client.run(`PRAGMA ${pragma}`)
  const indexes = client
    .query(`select name, sql from sqlite_master where type = 'index' and sql is not null
      and tbl_name in ('requests', 'entries', 'postings')`)
    .all() as { name: string; sql: string }[]
  client.run('BEGIN')
  for (const { name } of indexes) client.run(`drop index "${name}"`)
  list(client, 'seed_clients', clients)
  list(client, 'seed_owners', owners)
  list(client, 'seed_variants', variants)
  client.run(`create temp table seed_keys as select c.n as client, k.id as id,
    row_number() over (partition by c.n order by k.id) - 1 as n
    from keys k join seed_clients c on c.id = k.user_id where k.id <> '${idleKey}'`)
  client.run('create unique index temp.seed_keys_n on seed_keys (client, n)')
  client.run(`${counted(YEAR.hosts)} insert into hosts
    (id, owner_id, token_id, machine, name, agent, hardware, cards, simulated, vetted_at, note, created_at, seen_at)
    select ${id('host')}, o.id, 'htk_' || i, 'm' || i, 'machine-' || i, '0.1.0', '${JSON.stringify(HARDWARE)}', '${cardsOf(HARDWARE)}', 0,
      case when i % 3 = 0 then ${now - YEAR_MS} end, '', ${now - YEAR_MS}, ${now} - i * 1000
    from counted join seed_owners o on o.n = case when i % 5 = 0 then 0 else 1 + i % ${YEAR.owners - 1} end`)
  client.run(`create temp table seed_hosts as select row_number() over (order by id) - 1 as n, id from hosts`)
  client.run('create unique index temp.seed_hosts_n on seed_hosts (n)')
  insertRequests(client, now)
  insertBooks(client, now)
  insertFailures(client, now)
  insertReports(client, now)
  for (const { sql } of indexes) client.run(sql)
  client.run('COMMIT')
  client.run('PRAGMA wal_checkpoint(TRUNCATE)')
}

const HARDWARE = {
  cpu: 'AMD Ryzen 7 7700X',
  cores: 16,
  memoryBytes: 64 * 2 ** 30,
  driver: '560.35',
  gpus: [{ name: 'NVIDIA GeForce RTX 4090', memoryBytes: 24 * 2 ** 30, computeCapability: '8.9', uuid: null }],
}

function list(client: Database, name: string, ids: string[]): void {
  client.run(`create temp table ${name} (n integer primary key, id text)`)
  for (const [n, each] of ids.entries()) client.query(`insert into ${name} values (?, ?)`).run(n, each)
}

const counted = (count: number) =>
  `with recursive counted(i) as (select 0 union all select i + 1 from counted where i < ${count - 1})`

/** Shaped like every other id, and in order of time. */
const id = (prefix: string) => `printf('${prefix}_%026d', i)`

function insertRequests(client: Database, now: number): void {
  const step = Math.floor(YEAR_MS / YEAR.requests)
  const fate = drawn(3, 10_000)
  client.run(`${counted(YEAR.requests)}, facts as (
      select i, ${now - YEAR_MS} + i * ${step} as at,
        case when i % 5 = 0 then 0 else 1 + ${drawn(1, YEAR.clients - 1)} end as client,
        ${drawn(4, YEAR.hosts)} as host, ${drawn(7, 97)} as chance,
        case when ${fate} < 9600 then 'completed' when ${fate} < 9800 then 'cancelled'
          when ${fate} < 9998 then 'failed' else 'lost' end as state,
        50 + ${drawn(5, 2_000)} as prompt, 10 + ${drawn(6, 800)} as answer
      from counted)
    insert into requests (id, hub_id, user_id, key_id, variant, state, stream, at, ended_at, first_token_ms,
      prompt_tokens, completion_tokens, claimed_tokens, counts_differ, prompt_picos, completion_picos, cost, fee,
      host_share, host_id, attempts, resumed, finish_reason, error_code, delivered)
    select ${id('req')}, 'hub_of_the_year', c.id, k.id, v.id, state, i % 2, at, at + 800 + answer * 12,
      case when state <> 'failed' then 120 + chance * 7 end, prompt, case when state = 'failed' then 0 else answer end,
      null, 0, 20000, 100000,
      case when state = 'failed' then 0 else prompt * 20 + answer * 100 end,
      case when state = 'failed' then 0 else (prompt * 20 + answer * 100) * 15 / 100 end,
      case when state = 'failed' then 0 else prompt * 20 + answer * 100 - (prompt * 20 + answer * 100) * 15 / 100 end,
      case when state <> 'failed' then h.id end, 1 + (chance = 0), 0,
      case when state = 'completed' then 'stop' end, case when state = 'failed' then 'no_host_available' end, 1
    from facts cross join seed_clients c on c.n = facts.client
    cross join seed_keys k on k.client = facts.client
      and k.n = chance % case when facts.client = 0 then ${KEYS.heavy} else ${KEYS.others} end
    -- A machine serves two models; the last one is asked for seldom.
    cross join seed_variants v on v.n = case when i % 20011 = 0 then ${MODELS - 1}
      else (facts.host + chance % 2) % ${MODELS - 1} end
    cross join seed_hosts h on h.n = facts.host`)
}

/** Credit first, then a charge a request and a refund for each that was lost: balances are what these sum to. */
function insertBooks(client: Database, now: number): void {
  const began = now - YEAR_MS - 1
  client.run(`insert into postings select 'credit:' || id, 'credit', 'credit of the year', ${began} from seed_clients`)
  for (const [line, account, amount] of [
    [0, `'client:' || id`, '1000000000000'],
    [1, `'platform:credits'`, '-1000000000000'],
  ])
    client.run(`insert into entries select 'credit:' || id, ${line}, ${account}, ${amount}, ${began} from seed_clients`)
  const charged = `from requests where cost > 0 order by id`
  client.run(`insert into postings select id, 'usage', '', ended_at ${charged}`)
  client.run(`insert into entries (posting, line, account, amount, at)
    select id, line, case line when 0 then 'client:' || user_id when 1 then 'host:' || host_id || ':pending'
        else 'platform:fees' end,
      case line when 0 then -cost when 1 then host_share else fee end, ended_at
    from (select * ${charged}) cross join (select 0 as line union all select 1 union all select 2)
    order by id, line`)
  const lost = `from requests where state = 'lost' order by id`
  client.run(`insert into postings select 'refund:' || id, 'refund', '', ended_at ${lost}`)
  for (const [line, account, sign] of [
    [0, `'client:' || user_id`, ''],
    [1, `'platform:reliability'`, '-'],
  ])
    client.run(`insert into entries select 'refund:' || id, ${line}, ${account}, ${sign}cost, ended_at ${lost}`)
  client.run(`insert into accounts (id, balance, granted) select account, sum(amount), 0 from entries
    where account not like 'platform:%' group by account`)
}

function insertFailures(client: Database, now: number): void {
  const today = Math.floor(now / DAY_MS) * DAY_MS
  client.run(`${counted(YEAR.hosts * 50)} insert into failures
    (id, host_id, variant, class, code, message, request_id, attempt, tokens, at)
    select ${id('failure')}, h.id, v.id, 'engine', 'engine_error', 'The engine answered 500.', 'req_' || i, 1, i % 90,
      ${now} - i * 60000
    from counted cross join seed_hosts h on h.n = i % ${YEAR.hosts} cross join seed_variants v on v.n = i % ${MODELS}`)
  client.run(`${counted(90)} insert into failure_days (host_id, day, class, count)
    select h.id, ${today} - i * ${DAY_MS}, c.class, 1 + i % 7 from counted, seed_hosts h,
      (select 'engine' as class union all select 'network' union all select 'client') c`)
}

function insertReports(client: Database, now: number): void {
  client.run(`${counted(1_000)} insert into reports (id, at, kind, about, text, contact, state, note, changed_at)
    select ${id('rep')}, ${now} - i * 3600000, 'fraud or spam', '', 'Somebody sends messages.', '',
      case i % 3 when 0 then 'new' when 1 then 'open' else 'closed' end, '', ${now} from counted`)
  client.run(`${counted(20_000)} insert into acts (id, at, "by", what, subject, before, after)
    select ${id('act')}, ${now} - i * 60000, null, 'host.vet', printf('host_%026d', i % ${YEAR.hosts}), null, null
    from counted`)
}

async function openSessions(db: Db, { clients, owners, admin }: People): Promise<Year['sessions']> {
  const open = async (userId: string) =>
    (await openSession(systemEnv, db, db.query, userId, { address: '127.0.0.1', agent: 'bench', country: null })).secret
  return { client: await open(clients[0]!), host: await open(owners[0]!), admin: await open(admin) }
}

async function pickThings(db: Db, { clients, owners, variants, idleKey }: People): Promise<Year['things']> {
  if (db.dialect !== 'sqlite') throw new Error('a year is written to SQLite')
  const one = <T>(statement: string, ...values: string[]) => db.client.query(statement).get(...values) as T
  const of = `from requests where user_id = ? and state = 'completed' order by at desc limit 1`
  const request = one<{ id: string; key_id: string; host_id: string }>(`select id, key_id, host_id ${of}`, clients[0]!)
  const older = one<{ id: string }>(`select id ${of} offset 100000`, clients[0]!)
  const host = one<{ id: string }>('select id from hosts order by id limit 1')
  const olderHost = one<{ id: string; seen_at: bigint }>(
    'select id, seen_at from hosts where owner_id = ? order by seen_at desc limit 1 offset 49',
    owners[0]!,
  )
  const entry = one<{ at: bigint; posting: string }>(
    `select at, posting from entries where account = 'platform:fees' order by at limit 1 offset 300000`,
  )
  return {
    client: clients[0]!,
    key: request.key_id,
    idleKey,
    variant: variants[0]!,
    rareVariant: variants.at(-1)!,
    request: request.id,
    olderRequest: older.id,
    host: host.id,
    olderHost: { seenAt: Number(olderHost.seen_at), id: olderHost.id },
    report: one<{ id: string }>('select id from reports limit 1').id,
    entry: { at: Number(entry.at), posting: entry.posting },
  }
}
