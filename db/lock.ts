// One hub per SQLite file. The lock is an open exclusive transaction on a small file beside it: the operating system
// drops it when its holder dies, however it dies.
import { Database } from 'bun:sqlite'

export interface FileLock {
  release(): void
}

/** @returns null when another process holds it. */
export function lockFile(path: string): FileLock | null {
  const file = new Database(path, { create: true })
  try {
    file.run('PRAGMA busy_timeout = 0')
    file.run('BEGIN EXCLUSIVE')
  } catch (error) {
    file.close()
    if ((error as { code?: string }).code === 'SQLITE_BUSY') return null
    throw error
  }
  return {
    release() {
      file.run('ROLLBACK')
      file.close()
    },
  }
}
