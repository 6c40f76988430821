// What this machine remembers about updates: the latest manifest it has seen, and whether its owner wants one version.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Home } from '../config.ts'
import { HostError, reason } from '../errors.ts'

const Memory = Type.Object({
  /** `createdAt` of the latest manifest: an older one is not believed any more. */
  seenAt: Type.Integer({ minimum: 0 }),
  /** The version the owner wants; null: the newest. */
  pin: Type.Union([Type.String({ maxLength: 30 }), Type.Null()]),
})
export type Memory = Static<typeof Memory>

const memoryPath = (home: Home) => join(home.path, 'update.json')

/** @throws HostError when the file is damaged: forgetting it would let an old manifest back in */
export function readMemory(home: Home): Memory {
  let text: string
  try {
    text = readFileSync(memoryPath(home), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { seenAt: 0, pin: null }
    throw new HostError(`${memoryPath(home)} cannot be read: ${reason(error)}.`)
  }
  try {
    const memory: unknown = JSON.parse(text)
    if (Value.Check(Memory, memory)) return memory
  } catch {
    // Said below.
  }
  throw new HostError(`${memoryPath(home)} is damaged. Remove it; pins have to be set again.`)
}

export function writeMemory(home: Home, memory: Memory): void {
  const path = memoryPath(home)
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(memory)}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
}
