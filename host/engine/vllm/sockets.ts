// The folder in which an engine makes its socket. It is memory, not disk: an engine that fills it fills what it may take
// of memory, and no more.
import { chmodSync, existsSync, lstatSync, mkdirSync, rmSync } from 'node:fs'
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

export function socketFolder(machine: string, engine: number): SocketFolder {
  const path = join(existsSync(MEMORY) ? MEMORY : tmpdir(), `gpuhost-${machine.slice(-12)}-${engine}`)
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
