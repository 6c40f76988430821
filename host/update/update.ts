// An update, from the question to the newer program being in its place: read this file first. Who asks (the owner, the
// hour, a hub's wish) and what follows (a drain, a start on trial) is told in daemon/life.ts and service/launch.sh.
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Env } from '../../sdk/env.ts'
import { type Artifact, type Manifest, ManifestError, readManifest, type ReleaseTarget } from '../../sdk/release.ts'
import { type Home, machineId } from '../config.ts'
import { HostError } from '../errors.ts'
import { holdAlone } from '../lock.ts'
import { fetchArtifact, fetchManifest, type Source, unpack } from './fetch.ts'
import { judge } from './judge.ts'
import { readMemory, writeMemory } from './memory.ts'
import { currentVersion, downloadFolder, failedAt, place, type Program, swap } from './program.ts'

export interface Updating {
  env: Env
  home: Home
  program: Program
  /** As `httpAddress` gives it. */
  hub: string
  /** Public keys of those who may release. */
  keys: readonly string[]
  target: ReleaseTarget
  /** Starts a program that is not in use yet and says which version it says it is. @throws when it does not work */
  selfTest: (path: string) => Promise<string>
  progress: (text: string) => void
  signal: AbortSignal
  /** Told of the bytes that came. */
  count?: (bytes: number) => void
}

export type Look =
  | { kind: 'install'; version: string; artifact: Artifact }
  | { kind: 'stay'; version: string; why: string }

/** What the hub has on offer, and whether it is for this machine now. @throws HostError */
export async function look(updating: Updating, asked: boolean): Promise<Look> {
  const { env, home, program } = updating
  const memory = readMemory(home)
  const { bytes, signatures } = await fetchManifest(sourceOf(updating), memory.pin)
  const manifest = read(updating, bytes, signatures)
  const verdict = refusing(updating, () =>
    judge(manifest, {
      version: currentVersion(program),
      target: updating.target,
      machine: machineId(home, env),
      now: env.now(),
      ...memory,
      failedAt: failedAt(program, manifest.version),
      asked,
    }),
  )
  if (manifest.createdAt > memory.seenAt) writeMemory(home, { ...memory, seenAt: manifest.createdAt })
  return { ...verdict, version: manifest.version }
}

function read(updating: Updating, bytes: Uint8Array, signatures: string): Manifest {
  return refusing(updating, () => readManifest(bytes, signatures, updating.keys))
}

/** Says whose release was refused. */
function refusing<T>({ hub }: Updating, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error
    throw new HostError(`Nothing is installed from ${hub}: ${error.message}.`)
  }
}

/** Downloads, checks, tries and places what `look` found; from the next start on it runs. @throws HostError */
export async function install(updating: Updating, { version, artifact }: Look & { kind: 'install' }): Promise<void> {
  const { program, progress, selfTest } = updating
  const release = holdAlone(join(program.folder, 'lock'))
  if (!release) throw new HostError('Another update is being installed. Look again in a minute.')
  try {
    const packed = join(downloadFolder(program), `${artifact.sha256}.gz`)
    const fresh = join(downloadFolder(program), 'gpuhost')
    await fetchArtifact(sourceOf(updating), {
      artifact,
      path: `${version}/${artifact.file}`,
      file: packed,
      progress: (done, total) => progress(`gpuhost ${version}: ${Math.floor((100 * done) / total)} %`),
    })
    progress(`gpuhost ${version}: trying it`)
    await unpack(packed, fresh)
    const said = await selfTest(fresh)
    if (said !== version) throw new HostError(`The program that should be gpuhost ${version} says that it is ${said}.`)
    place(program, version, fresh)
    swap(program, version)
  } finally {
    rmSync(join(downloadFolder(program), 'gpuhost'), { force: true })
    release()
  }
  rmSync(downloadFolder(program), { recursive: true, force: true })
}

/** From now on only that version, or with null the newest again. */
export function pin(home: Home, version: string | null): void {
  if (version !== null && !/^\d{1,6}\.\d{1,6}\.\d{1,6}$/.test(version))
    throw new HostError(`"${version.slice(0, 30)}" is not a version. Write it like 0.2.0.`, 2)
  writeMemory(home, { ...readMemory(home), pin: version })
}

function sourceOf({ env, hub, signal, count }: Updating): Source {
  return { env, url: `${hub}/download`, signal, ...(count ? { count } : {}) }
}

/** Which of the builds is for this machine. `cpuinfo`: what Linux says of its processors. @throws HostError */
export function targetOf(arch: string, cpuinfo: string = cpus()): ReleaseTarget {
  if (arch === 'arm64') return 'linux-arm64'
  if (arch === 'x64') return /\bavx2\b/.test(cpuinfo) ? 'linux-x64' : 'linux-x64-baseline'
  throw new HostError(`There is no gpuhost for ${arch}.`, 3)
}

function cpus(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'utf8')
  } catch {
    return ''
  }
}
