// Every row of one database into another, empty one, whichever dialects the two are.
import { asc, getTableColumns, sql } from 'drizzle-orm'
import { getTableConfig as postgresConfig, type PgColumn, type PgTable } from 'drizzle-orm/pg-core'
import { getTableConfig as sqliteConfig, type SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Db, Queries } from './open.ts'
import { transaction } from './transaction.ts'

/** Rows a statement: below both databases' limit of parameters, for the widest table. */
const PAGE = 500

export type Counts = Record<string, number>

/** How many rows each table has. */
export async function countRows(db: Db, on: Queries = db.query): Promise<Counts> {
  const counts: Counts = {}
  for (const [name, table] of Object.entries<PgTable>(db.tables)) counts[name] = await on.$count(table)
  return counts
}

/**
 * Copies all tables as of one instant; the target gets all of it or nothing. Both are migrated, neither is in use.
 * @returns the rows of each table, the same in both. @throws Error when the target is not empty
 */
export async function copyDatabase(from: Db, to: Db): Promise<Counts> {
  const occupied = Object.entries(await countRows(to)).filter(([, rows]) => rows > 0)
  if (occupied.length > 0) {
    throw new Error(`the target is not empty: ${occupied.map(([name, rows]) => `${name} ${rows}`).join(', ')}`)
  }
  return transaction(from, async (source) => {
    if (from.dialect === 'postgres') await from.rows(source, sql`set transaction isolation level repeatable read`)
    const before = await countRows(from, source)
    await transaction(to, async (target) => {
      const targets: Record<string, PgTable> = to.tables
      for (const [name, table] of Object.entries<PgTable>(from.tables)) {
        const copy = targets[name]
        if (copy)
          for await (const rows of pages(source, table, keyOf(table, from))) await target.insert(copy).values(rows)
      }
      const after = await countRows(to, target)
      const wrong = Object.keys(before).find((name) => before[name] !== after[name])
      if (wrong) throw new Error(`${before[wrong]} rows of ${wrong} left, ${after[wrong]} arrived; nothing was kept`)
    })
    return before
  })
}

type Key = [name: string, column: PgColumn][]

/** Along the primary key, so that the last page of a long table costs no more than the first. */
async function* pages(source: Queries, table: PgTable, key: Key): AsyncGenerator<Record<string, unknown>[]> {
  const columns = key.map(([, column]) => column)
  for (let last: Record<string, unknown> | undefined; ; ) {
    const values = key.map(([name]) => sql`${last?.[name]}`)
    const after = last && sql`(${sql.join(columns, sql`, `)}) > (${sql.join(values, sql`, `)})`
    const query = source
      .select()
      .from(table)
      .where(after)
      .orderBy(...columns.map((column) => asc(column)))
    const rows: Record<string, unknown>[] = await query.limit(PAGE)
    if (rows.length > 0) yield rows
    if (rows.length < PAGE) return
    last = rows.at(-1)
  }
}

function keyOf(table: PgTable, { dialect }: Db): Key {
  // On SQLite the tables are SQLite's under PostgreSQL's types; each dialect has its own reader of the same facts.
  const { primaryKeys } = dialect === 'postgres' ? postgresConfig(table) : sqliteConfig(table as unknown as SQLiteTable)
  const composite = primaryKeys[0]?.columns.map((column) => column.name)
  return Object.entries<PgColumn>(getTableColumns(table)).filter(([, column]) =>
    composite ? composite.includes(column.name) : column.primary,
  )
}
