import type { SQL } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { AnyDb, Queries } from './open.ts'
import { schema } from './schema.ts'

export interface PostgresDb extends AnyDb {
  readonly dialect: 'postgres'
  /** For the ledger's hand-written batch and for snapshots. */
  readonly client: postgres.Sql
}

/** A pool that is back within moments of the database coming back: by itself the driver waits up to 20 s. */
export function connectPostgres(url: string, max: number): postgres.Sql {
  return postgres(url, { max, idle_timeout: 0, connect_timeout: 10, backoff: () => 0.2, onnotice: () => {} })
}

export async function openPostgres(url: string): Promise<PostgresDb> {
  const tables = schema('postgres')
  const client = connectPostgres(url, 10)
  const query = drizzle(client, { schema: tables, casing: 'snake_case' })
  await client`select 1`
  return {
    dialect: 'postgres',
    url,
    tables,
    client,
    query: query as unknown as Queries,
    begin: (work) => query.transaction((tx) => work(tx as unknown as Queries)),
    rows: async <R>(on: Queries, statement: SQL) => [...((await on.execute(statement)) as unknown as R[])],
    exec: async (statement) => void (await client.unsafe(statement)),
    close: () => client.end({ timeout: 5 }),
  }
}
