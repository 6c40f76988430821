// Locks that the system holds for a process, through SQLite: they are gone with it, however it ends, so there is never a
// stale one to judge.
import { Database } from 'bun:sqlite'

export type Release = () => void

/** Alone: nobody else may hold it in any way. Null: somebody does. */
export function holdAlone(path: string, waitMs = 0): Release | null {
  return hold(path, waitMs, (lock) => lock.run('BEGIN EXCLUSIVE'))
}

/** With others who hold it so. Null: somebody holds it alone. */
export function holdTogether(path: string, waitMs = 0): Release | null {
  return hold(path, waitMs, (lock) => {
    lock.run('BEGIN')
    // Reading is what takes the lock.
    lock.query('SELECT count(*) FROM sqlite_schema').get()
  })
}

function hold(path: string, waitMs: number, take: (lock: Database) => void): Release | null {
  const lock = new Database(path)
  try {
    lock.run(`PRAGMA busy_timeout = ${waitMs}`)
    take(lock)
    return () => lock.close()
  } catch (error) {
    lock.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    return null
  }
}
