// The folder in which an engine makes its socket. It is memory, not disk: an engine that fills it fills what it may take
// of memory, and no more.
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { HostError } from '../../errors.ts'

const MEMORY = '/dev/shm'

export interface SocketFolder {
  path: string
  /** Anew, for its owner only. @throws HostError when somebody else has it */
  make(): void
  remove(): void
}

const parent = () => (existsSync(MEMORY) ? MEMORY : tmpdir())
const prefix = (machine: string) => `gpuhost-${machine.slice(-12)}-`

/** All of this installation's, whichever engines they were of. */
export function removeSockets(machine: string): void {
  for (const name of readdirSync(parent())) {
    const engine = name.startsWith(prefix(machine)) ? name.slice(prefix(machine).length) : ''
    if (/^\d+$/.test(engine)) socketFolder(machine, Number(engine)).remove()
  }
}

/**
 * Python's shared memory outlives processes that were killed. Where the engine is a user of its own, all that user has left
 * goes; call it when no engine runs.
 */
export function removeSharedMemory(user: number): void {
  if (process.getuid?.() !== 0 || !existsSync(MEMORY)) return
  for (const name of readdirSync(MEMORY).filter((each) => /^(psm_|sem\.|torch_|nccl-)/.test(each))) {
    const path = join(MEMORY, name)
    if (lstatSync(path, { throwIfNoEntry: false })?.uid === user) rmSync(path, { recursive: true, force: true })
  }
}

export function socketFolder(machine: string, engine: number): SocketFolder {
  const path = join(parent(), `${prefix(machine)}${engine}`)
  const remove = () => {
    const there = lstatSync(path, { throwIfNoEntry: false })
    if (!there) return
    // Everybody may write beside it: what is not ours is not touched.
    const uid = process.getuid?.() ?? 0
    if (uid !== 0 && there.uid !== uid)
      throw new HostError(`${path} belongs to somebody else. Remove it, then start again.`)
    rmSync(path, { recursive: true, force: true })
  }
  return {
    path,
    remove,
    make() {
      remove()
      mkdirSync(path, { mode: 0o700 })
      chmodSync(path, 0o700)
    },
  }
}
