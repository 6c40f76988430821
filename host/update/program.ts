// The program as install.sh put it on disk: each version in a folder of its own, and a link to the one in use. Changing
// that link is one step, so that whatever happens in between, `current` leads to a whole program.
import fs from 'node:fs'
import { basename, dirname, join } from 'node:path'

export interface Program {
  folder: string
}

/** Below the home; install.sh makes it. */
export const PROGRAM = 'program'

const VERSION = /^\d{1,6}\.\d{1,6}\.\d{1,6}$/

/** Where `path` (the running program's) was installed; null: it was put there by hand, and is its owner's to replace. */
export function programOf(path: string): Program | null {
  const versions = dirname(dirname(path))
  const folder = dirname(versions)
  const installed =
    basename(path) === 'gpuhost' && basename(versions) === 'versions' && VERSION.test(basename(dirname(path)))
  return installed && fs.existsSync(currentPath({ folder })) ? { folder } : null
}

/** What is started: the version in use, whichever that is. */
export const currentPath = ({ folder }: Program) => join(folder, 'current', 'gpuhost')
export const versionPath = ({ folder }: Program, version: string) => join(folder, 'versions', version, 'gpuhost')
export const downloadFolder = ({ folder }: Program) => join(folder, 'download')

export function currentVersion({ folder }: Program): string {
  return basename(fs.readlinkSync(join(folder, 'current')))
}

/** Puts a finished file in its place as that version. Only `swap` brings it into use. */
export function place(program: Program, version: string, file: string): void {
  const folder = dirname(versionPath(program, version))
  const fresh = join(dirname(folder), `.${version}.new`)
  fs.rmSync(fresh, { recursive: true, force: true })
  fs.mkdirSync(fresh, { recursive: true, mode: 0o755 })
  fs.renameSync(file, join(fresh, 'gpuhost'))
  sync(join(fresh, 'gpuhost'))
  sync(fresh)
  // It was left by a swap that failed; what is in use is never replaced.
  if (fs.existsSync(folder)) fs.rmSync(folder, { recursive: true, force: true })
  fs.renameSync(fresh, folder)
  sync(dirname(folder))
}

/**
 * From here on `version` is what starts, on trial: the launcher goes back to what is in use now unless somebody calls
 * `confirm`.
 */
export function swap(program: Program, version: string): void {
  const { folder } = program
  const before = currentVersion(program)
  writeWhole(trialPath(program), `${version} ${before}\n`)
  const link = join(folder, '.current.new')
  fs.rmSync(link, { force: true })
  fs.symlinkSync(join('versions', version), link)
  fs.renameSync(link, join(folder, 'current'))
  sync(folder)
}

/** The newer program has reached its hub: it stays, and what is older than the one before it goes. */
export function confirm(program: Program): void {
  const trial = trialOf(program)
  fs.rmSync(trialPath(program), { force: true })
  if (!trial) return
  const keep = new Set([trial.version, trial.before])
  const versions = join(program.folder, 'versions')
  for (const name of fs.readdirSync(versions))
    if (!keep.has(name)) fs.rmSync(join(versions, name), { recursive: true, force: true })
}

/** A start that takes long is no failure: the trial's time begins anew. */
export function prolong(program: Program, now: number): void {
  if (trialOf(program)) fs.utimesSync(trialPath(program), now / 1_000, now / 1_000)
}

export interface Trial {
  version: string
  before: string
}

/** Null: what is in use has proven itself. */
export function trialOf(program: Program): Trial | null {
  let text: string
  try {
    text = fs.readFileSync(trialPath(program), 'utf8')
  } catch {
    return null
  }
  const [version, before] = text.trim().split(' ')
  if (version === undefined || before === undefined) return null
  return version === currentVersion(program) ? { version, before } : null
}

/** When the launcher last went back from `version`; null: never. */
export function failedAt({ folder }: Program, version: string): number | null {
  return fs.statSync(join(folder, 'failed', version), { throwIfNoEntry: false })?.mtimeMs ?? null
}

const LATELY_MS = 7 * 24 * 60 * 60_000

/** The newest version that the launcher went back from within a week, where what is in use is not newer; null: none. */
export function lastFailed(program: Program, now: number): string | null {
  const folder = join(program.folder, 'failed')
  let names: string[]
  try {
    names = fs.readdirSync(folder)
  } catch {
    return null
  }
  const used = currentVersion(program)
  const lately = names.filter((name) => name !== used && now - (failedAt(program, name) ?? 0) < LATELY_MS)
  return lately.sort((a, b) => (failedAt(program, b) ?? 0) - (failedAt(program, a) ?? 0))[0] ?? null
}

const trialPath = ({ folder }: Program) => join(folder, 'trial')

function writeWhole(path: string, text: string): void {
  const file = fs.openSync(`${path}.new`, 'w', 0o644)
  try {
    fs.writeSync(file, text)
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
  fs.renameSync(`${path}.new`, path)
}

function sync(path: string): void {
  const file = fs.openSync(path, 'r')
  try {
    fs.fsyncSync(file)
  } finally {
    fs.closeSync(file)
  }
}
