// Everything the hub keeps about one person, as one JSON document, written page by page: it may be long.
import { and, asc, eq, getTableColumns, inArray, type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgTable } from 'drizzle-orm/pg-core'
import type { Db } from '../../db/open.ts'
import type { Identity } from './identity.ts'
import { clientAccount, type User } from './users.ts'

const PAGE = 500

interface Part {
  name: string
  table: PgTable
  mine: SQL
  /** Columns that name a row, in the order of an index. */
  key: readonly string[]
  /** Columns that would open something, or are another person's matter. */
  leaveOut?: readonly string[]
}

type Row = Record<string, unknown>

/** UTF-8 JSON: one member a table, each a list of rows as the hub keeps them; amounts are decimal strings. */
export function exportOf(identity: Pick<Identity, 'env' | 'db'>, user: User): ReadableStream<Uint8Array> {
  const pieces = written(identity, user)
  const utf8 = new TextEncoder()
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await pieces.next()
      if (done) controller.close()
      else controller.enqueue(utf8.encode(value))
    },
    cancel: async () => void (await pieces.return()),
  })
}

/** A piece is a page of rows at most. */
async function* written({ env, db }: Pick<Identity, 'env' | 'db'>, user: User): AsyncGenerator<string, void> {
  const { id, email, name, country, roles, terms, createdAt } = user
  const about = { id, email, name, country, roles, terms, createdAt }
  yield `{\n"exportedAt": ${json(new Date(env.now()).toISOString())},\n"user": ${json(about)}`
  for (const part of await partsOf(db, user)) {
    let before = `,\n${json(part.name)}: [\n`
    for await (const rows of pagesOf(db, part)) {
      yield before + rows.map(json).join(',\n')
      before = ',\n'
    }
    yield before === ',\n' ? '\n]' : `${before}]`
  }
  yield '\n}\n'
}

async function partsOf(db: Db, { id: userId, email }: User): Promise<Part[]> {
  const t = db.tables
  const hosts = await db.query.select({ id: t.hosts.id }).from(t.hosts).where(eq(t.hosts.ownerId, userId))
  const accounts = [clientAccount(userId), ...hosts.flatMap(({ id }) => [`host:${id}:pending`, `host:${id}:payable`])]
  const byId = ['id'] as const
  return [
    { name: 'logins', table: t.logins, mine: eq(t.logins.userId, userId), key: byId, leaveOut: ['secret'] },
    { name: 'sessions', table: t.sessions, mine: eq(t.sessions.userId, userId), key: byId, leaveOut: ['hash'] },
    { name: 'keys', table: t.keys, mine: eq(t.keys.userId, userId), key: byId, leaveOut: ['hash'] },
    { name: 'hostTokens', table: t.hostTokens, mine: eq(t.hostTokens.ownerId, userId), key: byId, leaveOut: ['hash'] },
    { name: 'termsAccepted', table: t.acceptances, mine: eq(t.acceptances.userId, userId), key: byId },
    { name: 'licencesAcknowledged', table: t.acknowledgements, mine: eq(t.acknowledgements.userId, userId), key: byId },
    {
      ...{ name: 'invitations', table: t.invitations, mine: eq(t.invitations.usedBy, userId), key: byId },
      leaveOut: ['hash', 'createdBy'],
    },
    { name: 'credit', table: t.gifts, mine: eq(t.gifts.userId, userId), key: ['key'] },
    { name: 'letters', table: t.mails, mine: eq(t.mails.recipient, email), key: byId, leaveOut: ['text', 'html'] },
    { name: 'hosts', table: t.hosts, mine: eq(t.hosts.ownerId, userId), key: byId },
    {
      ...{ name: 'requests', table: t.requests, mine: eq(t.requests.userId, userId), key: ['at', 'id'] },
      // Whose machine answered is that person's matter; receipts carry the name that is meant for this one.
      leaveOut: ['hostId', 'hubId', 'claimedTokens', 'countsDiffer'],
    },
    { name: 'bookings', table: t.entries, mine: inArray(t.entries.account, accounts), key: ['at', 'posting', 'line'] },
  ]
}

async function* pagesOf(db: Db, { table, mine, key, leaveOut = [] }: Part): AsyncGenerator<Row[]> {
  const columns: Record<string, PgColumn> = getTableColumns(table)
  const order = key.map((name) => columns[name]!)
  for (let last: Row | undefined; ; ) {
    const values = key.map((name) => sql`${last?.[name]}`)
    const after = last && sql`(${sql.join(order, sql`, `)}) > (${sql.join(values, sql`, `)})`
    const query = db.query
      .select()
      .from(table)
      .where(and(mine, after))
      .orderBy(...order.map((column) => asc(column)))
    const rows: Row[] = await query.limit(PAGE)
    if (rows.length > 0)
      yield rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !leaveOut.includes(name))))
    if (rows.length < PAGE) return
    last = rows.at(-1)
  }
}

function json(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) => (typeof each === 'bigint' ? String(each) : each))
}
