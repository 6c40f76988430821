// vLLM and all it needs, as packages whose hashes this program knows: requirements.txt names every one, and nothing else
// is fetched, and no package runs a program of its own while it is installed.
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { arch } from 'node:os'
import { join } from 'node:path'
import { inflateRawSync } from 'node:zlib'
import type { Env } from '../../../sdk/env.ts'
import { HostError, printable, reason } from '../../errors.ts'
import { roomAt } from '../../hardware/survey.ts'
import type { Step } from './phase.ts'
import requirements from './requirements.txt' with { type: 'text' }
import { release } from './release.ts'

export interface Installing {
  env: Env
  /** Holds every version's packages, a folder each. */
  room: string
  /** The package index; a mirror where this process's environment names one. */
  index: string
  /** What reaches the network for it: proxies, certificates. */
  variables: Readonly<Record<string, string | undefined>>
  /** Told of the bytes that came; of packages, of their size on the disk, which is more. */
  count?: (bytes: number) => void
}

export const PYPI = 'https://pypi.org/simple'
const PYTHON = '3.12'
/** The installer, as the index has it. */
const UV = {
  version: '0.13.9',
  x64: {
    file: 'uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl',
    sha256: 'd7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19',
  },
  arm64: {
    file: 'uv-0.13.9-py3-none-manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64.whl',
    sha256: '5435c5ce14a56431208ca0996416d310f1598e8c2c8ba707688985a16bb82dbe',
  },
} as const
const LIST_MS = 60_000
const MOST_WHEEL_BYTES = 100e6
/** Packages, unpacked, and the cache meanwhile. */
const NEEDED_BYTES = 14e9
/** Nothing said for so long: the line is dead. */
const SILENT_MS = 10 * 60_000
const PASSED_ON = /^(HTTPS?_PROXY|NO_PROXY|ALL_PROXY|SSL_CERT_(FILE|DIR)|https?_proxy|no_proxy|all_proxy)$/

/** @returns the program that begins `serve`. @throws HostError */
export async function installVllm(
  installing: Installing,
  tell: (step: Step) => void,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const lock = createHash('sha256').update(requirements).digest('hex').slice(0, 12)
  const folder = join(installing.room, `vllm-${release.version}-${lock}`)
  const program = [join(folder, 'bin', 'python'), join(folder, 'bin', 'vllm')]
  const done = join(folder, 'installed')
  if (existsSync(done)) return program
  const { freeBytes, totalBytes } = roomAt(installing.room)
  if (totalBytes > 0 && freeBytes < NEEDED_BYTES)
    throw new HostError(
      `vLLM takes ${gb(NEEDED_BYTES)} in ${installing.room}, which has ${gb(freeBytes)} free. Make room there.`,
      3,
    )
  tell({ phase: 'installing', percent: null })
  rmSync(folder, { recursive: true, force: true })
  const uv = await installer(installing, signal)
  const list = join(installing.room, `requirements-${lock}.txt`)
  writeFileSync(list, requirements)
  const python = [uv, 'venv', '--quiet', '--no-config', '--clear', '--python', PYTHON, folder]
  // A Python of its own brings what kernels are compiled with, and lies where the engine's user can reach it. Where it
  // cannot be had, the system's may do.
  await run(installing, [...python, '--managed-python'], signal).catch(() => {
    signal.throwIfAborted()
    return run(installing, [...python, '--no-managed-python'], signal)
  })
  const exactly = ['--require-hashes', '--no-deps', '--only-binary', ':all:', '--no-cache', '--no-config']
  const into = ['--python', join(folder, 'bin', 'python'), '--index-url', installing.index]
  await run(installing, [uv, 'pip', 'install', ...exactly, ...into, '-r', list], signal)
  installing.count?.(sizeOf(folder))
  writeFileSync(done, '')
  return program
}

/** The installer's own program, out of its package. @throws HostError */
async function installer({ env, room, index, count }: Installing, signal: AbortSignal): Promise<string> {
  const path = join(room, `uv-${UV.version}`)
  if (existsSync(path)) return path
  const { file, sha256 } = UV[arch() === 'arm64' ? 'arm64' : 'x64']
  const listing = await fetched(env, `${index.replace(/\/+$/, '')}/uv/`, LIST_MS, signal)
  const url = linkTo(Buffer.from(listing).toString('utf8'), file, `${index.replace(/\/+$/, '')}/uv/`)
  if (!url) throw new HostError(`${index} does not have ${file}, which installs vLLM.`)
  const wheel = await fetched(env, url, SILENT_MS, signal)
  count?.(listing.length + wheel.length)
  if (createHash('sha256').update(wheel).digest('hex') !== sha256)
    throw new HostError(`${index} has another ${file} than the one this program knows. Nothing of it was run.`)
  mkdirSync(room, { recursive: true })
  // Whole or not at all: what is there is run.
  writeFileSync(`${path}.new`, fileIn(wheel, `uv-${UV.version}.data/scripts/uv`), { mode: 0o755 })
  renameSync(`${path}.new`, path)
  return path
}

async function fetched(env: Env, url: string, withinMs: number, signal: AbortSignal): Promise<Uint8Array> {
  const late = new AbortController()
  const cancel = env.timer(withinMs, () => late.abort(new Error('it does not answer in time')))
  try {
    const headers = { accept: 'application/vnd.pypi.simple.v1+json, text/html;q=0.5' }
    const response = await fetch(url, { headers, signal: AbortSignal.any([signal, late.signal]) })
    if (!response.ok) throw new Error(`it answers ${response.status}`)
    if (Number(response.headers.get('content-length') ?? 0) > MOST_WHEEL_BYTES) throw new Error('it sends too much')
    return await response.bytes()
  } catch (error) {
    signal.throwIfAborted()
    throw new HostError(
      `${new URL(url).host} cannot be reached for vLLM: ${printable(reason(error))}. Check the network.`,
    )
  } finally {
    cancel()
  }
}

/** An index answers in JSON, or, as long ago, in HTML. */
export function linkTo(listing: string, file: string, base: string): string | undefined {
  try {
    const { files } = JSON.parse(listing) as { files: { filename: string; url: string }[] }
    const found = files.find(({ filename }) => filename === file)
    return found && new URL(found.url, base).href
  } catch {
    const links = [...listing.matchAll(/href="([^"#]+)(?:#[^"]*)?"/g)].map(([, link = '']) =>
      link.replaceAll('&amp;', '&'),
    )
    const found = links.find((link) => link.endsWith(`/${file}`))
    return found && new URL(found, base).href
  }
}

/** One file of a zip archive. @throws HostError where it is not in it */
export function fileIn(archive: Uint8Array, name: string): Uint8Array {
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength)
  const end = bytes.lastIndexOf(Buffer.from('PK\u0005\u0006', 'latin1'))
  let at = end < 0 ? bytes.length : bytes.readUInt32LE(end + 16)
  while (at + 46 <= bytes.length && bytes.readUInt32LE(at) === 0x02014b50) {
    const [named, extra, comment] = [28, 30, 32].map((offset) => bytes.readUInt16LE(at + offset)) as [
      number,
      number,
      number,
    ]
    if (bytes.toString('utf8', at + 46, at + 46 + named) === name) {
      const [method, size, local] = [
        bytes.readUInt16LE(at + 10),
        bytes.readUInt32LE(at + 20),
        bytes.readUInt32LE(at + 42),
      ]
      const begin = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28)
      const packed = bytes.subarray(begin, begin + size)
      return method === 0 ? packed : inflateRawSync(packed)
    }
    at += 46 + named + extra + comment
  }
  throw new HostError('The package that installs vLLM is not made as expected.')
}

async function run({ env, room, variables }: Installing, command: string[], signal: AbortSignal): Promise<void> {
  const passed = Object.fromEntries(Object.entries(variables).filter(([name]) => PASSED_ON.test(name)))
  // Another user is to read what is made here; this program makes what only its own can.
  const child = Bun.spawn(['/bin/sh', '-c', 'umask 022; exec "$@"', 'sh', ...command], {
    env: {
      ...{ PATH: variables.PATH ?? '/usr/local/bin:/usr/bin:/bin', HOME: room, UV_CACHE_DIR: join(room, 'uv-cache') },
      ...{ UV_PYTHON_INSTALL_DIR: join(room, 'python'), UV_LINK_MODE: 'copy', UV_NO_PROGRESS: '1' },
      ...passed,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  const late = env.timer(SILENT_MS * 6, () => child.kill('SIGKILL'))
  const [complained, code] = await Promise.all([new Response(child.stderr).text(), child.exited]).finally(late)
  signal.throwIfAborted()
  if (code === 0) return
  const why = printable(complained.trim().split('\n').slice(-4).join(' ')).slice(0, 400)
  throw new HostError(`vLLM could not be installed: ${why} The next start tries again.`)
}

/** The installer does not say what it fetched. What is linked to elsewhere is not followed. */
function sizeOf(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.reduce((sum, name) => {
    const found = lstatSync(join(folder, name), { throwIfNoEntry: false })
    return sum + (found?.isFile() ? found.size : 0)
  }, 0)
}

const gb = (bytes: number) => `${(bytes / 1e9).toFixed(0)} GB`
