// A SQLite database as one file that can be carried away: taken while the hub runs, complete as of one instant, and with
// what does not stand in the database but belongs to it.
import { Database, SQLiteError } from 'bun:sqlite'
import { copyFileSync, existsSync, fsyncSync, openSync, closeSync, renameSync, rmSync } from 'node:fs'
import type { Db } from './open.ts'

export interface Enclosed {
  secret: string
  version: string
  at: number
}

/** Writes `file`, which must not exist yet. Readable by its owner only, when the process's umask says so. */
export async function backup(db: Db, file: string, enclosed: Enclosed): Promise<void> {
  if (db.dialect !== 'sqlite') throw new Error('PostgreSQL has its own backups: pg_dump')
  if (existsSync(file)) throw new Error(`${file} exists already`)
  const part = `${file}.part`
  rmSync(part, { force: true })
  try {
    await db.exec(`VACUUM INTO '${part.replaceAll("'", "''")}'`)
    const copy = new Database(part)
    copy.run('CREATE TABLE enclosed (secret TEXT NOT NULL, version TEXT NOT NULL, at INTEGER NOT NULL)')
    copy.run('INSERT INTO enclosed VALUES (?, ?, ?)', [enclosed.secret, enclosed.version, enclosed.at])
    copy.close()
    toDisk(part)
    renameSync(part, file)
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}

/** Makes `path` from a backup, and returns what was enclosed. `path` must not exist yet. @throws Error */
export function restore(file: string, path: string): Enclosed {
  if (!existsSync(file)) throw new Error(`${file} does not exist`)
  if (existsSync(path)) throw new Error(`${path} exists already`)
  const part = `${path}.part`
  copyFileSync(file, part)
  try {
    const enclosed = open(part)
    toDisk(part)
    renameSync(part, path)
    return enclosed
  } catch (error) {
    rmSync(part, { force: true })
    throw error
  }
}

/** Takes out what was enclosed, after looking whether the file is whole. */
function open(path: string): Enclosed {
  const copy = new Database(path)
  try {
    const state = copy.query<{ integrity_check: string }, []>('PRAGMA integrity_check').get()?.integrity_check
    if (state !== 'ok') throw new Error(`the backup is damaged: ${state}`)
    const enclosed = copy.query<Enclosed, []>('SELECT secret, version, at FROM enclosed').get()
    if (!enclosed) throw new Error('the backup is incomplete')
    copy.run('DROP TABLE enclosed')
    return enclosed
  } catch (error) {
    if (!(error instanceof SQLiteError)) throw error
    const other = /not a database|no such table/.test(error.message)
    throw new Error(other ? 'this file is no backup of a gpuhub' : 'the backup is damaged', { cause: error })
  } finally {
    copy.close()
  }
}

function toDisk(path: string): void {
  const file = openSync(path, 'r+')
  fsyncSync(file)
  closeSync(file)
}
