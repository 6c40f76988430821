// A database, whichever it is. The URL decides when it is opened; nothing is read from the environment at import.
import { type SQL, sql } from 'drizzle-orm'
import type { PgColumn, PgDatabase, PgQueryResultHKT } from 'drizzle-orm/pg-core'
import type { Dialect } from './columns.ts'
import { openPostgres, type PostgresDb } from './postgres.ts'
import type { Tables } from './schema.ts'
import { openSqlite, type SqliteDb } from './sqlite.ts'

/** What every query is written against, on both databases. Always awaited. */
export type Queries = PgDatabase<PgQueryResultHKT, Tables>

export type Db = SqliteDb | PostgresDb

/** What both databases have. */
export interface AnyDb {
  readonly dialect: Dialect
  readonly url: string
  readonly tables: Tables
  /** Queries outside a transaction. */
  readonly query: Queries
  /** Used by transaction.ts alone. */
  begin<T>(work: (tx: Queries) => Promise<T>): Promise<T>
  /** One statement, its rows as objects. On SQLite int64 values beyond 2⁵³ stay bigint. */
  rows<R = Record<string, unknown>>(on: Queries, statement: SQL): Promise<R[]>
  /** Statements that take no part in a transaction, such as a pragma. */
  exec(statement: string): Promise<void>
  close(): Promise<void>
}

/** Opens `postgres://…`, or a SQLite file by path, `sqlite:PATH` or `sqlite::memory:`. Runs no migration. */
export async function openDb(url: string): Promise<Db> {
  return isPostgres(url) ? openPostgres(url) : openSqlite(sqlitePath(url))
}

export function isPostgres(url: string): boolean {
  return /^postgres(ql)?:\/\//.test(url)
}

export function sqlitePath(url: string): string {
  return url.replace(/^(sqlite|file):(\/\/)?/, '')
}

/** Locks the rows a query reads until the transaction ends. On SQLite the transaction already holds the only write lock. */
export function forUpdate<Q>(query: Q): Q {
  const lockable = query as { for?: (mode: 'update') => Q }
  return lockable.for ? lockable.for('update') : query
}

/** An exact int64 sum; plain `sum()` is a numeric string on PostgreSQL. */
export function sumOf(column: PgColumn | SQL): SQL<bigint> {
  return sql`cast(coalesce(sum(${column}), 0) as bigint)`.mapWith(BigInt) as SQL<bigint>
}

/** Whether `error` says that a row with the same unique value is already there. */
export function isUniqueViolation(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    const code = (at as { code?: unknown }).code
    if (code === '23505' || code === 'SQLITE_CONSTRAINT_UNIQUE' || code === 'SQLITE_CONSTRAINT_PRIMARYKEY') return true
  }
  return false
}
