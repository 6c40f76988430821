// Asks the NVIDIA driver in a way that this program survives: the library in a child that may hang or crash, then
// `nvidia-smi`.
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { Value } from '@sinclair/typebox/value'
import type { Cancel, Env } from '../../sdk/env.ts'
import { HostError } from '../errors.ts'
import { DriverReport } from './card.ts'
import { LIBRARIES } from './nvml.ts'
import { Reader, say } from './program.ts'
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
export function askDriver(env: Env, access: DriverAccess): Promise<Asked> {
  return askedBy(env, access, async (path) => {
    const said = await say(env, [...access.reader, path], READ_MS)
    return 'late' in said ? hanging : reportIn('text' in said ? said.text : '')
  })
}

/**
 * The driver, asked again and again through one child that stays as long as it is asked often: what a new one costs
 * each time is most of what a look costs.
 */
export class DriverWatch {
  private child: Reader | undefined
  private looking: Promise<Asked> | undefined
  private last: { asked: Asked; at: number } | undefined
  private stopWaiting: Cancel = () => {}

  constructor(
    private readonly env: Env,
    private readonly access: DriverAccess,
  ) {}

  /** What it says now, or said at most `maxAgeMs` ago. @throws HostError as `askDriver` */
  look(maxAgeMs = 0): Promise<Asked> {
    if (this.last && this.env.mono() - this.last.at < maxAgeMs) return Promise.resolve(this.last.asked)
    return (this.looking ??= this.ask().finally(() => (this.looking = undefined)))
  }

  close(): void {
    this.stopWaiting()
    this.child?.end()
    this.child = undefined
  }

  private async ask(): Promise<Asked> {
    this.stopWaiting()
    const asked = await askedBy(this.env, this.access, (path) => this.read(path))
    this.last = { asked, at: this.env.mono() }
    this.stopWaiting = this.env.timer(KEEP_MS, () => this.close())
    return asked
  }

  private async read(path: string): Promise<DriverReport> {
    this.child ??= new Reader([...this.access.reader, path, '--follow'])
    const answered = await this.child.line(this.env, READ_MS)
    if ('late' in answered) return (this.close(), hanging)
    const report = reportIn('text' in answered ? answered.text : '')
    // What is wrong with a child is not wrong with the next one.
    if (report.trouble !== null) this.close()
    return report
  }
}

/** A child nobody asks keeps the driver awake for nothing. */
const KEEP_MS = 5_000

async function askedBy(
  env: Env,
  { library, nvidiaSmi }: DriverAccess,
  read: (path: string) => Promise<DriverReport>,
): Promise<Asked> {
  if (library !== undefined && !isAbsolute(library))
    throw new HostError(`"${library.slice(0, 80)}" is not the whole path of NVIDIA's library. It begins with /.`, 2)
  const path = (library === undefined ? LIBRARIES : [library]).find((candidate) => existsSync(candidate))
  const report = path === undefined ? undefined : await read(path)
  if (report && report.trouble === null) return { ...report, by: 'nvml' }
  const second = await readSmi(env, nvidiaSmi ?? 'nvidia-smi')
  if (second.cards.length > 0) return { ...second, by: 'nvidia-smi' }
  // The library knows better why than a program that only says that it failed.
  return { ...second, trouble: report?.trouble ?? second.trouble, by: null }
}

const nothing = { driver: null, cuda: null, cards: [] }
const hanging: DriverReport = {
  ...nothing,
  trouble: 'the NVIDIA driver hangs. Reboot; if it comes back, a GPU is failing',
}

function reportIn(text: string): DriverReport {
  const report = parsed(text)
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
