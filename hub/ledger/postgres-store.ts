// PostgreSQL, on a connection of the writer's own. A batch is four round trips however many items it has: begin; what it
// needs, locked; all it changes, a statement a table; commit. The statements of one trip are sent together.
//
// Locks are taken in one order by everybody: the hub's enrolment, accounts by id, then the rest.
import type { Sql, TransactionSql } from 'postgres'
import { connectPostgres } from '../../db/postgres.ts'
import type { OnceState } from '../../db/schema/limits.ts'
import type { EndState } from '../../db/schema/requests.ts'
import { Books, type Found, type Needed, needed } from './books.ts'
import { decide, needsEnrolment } from './decide.ts'
import type { Applied, Batch } from './items.ts'
import { COLUMNS } from './request-row.ts'
import { type Fault, StatementError, type Store } from './store.ts'

const RACES = 5

export class PostgresStore implements Store {
  private client: Sql | null = null

  constructor(
    private readonly url: string,
    private readonly fault: Fault,
  ) {}

  async apply(batch: Batch): Promise<Applied> {
    for (let race = 1; ; race++) {
      try {
        this.client ??= connectPostgres(this.url, 1)
        const applied = await this.client.begin((tx) => this.applyIn(tx, batch))
        this.fault('committed')
        return applied as Applied
      } catch (error) {
        if (race === RACES || !lostRace(error)) throw asStoreError(error)
      }
    }
  }

  /** The next batch connects anew. */
  abort(): void {
    void this.client?.end({ timeout: 0 })
    this.client = null
  }

  async close(): Promise<void> {
    await this.client?.end({ timeout: 5 })
    this.client = null
  }

  private async applyIn(tx: TransactionSql, batch: Batch): Promise<Applied> {
    this.fault('begun')
    const { hubId, items, at } = batch
    const [enrolled, found] = await Promise.all([isEnrolled(tx, hubId), read(tx, needed(items, hubId))])
    if (hubId !== null && !enrolled && needsEnrolment(items)) return 'fenced'
    this.fault('read')
    const books = new Books(hubId, at, found)
    const outcomes = decide(books, items)
    await Promise.all(write(tx, books))
    this.fault('written')
    return outcomes
  }
}

/** Another transaction came first: a deadlock, a serialization failure, or a key that was not there a moment ago. */
function lostRace(error: unknown): boolean {
  const { code = '' } = error as { code?: string }
  return code === '40001' || code === '40P01' || code === '23505'
}

/** Statements that will never succeed: bad data, a constraint, a mistake in the SQL. The rest is weather or a lost race. */
function asStoreError(error: unknown): unknown {
  const { code = '', name } = error as { code?: string; name?: string }
  const fromServer = name === 'PostgresError'
  const fromDriver = !fromServer && /^[A-Z_]+$/.test(code)
  const weather = fromDriver || (fromServer && !/^(22|23|42|54)/.test(code))
  return weather ? error : new StatementError(String((error as Error).message ?? error), { cause: error })
}

/** Held until the end: whoever thinks this hub dead waits for the batch, and the hub's next one sees it. */
async function isEnrolled(tx: TransactionSql, hubId: string | null): Promise<boolean> {
  if (hubId === null) return false
  const rows = await tx`select 1 from hubs where id = ${hubId} for key share`
  return rows.length > 0
}

async function read(
  tx: TransactionSql,
  { accounts, holders, grantees, requests, postings, onces }: Needed,
): Promise<Found> {
  const [accountRows, grantRows, requestRows, postingRows, onceRows] = await Promise.all([
    accounts.length === 0
      ? []
      : tx`select id, balance, granted from accounts where id = any(${accounts}) order by id for update`,
    // Whoever changes a grant has its account locked, so these are read after the locks and need none.
    grantees.length === 0
      ? []
      : tx`select hub_id, account, amount from grants where hub_id = any(${holders}) and account = any(${grantees})`,
    requests.length === 0
      ? []
      : tx`select id, key_id, state, cost, delivered from requests where id = any(${requests})`,
    postings.length === 0 ? [] : tx`select key from postings where key = any(${postings})`,
    onces.length === 0
      ? []
      : tx`select o.id, o.request_id, o.user_id, o.key_id, o.body, o.stream, o.state, o.at, o.expires_at,
             o.answer is not null as has_answer,
             exists (select 1 from hubs h where h.id = o.hub_id) as hub_stands,
             coalesce(r.state = 'lost', false) as refunded
           from onces o left join requests r on r.id = o.request_id where o.id = any(${onces})`,
  ])
  return {
    accounts: accountRows.map((row) => ({
      id: row.id as string,
      balance: BigInt(row.balance as string),
      granted: BigInt(row.granted as string),
    })),
    grants: grantRows.map((row) => ({
      holder: row.hub_id as string,
      account: row.account as string,
      amount: BigInt(row.amount as string),
    })),
    requests: requestRows.map((row) => ({
      id: row.id as string,
      keyId: row.key_id as string,
      state: row.state as EndState,
      cost: BigInt(row.cost as string),
      delivered: row.delivered as boolean,
    })),
    postings: postingRows.map((row) => row.key as string),
    onces: onceRows.map((row) => ({
      id: row.id as string,
      requestId: row.request_id as string,
      userId: row.user_id as string,
      keyId: row.key_id as string,
      body: row.body as string,
      stream: row.stream as boolean,
      state: row.state as OnceState,
      at: Number(row.at),
      expiresAt: Number(row.expires_at),
      hasAnswer: row.has_answer as boolean,
      hubStands: row.hub_stands as boolean,
      refunded: row.refunded as boolean,
    })),
  }
}

function write(tx: TransactionSql, books: Books): Promise<unknown>[] {
  const { hubId, at } = books
  const statements: Promise<unknown>[] = []
  const run = (statement: PromiseLike<unknown>) => statements.push(Promise.resolve(statement))

  if (books.enrolment && hubId !== null) {
    const { selfUrl } = books.enrolment
    run(tx`insert into hubs (id, self_url, started_at, seen_at) values (${hubId}, ${selfUrl}, ${at}, ${at})
           on conflict (id) do nothing`)
  }
  // Others see that a hub lives by this value changing, so it changes even when the clock does not.
  if (books.beat) run(tx`update hubs set seen_at = greatest(${at}, seen_at + 1) where id = ${hubId}`)

  const accounts = books.changedAccounts()
  const fresh = accounts.filter((account) => account.fresh)
  if (fresh.length > 0) {
    const ids = json(fresh.map(({ id }) => ({ id })))
    run(tx`insert into accounts (id, balance, granted)
           select id, 0, 0 from json_to_recordset(${ids}::text::json) as new (id text) order by id
           on conflict (id) do nothing`)
  }
  if (accounts.length > 0) {
    const changes = json(
      accounts.map(({ id, balance, granted, balanceBefore, grantedBefore }) => ({
        id,
        balance: balance - balanceBefore,
        granted: granted - grantedBefore,
      })),
    )
    run(tx`update accounts set balance = accounts.balance + change.balance, granted = accounts.granted + change.granted
           from json_to_recordset(${changes}::text::json) as change (id text, balance bigint, granted bigint)
           where accounts.id = change.id`)
  }

  const grants = books.changedGrants()
  const gone = grants.filter((grant) => grant.amount === 0n)
  const held = grants.filter((grant) => grant.amount !== 0n)
  if (gone.length > 0) {
    const pairs = json(gone.map(({ holder, account }) => ({ holder, account })))
    run(tx`delete from grants using json_to_recordset(${pairs}::text::json) as gone (holder text, account text)
           where grants.hub_id = gone.holder and grants.account = gone.account`)
  }
  if (held.length > 0) {
    const rows = json(held.map(({ holder, account, amount }) => ({ hub_id: holder, account, amount })))
    run(tx`insert into grants select * from json_populate_recordset(null::grants, ${rows}::text::json)
           on conflict (hub_id, account) do update set amount = excluded.amount`)
  }

  if (books.newRows.length > 0) {
    const rows = json(books.newRows.map((row) => Object.fromEntries(COLUMNS.map((column, i) => [column, row[i]]))))
    run(tx`insert into requests select * from json_populate_recordset(null::requests, ${rows}::text::json)`)
  }
  if (books.newPostings.length > 0) {
    const postings = json(books.newPostings.map(({ key, kind, note, at }) => ({ key, kind, note, at })))
    const entries = json(
      books.newPostings.flatMap(({ key, at, lines }) =>
        lines.map(({ account, amount }, line) => ({ posting: key, line, account, amount, at })),
      ),
    )
    run(tx`insert into postings select * from json_populate_recordset(null::postings, ${postings}::text::json)`)
    run(tx`insert into entries select * from json_populate_recordset(null::entries, ${entries}::text::json)`)
  }
  if (books.lost.length > 0) run(tx`update requests set state = 'lost' where id = any(${books.lost})`)
  if (books.spent.size > 0) {
    const amounts = json([...books.spent].map(([key, amount]) => ({ key, amount })))
    run(tx`update limits set spent = greatest(0, limits.spent + change.amount)
           from json_to_recordset(${amounts}::text::json) as change (key text, amount bigint)
           where limits.subject = change.key`)
  }
  const { set, forgotten } = books.changedOnces()
  if (forgotten.length > 0) run(tx`delete from onces where id = any(${forgotten})`)
  if (set.length > 0) {
    const rows = json(
      set.map(({ once, answer }) => ({
        id: once.id,
        request_id: once.requestId,
        hub_id: hubId,
        user_id: once.userId,
        key_id: once.keyId,
        body: once.body,
        stream: once.stream,
        state: once.state,
        answer,
        at: once.at,
        expires_at: once.expiresAt,
      })),
    )
    run(tx`insert into onces select * from json_populate_recordset(null::onces, ${rows}::text::json)
           on conflict (id) do update set request_id = excluded.request_id, hub_id = excluded.hub_id,
             user_id = excluded.user_id, key_id = excluded.key_id, body = excluded.body, stream = excluded.stream,
             state = excluded.state, answer = excluded.answer, at = excluded.at, expires_at = excluded.expires_at`)
  }
  if (books.delivered.length > 0) run(tx`update requests set delivered = true where id = any(${books.delivered})`)
  return statements
}

/** Amounts travel as decimal strings: a JSON number would not hold them. */
function json(rows: Record<string, unknown>[]): string {
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
