// What all histories of a run begin on: a migrated database, and people in it who are the same in each. Making them
// anew for every seed would take longer than many a history.
import type { Database } from 'bun:sqlite'
import { migrate } from '../db/migrate.ts'
import { openSqlite, type SqliteDb } from '../db/sqlite.ts'
import { addHostToken } from '../hub/fleet/token.ts'
import { addKey } from '../hub/identity/keys.ts'
import { addUser } from '../hub/identity/users.ts'
import { clientAccount } from '../hub/ledger/chart.ts'
import { virtualEnv } from '../sdk/testing.ts'
import { MOST_CUSTOMERS, MOST_MACHINES } from './plan.ts'

export interface Customer {
  name: string
  userId: string
  account: string
  keyId: string
  secret: string
}

export interface Owner {
  name: string
  tokenId: string
  token: string
}

export interface Ground {
  /** The database as nobody in a history sees it: always there, always at once. */
  db: SqliteDb
  customers: readonly Customer[]
  owners: readonly Owner[]
  /** Forgets the last history. */
  clear(): void
}

export async function layGround(): Promise<Ground> {
  const db = await openSqlite(':memory:')
  await migrate(db)
  const env = virtualEnv()
  const numbers = (most: number) => Array.from({ length: most }, (_, at) => at + 1)
  const customers: Customer[] = []
  for (const number of numbers(MOST_CUSTOMERS)) {
    const name = `client${number}`
    const { id: userId } = await addUser(env, db, { email: `${name}@example.com`, roles: ['client'] })
    const { id: keyId, key: secret } = await addKey(env, db, { userId, name })
    customers.push({ name, userId, account: clientAccount(userId), keyId, secret })
  }
  const owners: Owner[] = []
  for (const number of numbers(MOST_MACHINES)) {
    const name = `host${number}`
    const { id: ownerId } = await addUser(env, db, { email: `${name}@example.com`, roles: ['host'] })
    const { id: tokenId, token } = await addHostToken(env, db, { ownerId, name })
    owners.push({ name, tokenId, token })
  }
  return { db, customers, owners, clear: clearing(db.client) }
}

/** Empties every table that was empty on the first day, and takes back what else can have happened. */
function clearing(client: Database): () => void {
  const names = client.query("select name from sqlite_master where type = 'table'").values().flat().map(String)
  const kept = names.filter((name) => client.query(`select 1 from "${name}" limit 1`).get() !== null)
  const statements = [
    ...names.filter((name) => !kept.includes(name)).map((name) => `delete from "${name}"`),
    'update keys set revoked_at = null',
    'update host_tokens set revoked_at = null',
  ]
  return () => {
    if (client.inTransaction) client.run('ROLLBACK')
    // In whatever order: what points at what is gone in the end.
    client.run('PRAGMA foreign_keys = OFF')
    for (const statement of statements) client.query(statement).run()
    client.run('PRAGMA foreign_keys = ON')
  }
}
