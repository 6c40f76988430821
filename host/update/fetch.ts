// Releases as a hub hands them out. Nothing it sends is believed: a manifest is checked by its signature, a file by the
// hash in the manifest; here it only has to end, and not to be longer than it may be.
import { createReadStream, createWriteStream, mkdirSync, rmSync, statfsSync, statSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { createHash } from 'node:crypto'
import { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGunzip } from 'node:zlib'
import { type Env, sleep } from '../../sdk/env.ts'
import {
  type Artifact,
  MANIFEST,
  MOST_ARTIFACT_BYTES,
  MOST_MANIFEST_BYTES,
  MOST_SIGNATURES_BYTES,
  SIGNATURES,
} from '../../sdk/release.ts'
import { HostError, printable, reason } from '../errors.ts'

export interface Source {
  env: Env
  /** `https://hub.example/download`, without a slash at the end. */
  url: string
  signal: AbortSignal
  /** Told of the bytes that came. */
  count?: (bytes: number) => void
}

export interface SignedManifest {
  bytes: Uint8Array
  signatures: string
}

const QUESTION_MS = 20_000
/** A connection that brings nothing for so long is given up. */
const STALL_MS = 30_000
const MOST_TRIES = 6
const FIRST_WAIT_MS = 1_000
const MOST_REDIRECTS = 5
/** For the program itself, beside its download. */
const FREE_BYTES = 300_000_000

/** `version` null: the one on offer now. @throws HostError */
export async function fetchManifest(source: Source, version: string | null): Promise<SignedManifest> {
  const folder = version === null ? '' : `${version}/`
  const [bytes, signatures] = [
    await small(source, folder + MANIFEST, MOST_MANIFEST_BYTES),
    await small(source, folder + SIGNATURES, MOST_SIGNATURES_BYTES),
  ]
  return { bytes, signatures: new TextDecoder().decode(signatures) }
}

async function small(source: Source, path: string, most: number): Promise<Uint8Array> {
  const late = new AbortController()
  const cancel = source.env.timer(QUESTION_MS, () => late.abort(new Error('it does not answer')))
  try {
    const response = await get(source, path, {}, AbortSignal.any([source.signal, late.signal]))
    if (response.status === 404) throw new HostError(`${source.url} has no such release of gpuhost.`)
    if (response.status !== 200) throw new HostError(`${source.url} answers ${response.status}. Try again later.`)
    const parts: Uint8Array[] = []
    let length = 0
    for await (const part of response.body ?? []) {
      length += part.length
      source.count?.(part.length)
      if (length > most) throw new HostError(`${source.url}/${path} is too long to be what it should be.`)
      parts.push(part)
    }
    return Buffer.concat(parts)
  } catch (error) {
    if (error instanceof HostError) throw error
    throw new HostError(`${source.url} cannot be reached: ${printable(reason(error))}. Check the network.`)
  } finally {
    cancel()
  }
}

export interface Fetching {
  artifact: Artifact
  /** Below the address of the source. */
  path: string
  /** Where it goes; what an earlier try left there is gone on with. */
  file: string
  progress: (done: number, total: number) => void
}

/** The file is there, and it is the very one the manifest names. @throws HostError, and then nothing wrong is left */
export async function fetchArtifact(source: Source, { artifact, path, file, progress }: Fetching): Promise<void> {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  checkSpace(dirname(file), artifact)
  for (let tries = 0; sizeOf(file) < artifact.bytes; ) {
    const before = sizeOf(file)
    try {
      await goOn(source, { artifact, path, file, progress })
    } catch (error) {
      if (error instanceof HostError) throw error
      if (source.signal.aborted) throw new HostError('The download was stopped. It goes on where it was the next time.')
      // A try that brought something is no failure.
      tries = sizeOf(file) > before ? 1 : tries + 1
      if (tries >= MOST_TRIES)
        throw new HostError(`${source.url} cannot be read from: ${printable(reason(error))}. Check the network.`)
      const chance = 1 + (source.env.random(1)[0] ?? 0) / 512
      await sleep(source.env, FIRST_WAIT_MS * 2 ** (tries - 1) * chance, source.signal)
    }
  }
  if (sizeOf(file) === artifact.bytes && (await hashOf(file)) === artifact.sha256) return
  rmSync(file, { force: true })
  throw new HostError(
    `${artifact.file} is not what its makers signed. Nothing was installed; tell the team of this hub.`,
  )
}

async function goOn(source: Source, { artifact, path, file, progress }: Fetching): Promise<void> {
  const stalled = new AbortController()
  const guard = () => source.env.timer(STALL_MS, () => stalled.abort(new Error('it sends nothing')))
  let cancel = guard()
  const from = sizeOf(file)
  const output = await open(file, 'a', 0o600)
  try {
    const headers: Record<string, string> = from > 0 ? { range: `bytes=${from}-` } : {}
    const response = await get(source, path, headers, AbortSignal.any([source.signal, stalled.signal]))
    let at = await whereItGoesOn(source, response, output, from)
    for await (const part of response.body ?? []) {
      cancel()
      cancel = guard()
      source.count?.(part.length)
      if (at + part.length > artifact.bytes) {
        rmSync(file, { force: true })
        throw new HostError(`${artifact.file} is longer than its makers signed. Nothing was installed.`)
      }
      await output.write(part)
      at += part.length
      progress(at, artifact.bytes)
    }
    if (at < artifact.bytes) throw new Error('the connection ended early')
  } finally {
    cancel()
    await output.close()
  }
}

/** A server that begins at the start again is one without ranges. */
async function whereItGoesOn(source: Source, response: Response, output: FileHandle, from: number): Promise<number> {
  const { status, headers } = response
  if (status === 206 && headers.get('content-range')?.startsWith(`bytes ${from}-`)) return from
  if (status === 200) {
    await output.truncate(0)
    return 0
  }
  await response.body?.cancel()
  if (status === 404 || status === 403) throw new HostError(`${source.url} does not have what its manifest names.`)
  throw new Error(`it answers ${status}`)
}

/** Redirects are followed by hand: never from an encrypted address to a plain one. */
async function get(
  source: Source,
  path: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<Response> {
  let address = new URL(`${source.url}/${path}`)
  for (let hop = 0; ; hop++) {
    const response = await fetch(address, {
      headers: { ...headers, 'accept-encoding': 'identity' },
      redirect: 'manual',
      timeout: false,
      signal,
    })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status >= 400 || location === null) return response
    await response.body?.cancel()
    if (hop === MOST_REDIRECTS) throw new HostError(`${source.url} sends ${path} round in circles.`)
    const next = new URL(location, address)
    if (next.protocol !== address.protocol && next.protocol !== 'https:')
      throw new HostError(`${source.url} sends ${path} to an address that is not encrypted.`)
    address = next
  }
}

/** Unpacks a checked file into a program. @throws HostError */
export async function unpack(packed: string, file: string): Promise<void> {
  let length = 0
  const bounded = new Transform({
    transform(part: Uint8Array, _, done) {
      length += part.length
      done(length > MOST_ARTIFACT_BYTES ? new Error('it is too long') : null, part)
    },
  })
  try {
    await pipeline(createReadStream(packed), createGunzip(), bounded, createWriteStream(file, { mode: 0o755 }))
  } catch (error) {
    rmSync(file, { force: true })
    throw new HostError(`The newer program cannot be unpacked: ${reason(error)}.`)
  }
}

function checkSpace(folder: string, artifact: Artifact): void {
  const { bavail, bsize } = statfsSync(folder)
  const needed = artifact.bytes + FREE_BYTES
  if (bavail * bsize < needed)
    throw new HostError(
      `${folder} has no room for an update: ${Math.ceil(needed / 1e6)} MB are needed. Free some space.`,
    )
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const part of createReadStream(file)) hash.update(part as Uint8Array)
  return hash.digest('hex')
}
