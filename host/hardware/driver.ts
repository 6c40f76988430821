// Asks the NVIDIA driver in a way that this program survives: the library in a child that may hang or crash, then
// `nvidia-smi`.
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import type { Env } from '../../sdk/env.ts'
import { HostError } from '../errors.ts'
import { DriverReport } from './card.ts'
import { LIBRARIES } from './nvml.ts'
import { say } from './program.ts'
import { readSmi } from './smi.ts'

export interface DriverAccess {
  /** This program as a command that reads the library whose path follows, and prints a `DriverReport`. */
  reader: readonly string[]
  /** An absolute path, where the library is not in any of the usual places. */
  library?: string
  /** Default `nvidia-smi` of the PATH. */
  nvidiaSmi?: string
}

export type Asked = DriverReport & { by: 'nvml' | 'nvidia-smi' | null }

/** A driver that was asleep takes seconds. */
const READ_MS = 10_000

/** @throws HostError when `library` is no absolute path */
export async function askDriver(env: Env, { reader, library, nvidiaSmi }: DriverAccess): Promise<Asked> {
  if (library !== undefined && !isAbsolute(library))
    throw new HostError(`"${library.slice(0, 80)}" is not the whole path of NVIDIA's library. It begins with /.`, 2)
  const path = (library === undefined ? LIBRARIES : [library]).find((candidate) => existsSync(candidate))
  const report = path === undefined ? undefined : await read(env, [...reader, path])
  if (report && report.trouble === null) return { ...report, by: 'nvml' }
  const second = await readSmi(env, nvidiaSmi ?? 'nvidia-smi')
  if (second.cards.length > 0) return { ...second, by: 'nvidia-smi' }
  // The library knows better why than a program that only says that it failed.
  return { ...second, trouble: report?.trouble ?? second.trouble, by: null }
}

async function read(env: Env, command: readonly string[]): Promise<DriverReport> {
  const nothing = { driver: null, cuda: null, cards: [] }
  const said = await say(env, command, READ_MS)
  if ('late' in said)
    return { ...nothing, trouble: 'the NVIDIA driver hangs. Reboot; if it comes back, a GPU is failing' }
  const report = 'text' in said ? parsed(said.text) : undefined
  if (Value.Check(DriverReport, report)) return report
  return { ...nothing, trouble: 'NVIDIA’s library crashes. Install the driver anew, then reboot' }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
