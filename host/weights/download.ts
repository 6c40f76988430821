// The weights of one variant, from a repository at one commit into a folder. It may be killed at any moment and goes on
// where it was; a file has its name only once its content is what the commit says.
import { existsSync, mkdirSync, renameSync, statSync, writeFileSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { HostError, reason } from '../errors.ts'
import { Pace, type Progress } from './progress.ts'
import { forget, openPartial, type Partial, partialPath, type Range } from './ranges.ts'
import type { RepoFile } from './repo.ts'
import { get, type Source, stopped, waitForBetter, Weather } from './source.ts'
import { Throttle } from './throttle.ts'

export interface Download {
  source: Source
  repo: string
  /** The commit, 40 hex digits. */
  revision: string
  files: readonly RepoFile[]
  folder: string
  /** Null: as fast as it goes. */
  bytesPerSecond: number | null
  progress: (progress: Progress) => void
  signal: AbortSignal
  /** Default 32 MiB. */
  rangeBytes?: number
  /** Puts bytes on disk. */
  write?: (file: FileHandle, bytes: Uint8Array, at: number) => Promise<unknown>
}

/** What a kill loses at most, times `PARALLEL`; a minute's worth on a line of 35 Mbit/s. */
const RANGE_BYTES = 32 * 2 ** 20
const PARALLEL = 6
/** A connection that brings nothing for so long is given up. */
const STALL_MS = 30_000

/** @throws HostError saying what to do */
export async function download(wanted: Download): Promise<void> {
  const { source, files, folder, bytesPerSecond, progress } = wanted
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0)
  const world: World = {
    ...wanted,
    throttle: new Throttle(source.env, bytesPerSecond),
    pace: new Pace(source.env, total, progress),
  }
  for (const file of files) await fetchFile(world, file)
}

interface World extends Download {
  throttle: Throttle
  pace: Pace
}

async function fetchFile(world: World, file: RepoFile): Promise<void> {
  const path = join(world.folder, file.path)
  // It got its name after it was checked.
  if (existsSync(path) && statSync(path).size === file.bytes) return world.pace.had(file.bytes)
  for (let again = false; ; again = true) {
    await fetchRanges(world, file, path)
    world.pace.say('verifying', file.path)
    if (await isRight(partialPath(path), file)) break
    forget(path)
    world.pace.lost(file.bytes)
    if (again)
      throw new HostError(
        `${file.path} of ${world.repo} arrived damaged twice. Something between here and ${world.source.endpoint} changes it: ` +
          'try another network, or another mirror (HF_ENDPOINT).',
      )
  }
  renameSync(partialPath(path), path)
  forget(path)
}

async function fetchRanges(world: World, file: RepoFile, path: string): Promise<void> {
  const { rangeBytes = RANGE_BYTES, signal, pace } = world
  const content = file.sha256 ?? file.gitOid
  const partial = await openPartial(path, { bytes: file.bytes, content, rangeBytes }).catch((error) => {
    throw explained(error, world)
  })
  pace.had(partial.doneBytes)
  const queue = [...partial.missing]
  // The first failure ends the others: nothing is fetched for a download that cannot be finished.
  const failed = new AbortController()
  const either = AbortSignal.any([signal, failed.signal])
  const work = async () => {
    for (let range = queue.shift(); range; range = queue.shift()) await fetchRange(world, file, partial, range, either)
  }
  try {
    const workers = Array.from({ length: Math.min(PARALLEL, queue.length) }, () =>
      work().catch((error: unknown) => {
        failed.abort(error)
        throw error
      }),
    )
    const ended = await Promise.allSettled(workers)
    if (signal.aborted) throw stopped()
    if (failed.signal.aborted && ended.some(({ status }) => status === 'rejected')) throw failed.signal.reason
  } finally {
    await partial.close()
  }
}

/** All of one range, over as many connections as it takes. */
async function fetchRange(
  world: World,
  file: RepoFile,
  partial: Partial,
  range: Range,
  signal: AbortSignal,
): Promise<void> {
  let at = range.start
  let tries = 0
  while (at < range.end) {
    const before = at
    try {
      for await (const bytes of piecesOf(world, file, { start: at, end: range.end }, signal)) {
        await (world.write ?? written)(partial.file, bytes, at)
        at += bytes.length
        world.pace.came(bytes.length, file.path)
        world.source.count?.(bytes.length)
        await world.throttle.take(bytes.length, signal)
      }
      if (at === before) throw new Weather('the connection ended early')
      tries = 0
    } catch (error) {
      tries = at > before ? 1 : tries + 1
      await waitForBetter(world.source, tries, explained(error, world), signal)
    }
  }
  await partial.finished(range).catch((error) => {
    throw explained(error, world)
  })
}

const written = (file: FileHandle, bytes: Uint8Array, at: number) => file.write(bytes, 0, bytes.length, at)

/** The bytes of a range as they come; may end early. @throws Weather, HostError, or what the connection throws */
async function* piecesOf(world: World, file: RepoFile, { start, end }: Range, signal: AbortSignal) {
  const { source, repo, revision } = world
  const stalled = new AbortController()
  const guard = () => source.env.timer(STALL_MS, () => stalled.abort(new Weather('the connection brings nothing')))
  let cancel = guard()
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  try {
    const whole = start === 0 && end === file.bytes
    const path = `/${repo}/resolve/${revision}/${encodeURIComponent(file.path)}`
    const headers: Record<string, string> = whole ? {} : { range: `bytes=${start}-${end - 1}` }
    const response = await get(source, { path, repo, headers, signal: AbortSignal.any([signal, stalled.signal]) })
    if (!whole && response.status !== 206) {
      await response.body?.cancel()
      throw new HostError(`${source.endpoint} cannot send parts of files. Use another mirror (HF_ENDPOINT).`)
    }
    reader = response.body?.getReader()
    let room = end - start
    while (reader && room > 0) {
      const { done, value } = await reader.read()
      if (done) return
      cancel()
      // More than was asked for belongs to another range.
      const bytes = value.length > room ? value.subarray(0, room) : value
      room -= bytes.length
      yield bytes
      cancel = guard()
    }
  } catch (error) {
    throw stalled.signal.aborted ? stalled.signal.reason : error
  } finally {
    cancel()
    // Whatever the site still sends is not wanted.
    void reader?.cancel().catch(() => {})
  }
}

/** What the system says, as its owner can act on it; everything else as it is. */
function explained(error: unknown, { folder }: World): unknown {
  const { code } = (error ?? {}) as { code?: unknown }
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new HostError(
      `The disk at ${folder} is full. Make room there (gpuhost weights list shows what could go), then start again: it goes on where it was.`,
    )
  if (code === 'EACCES' || code === 'EROFS' || code === 'EIO')
    return new HostError(`${folder} cannot be written: ${reason(error)}. Set GPUHOST_HOME to a disk that can.`)
  return error
}

/** Whether the content of a file is what the commit says. */
async function isRight(path: string, { bytes, sha256, gitOid }: RepoFile): Promise<boolean> {
  const hasher = new Bun.CryptoHasher(sha256 === null ? 'sha1' : 'sha256')
  // How git names the content of a file.
  if (sha256 === null) hasher.update(`blob ${bytes}\0`)
  for await (const piece of Bun.file(path).stream()) hasher.update(piece)
  return hasher.digest('hex') === (sha256 ?? gitOid)
}

export interface Manifest {
  variant: string
  repo: string
  revision: string
  bytes: number
  files: { path: string; bytes: number; sha256: string | null }[]
  /** ISO 8601, UTC. */
  at: string
}

export const manifestPath = (folder: string) => join(folder, 'manifest.json')

/** The folder is complete. Written last, and at once. */
export function writeManifest(folder: string, manifest: Manifest): void {
  const path = manifestPath(folder)
  writeFileSync(`${path}.new`, `${JSON.stringify(manifest, null, 2)}\n`, { mode: 0o600, flush: true })
  renameSync(`${path}.new`, path)
}
