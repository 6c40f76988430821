// Weights for an engine that is another user than this program.
import { chmodSync, linkSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { HostError, reason } from '../../errors.ts'

/** Everybody who can reach the folder may read what is in it. The agent's own folder above stays closed to others. */
export function shareWeights(folder: string): void {
  try {
    chmodSync(folder, 0o755)
    for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o644)
  } catch (error) {
    throw new HostError(`The weights in ${folder} cannot be read: ${reason(error)}. Run gpuhost setup again.`)
  }
}

/** The same files under another path, without taking the disk twice. @throws HostError where that is another disk */
export function linkWeights(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true })
  mkdirSync(to, { recursive: true })
  chmodSync(dirname(to), 0o711)
  try {
    for (const name of readdirSync(from))
      if (statSync(join(from, name)).isFile()) linkSync(join(from, name), join(to, name))
  } catch (error) {
    throw new HostError(
      `${from} and ${to} have to be on one disk (${reason(error)}). Set GPUHOST_HOME to a folder on the same disk as /var/lib.`,
    )
  }
  shareWeights(to)
}

/** Bytes of the files in a folder. */
export function bytesIn(folder: string): number {
  try {
    return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
  } catch (error) {
    throw new HostError(`The weights in ${folder} are not there any more (${reason(error)}). Run gpuhost setup again.`)
  }
}
