// One agent per home. The lock is the system's, held by this process through SQLite: it is gone with the process,
// however that ends, so there is never a stale one to judge.
import { Database } from 'bun:sqlite'
import { readFileSync, writeFileSync } from 'node:fs'
import type { Home } from '../config.ts'
import { HostError } from '../errors.ts'

/** Returns what lets go of the home. @throws HostError when another agent has it */
export function lockHome(home: Home): () => void {
  const lock = new Database(home.lockPath)
  try {
    // An agent that is just ending may still have it for a moment.
    lock.run('PRAGMA busy_timeout = 1000')
    lock.run('BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    throw new HostError(
      `gpuhost is already running in ${home.path} (process ${lastPid(home) ?? 'unknown'}). ` +
        'See it with gpuhost status, end it with gpuhost stop.',
    )
  }
  writeFileSync(home.pidPath, `${process.pid}\n`, { mode: 0o600 })
  return () => lock.close()
}

/** The agent's process, if there is one: who has the lock has also written its id. */
export function runningPid(home: Home): number | undefined {
  const lock = new Database(home.lockPath)
  try {
    lock.run('PRAGMA busy_timeout = 0')
    lock.run('BEGIN EXCLUSIVE')
    return undefined
  } catch (error) {
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
    return lastPid(home)
  } finally {
    lock.close()
  }
}

/** The process that took the lock last; it may be gone. */
export function lastPid(home: Home): number | undefined {
  try {
    const pid = Number(readFileSync(home.pidPath, 'utf8'))
    return Number.isSafeInteger(pid) && pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}
