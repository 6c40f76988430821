// The only place a transaction begins. On SQLite the driver's own is not atomic once its callback awaits; ours is.
import type { Db, Queries } from './open.ts'

const RETRIES = 5
const RETRYABLE = new Set(['40001', '40P01'])

/**
 * Runs `work` in one transaction: all of it is kept, or, when it throws, nothing. Use only the `tx` it is given, and
 * never await the network inside: on SQLite that stops every other writer. A transaction that lost a race to another
 * (serialization failure, deadlock) is run again, so `work` must have no effect outside the database.
 */
export async function transaction<T>(db: Db, work: (tx: Queries) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.begin(work)
    } catch (error) {
      if (attempt === RETRIES || !lostRace(error)) throw error
    }
  }
}

function lostRace(error: unknown): boolean {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (RETRYABLE.has(String((at as { code?: unknown }).code))) return true
  }
  return false
}
