// One agent per home.
import { readFileSync, writeFileSync } from 'node:fs'
import type { Home } from '../config.ts'
import { HostError } from '../errors.ts'
import { holdAlone } from '../lock.ts'

/** An agent that is just ending may still have it for a moment. */
const ENDING_MS = 1_000

/** Returns what lets go of the home. @throws HostError when another agent has it */
export function lockHome(home: Home): () => void {
  const release = holdAlone(home.lockPath, ENDING_MS)
  if (!release)
    throw new HostError(
      `gpuhost is already running in ${home.path} (process ${lastPid(home) ?? 'unknown'}). ` +
        'See it with gpuhost status, end it with gpuhost stop.',
    )
  writeFileSync(home.pidPath, `${process.pid}\n`, { mode: 0o600 })
  return release
}

/** The agent's process, if there is one: who has the lock has also written its id. */
export function runningPid(home: Home): number | undefined {
  const release = holdAlone(home.lockPath)
  if (!release) return lastPid(home)
  release()
  return undefined
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
