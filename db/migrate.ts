import { sql } from 'drizzle-orm'
import { embeddedMigrations } from './embed.macro.ts' with { type: 'macro' }
import type { Db, Queries } from './open.ts'
import { transaction } from './transaction.ts'

const embedded = embeddedMigrations()
/** Any number, the same for every hub: who holds this advisory lock migrates, the others wait. */
const LOCK = 721_001

/**
 * Applies what is missing, in one transaction, and returns the ids applied. Several hubs may start at once. A database
 * that has migrations this build does not know is refused: it belongs to a newer version.
 */
export async function migrate(db: Db): Promise<string[]> {
  // SQLite rebuilds a table by dropping it, which would cascade; the pragma does nothing inside a transaction.
  if (db.dialect === 'sqlite') await db.exec('PRAGMA foreign_keys = OFF')
  try {
    return await transaction(db, (tx) => applyMissing(db, tx))
  } finally {
    if (db.dialect === 'sqlite') await db.exec('PRAGMA foreign_keys = ON')
  }
}

/** The ids of migrations that `migrate` would apply. */
export async function pendingMigrations(db: Db): Promise<string[]> {
  return transaction(db, async (tx) => {
    const { missing } = await compare(db, tx)
    return missing.map((migration) => migration.id)
  })
}

async function applyMissing(db: Db, tx: Queries): Promise<string[]> {
  if (db.dialect === 'postgres') await db.rows(tx, sql`select pg_advisory_xact_lock(${LOCK})`)
  const { missing } = await compare(db, tx)
  for (const migration of missing) {
    for (const statement of migration.sql.split('--> statement-breakpoint')) {
      if (statement.trim()) await db.rows(tx, sql.raw(statement))
    }
    await db.rows(tx, sql`insert into migrations (id) values (${migration.id})`)
  }
  if (db.dialect === 'sqlite') {
    const broken = await db.rows(tx, sql`PRAGMA foreign_key_check`)
    if (broken.length > 0) throw new Error(`a migration leaves ${broken.length} rows that point nowhere`)
  }
  return missing.map((migration) => migration.id)
}

async function compare(db: Db, tx: Queries) {
  await db.rows(tx, sql`create table if not exists migrations (id text primary key)`)
  const applied = new Set((await db.rows<{ id: string }>(tx, sql`select id from migrations`)).map((row) => row.id))
  const known = new Set(embedded[db.dialect].map((migration) => migration.id))
  const unknown = [...applied].filter((id) => !known.has(id))
  if (unknown.length > 0) {
    throw new Error(`this database was migrated by a newer gpuhub (${unknown.join(', ')}); start that version instead`)
  }
  return { missing: embedded[db.dialect].filter((migration) => !applied.has(migration.id)) }
}
