// A batch on one SQLite connection, inside a transaction that somebody else begins and ends. Written by hand: these
// statements run once a row, thousands of times a second.
import type { Database, SQLQueryBindings } from 'bun:sqlite'
import type { OnceState } from '../../db/schema/limits.ts'
import type { EndState } from '../../db/schema/requests.ts'
import { Books, type Found, type Needed, needed } from './books.ts'
import { decide, needsEnrolment } from './decide.ts'
import type { Applied, Batch } from './items.ts'
import { COLUMNS } from './request-row.ts'
import { type Fault, noFault, StatementError } from './store.ts'

export function applyBatch(client: Database, batch: Batch, fault: Fault = noFault): Applied {
  fault('begun')
  const enrolled = batch.hubId !== null && client.query('select 1 from hubs where id = ?').get(batch.hubId) !== null
  if (batch.hubId !== null && !enrolled && needsEnrolment(batch.items)) return 'fenced'

  const books = new Books(batch.hubId, batch.at, read(client, needed(batch.items, batch.hubId)))
  fault('read')
  const outcomes = decide(books, batch.items)
  write(client, books)
  fault('written')
  return outcomes
}

/** An error of a batch, told apart by whether trying again may help. */
export function asStoreError(error: unknown): unknown {
  const code = (error as { code?: unknown }).code
  const weather = typeof code === 'string' && code.startsWith('SQLITE_') && !code.startsWith('SQLITE_CONSTRAINT')
  return weather ? error : new StatementError(String((error as Error).message ?? error), { cause: error })
}

function read(client: Database, { accounts, holders, grantees, requests, postings, onces }: Needed): Found {
  const rows = (statement: string, ...lists: string[][]) =>
    lists[0]?.length ? client.query(statement).values(...lists.map((list) => JSON.stringify(list))) : []
  return {
    accounts: rows(
      'select id, balance, granted from accounts where id in (select value from json_each(?))',
      accounts,
    ).map(([id, balance, granted]) => ({ id, balance, granted }) as Found['accounts'][number]),
    grants: rows(
      `select hub_id, account, amount from grants
       where account in (select value from json_each(?)) and hub_id in (select value from json_each(?))`,
      grantees,
      holders,
    ).map(([holder, account, amount]) => ({ holder, account, amount }) as Found['grants'][number]),
    requests: rows(
      'select id, key_id, state, cost, delivered from requests where id in (select value from json_each(?))',
      requests,
    ).map(([id, keyId, state, cost, delivered]) => ({
      id: id as string,
      keyId: keyId as string,
      state: state as EndState,
      cost: BigInt(cost as bigint),
      delivered: Boolean(delivered),
    })),
    postings: rows('select key from postings where key in (select value from json_each(?))', postings).map(
      ([key]) => key as string,
    ),
    onces: rows(
      `select o.id, o.request_id, o.user_id, o.key_id, o.body, o.stream, o.state, o.at, o.expires_at, o.answer is not null,
         exists (select 1 from hubs h where h.id = o.hub_id), coalesce(r.state = 'lost', 0)
       from onces o left join requests r on r.id = o.request_id where o.id in (select value from json_each(?))`,
      onces,
    ).map(([id, requestId, userId, keyId, body, stream, state, at, expiresAt, hasAnswer, hubStands, refunded]) => ({
      id: id as string,
      requestId: requestId as string,
      userId: userId as string,
      keyId: keyId as string,
      body: body as string,
      stream: Boolean(stream),
      state: state as OnceState,
      at: Number(at),
      expiresAt: Number(expiresAt),
      hasAnswer: Boolean(hasAnswer),
      hubStands: Boolean(hubStands),
      refunded: Boolean(refunded),
    })),
  }
}

const INSERT_REQUEST = `insert into requests (${COLUMNS.join(', ')}) values (${COLUMNS.map(() => '?').join(', ')})`

const REPLACE_ONCE = `insert or replace into onces
  (id, request_id, hub_id, user_id, key_id, body, stream, state, answer, at, expires_at)
  values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`

function write(client: Database, books: Books): void {
  const { hubId, at } = books
  const run = (statement: string, ...values: SQLQueryBindings[]) => client.query(statement).run(...values)
  if (books.enrolment) {
    const { selfUrl } = books.enrolment
    run(
      'insert into hubs (id, self_url, started_at, seen_at) values (?, ?, ?, ?) on conflict (id) do nothing',
      hubId,
      selfUrl,
      at,
      at,
    )
  }
  // Others see that a hub lives by this value changing, so it changes even when the clock does not.
  if (books.beat) run('update hubs set seen_at = max(?, seen_at + 1) where id = ?', at, hubId)

  for (const { id, fresh, balance, granted } of books.changedAccounts()) {
    if (fresh) run('insert into accounts (id, balance, granted) values (?, ?, ?)', id, balance, granted)
    else run('update accounts set balance = ?, granted = ? where id = ?', balance, granted, id)
  }
  for (const { holder, account, amount, before } of books.changedGrants()) {
    if (amount === 0n) run('delete from grants where hub_id = ? and account = ?', holder, account)
    else if (before === 0n)
      run('insert into grants (hub_id, account, amount) values (?, ?, ?)', holder, account, amount)
    else run('update grants set amount = ? where hub_id = ? and account = ?', amount, holder, account)
  }
  for (const row of books.newRows) run(INSERT_REQUEST, ...row)
  for (const { key, kind, note, at: postedAt, lines } of books.newPostings) {
    run('insert into postings (key, kind, note, at) values (?, ?, ?, ?)', key, kind, note, postedAt)
    lines.forEach(({ account, amount }, line) =>
      run(
        'insert into entries (posting, line, account, amount, at) values (?, ?, ?, ?, ?)',
        key,
        line,
        account,
        amount,
        postedAt,
      ),
    )
  }
  for (const id of books.lost) run(`update requests set state = 'lost' where id = ?`, id)
  for (const id of books.delivered) run('update requests set delivered = 1 where id = ?', id)
  for (const [key, amount] of books.spent)
    run('update limits set spent = max(0, spent + ?) where subject = ?', amount, key)
  const { set, forgotten } = books.changedOnces()
  for (const id of forgotten) run('delete from onces where id = ?', id)
  for (const { once, answer } of set) {
    const { id, requestId, userId, keyId, body, stream, state, at: since, expiresAt } = once
    run(REPLACE_ONCE, id, requestId, hubId, userId, keyId, body, stream, state, answer, since, expiresAt)
  }
}
