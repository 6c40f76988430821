// A fresh, migrated database for one test: in memory, or a schema of its own on the PostgreSQL the tests were given.
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { migrate } from './migrate.ts'
import { type Db, openDb } from './open.ts'

/** Which databases the tests run on: `bun run test` sets TEST_DATABASE_URL; without it only SQLite. */
export const testDialects: ('sqlite' | 'postgres')[] = process.env.TEST_DATABASE_URL
  ? ['sqlite', 'postgres']
  : ['sqlite']

export interface TestDatabase {
  /** What another process or hub opens to see the same data. */
  url: string
  db: Db
  drop(): Promise<void>
}

/** SQLite gets a file in a folder of its own, since the ledger's writer opens it a second time. */
export async function testDatabase(dialect: 'sqlite' | 'postgres'): Promise<TestDatabase> {
  const { url, drop } = dialect === 'sqlite' ? freshFile() : await freshPostgres()
  const db = await openDb(url)
  await migrate(db)
  return {
    url,
    db,
    async drop() {
      await db.close()
      await drop()
    },
  }
}

function freshFile() {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-test-'))
  return { url: `sqlite:${join(folder, 'hub.db')}`, drop: async () => rmSync(folder, { recursive: true, force: true }) }
}

async function freshPostgres() {
  const server = process.env.TEST_DATABASE_URL
  if (!server) throw new Error('TEST_DATABASE_URL names the PostgreSQL server the tests may use')
  const name = `test_${randomUUID().replaceAll('-', '')}`
  const admin = postgres(server, { max: 1, onnotice: () => {} })
  await admin.unsafe(`create database ${name}`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return {
    url: url.href,
    async drop() {
      await admin.unsafe(`drop database if exists ${name} with (force)`)
      await admin.end({ timeout: 5 })
    },
  }
}
