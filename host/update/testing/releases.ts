// A folder of releases with keys of its own, a hub that serves it, and a machine on which an older version is installed.
import { createHash, type KeyObject, sign } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Env, systemEnv } from '../../../sdk/env.ts'
import { type Manifest, MANIFEST, SIGNATURES } from '../../../sdk/release.ts'
import { machineKey, publicKeyOf } from '../../../sdk/wire/machine-key.ts'
import { homeAt } from '../../config.ts'
import type { Program } from '../program.ts'
import type { Updating } from '../update.ts'

export const key = (seed: number) => machineKey(new Uint8Array(32).fill(seed))
/** In use, next, and one that was retired. */
export const [current, next, retired] = [key(1), key(2), key(3)] as const
export const NOW = Date.UTC(2026, 10, 25)
const HOUR_MS = 60 * 60_000

/** What stands for a program: a script that says its version. */
export const programText = (version: string) => `#!/bin/sh\necho '{"version":"${version}"}'\n`

export const packed = (version: string) => Bun.gzipSync(programText(version))

export function manifestOf(version: string, changes: Partial<Manifest> = {}): Manifest {
  const file = packed(version)
  const artifact = {
    ...{ target: 'linux-x64', file: 'gpuhost-linux-x64.gz', bytes: file.length },
    sha256: createHash('sha256').update(file).digest('hex'),
  }
  return {
    ...{ product: 'gpuhost', version, createdAt: NOW - HOUR_MS, expiresAt: NOW + HOUR_MS },
    ...{ rolloutPercent: 100, needs: [], artifacts: [artifact] },
    ...changes,
  }
}

export const signature = (bytes: Uint8Array, by: KeyObject) => `${sign(null, bytes, by).toString('base64')}\n`

/** Files below /download/; a function answers by itself. */
export type Files = Record<string, Uint8Array<ArrayBuffer> | string | ((request: Request) => Response)>

/** A manifest of that content, signed, and the program it names. */
export function release(manifest: object & { version: string }, by: KeyObject = current): Files {
  const bytes = Buffer.from(JSON.stringify(manifest))
  const files = { [MANIFEST]: bytes, [SIGNATURES]: signature(bytes, by) }
  const { version } = manifest
  return {
    ...files,
    ...Object.fromEntries(Object.entries(files).map(([name, content]) => [`${version}/${name}`, content])),
    [`${version}/gpuhost-linux-x64.gz`]: packed(version),
  }
}

/** Shorter waits are between two tries, and nobody waits for them; longer ones are limits, which a busy machine needs. */
const LIMITS_MS = 20_000
const hurried: Env = {
  ...systemEnv,
  now: () => NOW,
  timer: (ms, work) => systemEnv.timer(ms < LIMITS_MS ? ms / 1_000 : ms, work),
}

export function machine(files: Files, installed = '0.2.0') {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhost-update-'))
  const home = homeAt({ GPUHOST_HOME: folder })
  const program = { folder: join(folder, 'program') }
  installedAt(program, installed)
  const asked: { path: string; range: string | null }[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    development: false,
    fetch(request) {
      const path = new URL(request.url).pathname.replace('/download/', '')
      asked.push({ path, range: request.headers.get('range') })
      const content = files[path]
      if (typeof content === 'function') return content(request)
      return content === undefined ? new Response('nothing', { status: 404 }) : new Response(content)
    },
  })
  const updating: Updating = {
    ...{ env: hurried, home, program, hub: server.url.origin, target: 'linux-x64' },
    keys: [current, next].map(publicKeyOf),
    async selfTest(path) {
      const child = Bun.spawn([path], { stdout: 'pipe', stderr: 'ignore' })
      return String((JSON.parse(await new Response(child.stdout).text()) as { version: string }).version)
    },
    progress: () => {},
    signal: new AbortController().signal,
  }
  return {
    ...{ folder, home, program, updating, asked, files },
    versions: () => readdirSync(join(program.folder, 'versions')).sort(),
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** As install.sh leaves it. */
export function installedAt({ folder }: Program, version: string): void {
  const path = join(folder, 'versions', version)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'gpuhost'), programText(version))
  chmodSync(join(path, 'gpuhost'), 0o755)
  symlinkSync(join('versions', version), join(folder, 'current'))
}
