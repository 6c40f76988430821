import type { SQL } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/postgres-js'
import postgres from 'postgres'
import type { Db, Queries } from './open.ts'
import { schema } from './schema.ts'

export interface PostgresDb extends Db {
  /** For the ledger's hand-written batch. */
  readonly client: postgres.Sql
}

export async function openPostgres(url: string): Promise<PostgresDb> {
  const tables = schema('postgres')
  const client = postgres(url, { max: 10, idle_timeout: 0, connect_timeout: 10, onnotice: () => {} })
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
