// The weights on this machine: one folder each, complete or still arriving. The owner's quota holds, and what an engine
// reads or the owner has pinned is never thrown out.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CatalogVariant } from '../../sdk/catalog.ts'
import type { Env } from '../../sdk/env.ts'
import { HostError, printable } from '../errors.ts'
import { roomAt } from '../hardware/survey.ts'
import { holdAlone, holdTogether, type Release } from '../lock.ts'
import { download, type Manifest, manifestPath, writeManifest } from './download.ts'
import type { Progress } from './progress.ts'
import { filesToServe, readRepo } from './repo.ts'
import type { Source } from './source.ts'

export interface Shelved {
  /** Its folder's name, e.g. `Qwen--Qwen3-8B@9c925d64d72b`. */
  name: string
  folder: string
  /** Null: it has not arrived whole. */
  manifest: Manifest | null
  /** On disk now. */
  bytes: number
  usedAt: number
  pinned: boolean
  inUse: boolean
}

export interface Fetching {
  source: Source
  variant: Pick<CatalogVariant, 'id' | 'repo' | 'revision' | 'args' | 'minComputeCapability'>
  bytesPerSecond: number | null
  /** Most bytes on the shelf; null: as many as the disk takes. */
  quotaBytes: number | null
  progress: (progress: Progress) => void
  signal: AbortSignal
  /** Free bytes of the disk. */
  room?: (folder: string) => number
  rangeBytes?: number
}

/** What stays free on the disk, whatever is downloaded. */
const KEPT_FREE_BYTES = 15e9

export class Shelf {
  constructor(
    private readonly env: Env,
    /** `weights` in the agent's home. */
    readonly path: string,
  ) {}

  /** Everything on it, what was used last first. */
  list(): Shelved[] {
    if (!existsSync(this.path)) return []
    const names = readdirSync(this.path, { withFileTypes: true }).filter((entry) => entry.isDirectory())
    return names.map(({ name }) => this.read(name)).toSorted((a, b) => b.usedAt - a.usedAt)
  }

  /** The folder with a variant's weights, whole; of its pinned commit, else the newest there is. */
  find({ repo, revision }: Pick<CatalogVariant, 'repo' | 'revision'>): Shelved | undefined {
    return this.list().find(
      ({ manifest }) => manifest?.repo === repo && (revision === null || manifest.revision === revision),
    )
  }

  /** Keeps a folder from being thrown out until it is let go, or this process ends. @throws HostError */
  use(name: string): Release {
    const release = holdTogether(this.lockOf(name), 1_000)
    if (!release) throw new HostError(`${name} is being changed by another gpuhost. Try again when it is done.`)
    this.touch(name)
    return release
  }

  pin(name: string, pinned: boolean): void {
    const path = join(this.folderOf(name), 'pinned')
    if (pinned) writeFileSync(path, '', { mode: 0o600 })
    else rmSync(path, { force: true })
  }

  /** @throws HostError when an engine reads it */
  remove(name: string): void {
    const release = holdAlone(this.lockOf(name))
    if (!release) throw new HostError(`${name} is in use. Stop what uses it first: gpuhost stop.`)
    try {
      rmSync(this.folderOf(name), { recursive: true, force: true })
    } finally {
      release()
    }
  }

  /**
   * The weights of a variant, here and whole: downloads what is missing, after making room for it.
   * @throws HostError saying what to do
   */
  async fetch(wanted: Fetching): Promise<Shelved> {
    const { source, variant, signal } = wanted
    if (variant.minComputeCapability === null)
      throw new HostError(`${variant.id} is served by an engine of your own, which has its weights itself.`, 2)
    const here = this.find(variant)
    if (here && variant.revision !== null) return here
    const repo = await readRepo(source, variant, signal)
    const files = filesToServe(repo, variant.args)
    const name = `${variant.repo.replace('/', '--')}@${repo.revision.slice(0, 12)}`
    mkdirSync(this.path, { recursive: true, mode: 0o700 })
    const release = holdAlone(this.lockOf(name), 1_000)
    if (!release) throw new HostError(`${name} is being downloaded, or in use. gpuhost weights list shows it.`)
    try {
      const folder = this.folderOf(name)
      const bytes = files.reduce((sum, file) => sum + file.bytes, 0)
      if (this.read(name).manifest === null) {
        const missing = Math.max(0, bytes - this.read(name).bytes)
        this.makeRoom(missing, name, wanted)
        await download({ ...wanted, repo: repo.repo, revision: repo.revision, files, folder })
        const kept = files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }))
        const at = new Date(this.env.now()).toISOString()
        writeManifest(folder, {
          ...{ variant: variant.id, repo: repo.repo, revision: repo.revision, bytes, files: kept, at },
        })
      }
      this.touch(name)
    } finally {
      release()
    }
    return this.read(name)
  }

  /** Throws out what was not used for the longest, as far as it must. @throws HostError when that is not enough */
  private makeRoom(bytes: number, forName: string, { quotaBytes, room }: Fetching): void {
    const others = this.list().filter(({ name }) => name !== forName)
    const held = this.list().reduce((sum, each) => sum + each.bytes, 0)
    const free = (room ?? ((folder) => roomAt(folder).freeBytes))(this.path)
    const overDisk = bytes + KEPT_FREE_BYTES - free
    const overQuota = quotaBytes === null ? 0 : held + bytes - quotaBytes
    let over = Math.max(overDisk, overQuota)
    if (over <= 0) return
    const loose = others.filter(({ pinned, inUse }) => !pinned && !inUse).toReversed()
    const possible = loose.reduce((sum, each) => sum + each.bytes, 0)
    // Nothing is thrown out for a download that would not fit all the same.
    if (possible < over) throw tooLittle({ bytes, free, quotaBytes, held, possible, path: this.path, overDisk })
    for (const { name, bytes: freed } of loose) {
      if (over <= 0) return
      this.remove(name)
      over -= freed
    }
  }

  private read(name: string): Shelved {
    const folder = this.folderOf(name)
    const inside = existsSync(folder) ? readdirSync(folder) : []
    const sizes = inside.map((file) => statSync(join(folder, file), { throwIfNoEntry: false }))
    // A file that still arrives has holes: what counts is what it takes on disk.
    const bytes = sizes.reduce((sum, stat) => sum + (stat ? Math.min(stat.size, stat.blocks * 512) : 0), 0)
    const release = holdAlone(this.lockOf(name))
    release?.()
    return {
      ...{ name, folder, bytes, manifest: manifestIn(folder), pinned: inside.includes('pinned') },
      usedAt: statSync(folder, { throwIfNoEntry: false })?.mtimeMs ?? 0,
      inUse: release === null,
    }
  }

  private touch(name: string): void {
    const now = this.env.now() / 1_000
    utimesSync(this.folderOf(name), now, now)
  }

  /** @throws HostError for a name that would lead elsewhere */
  private folderOf(name: string): string {
    if (/^[\w.-]{1,200}@[0-9a-f]{12}$/.test(name)) return join(this.path, name)
    throw new HostError(`"${printable(name.slice(0, 80))}" is not on the shelf. gpuhost weights list shows what is.`, 2)
  }

  private lockOf(name: string): string {
    return `${this.folderOf(name)}.lock`
  }
}

function manifestIn(folder: string): Manifest | null {
  try {
    // Written by this program, whole or not at all.
    return JSON.parse(readFileSync(manifestPath(folder), 'utf8')) as Manifest
  } catch {
    return null
  }
}

interface Shortage {
  bytes: number
  free: number
  quotaBytes: number | null
  held: number
  /** What could be thrown out. */
  possible: number
  path: string
  overDisk: number
}

function tooLittle({ bytes, free, quotaBytes, held, possible, path, overDisk }: Shortage): HostError {
  const gb = (amount: number) => `${(amount / 1e9).toFixed(1)} GB`
  const loose = possible > 0 ? `; ${gb(possible)} of other weights could go, which is not enough` : ''
  if (overDisk > possible)
    return new HostError(
      `The download has ${gb(bytes)} and ${gb(KEPT_FREE_BYTES)} stay free, but the disk at ${path} has ${gb(free)}${loose}. ` +
        'Make room, or set GPUHOST_HOME to a larger disk.',
      3,
    )
  return new HostError(
    `The download has ${gb(bytes)}, and of the ${gb(quotaBytes ?? 0)} allowed for weights ${gb(held)} are taken${loose}. ` +
      'Allow more with --quota, or remove some: gpuhost weights list.',
  )
}
