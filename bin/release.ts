// `bun run release`: the programs for every machine, and a manifest that is signed with a key that is kept offline.
//   bun run release keygen KEYFILE                         makes a key and prints its public half
//   bun run release --out FOLDER [--key KEYFILE …]         builds this version into FOLDER, and signs
//   bun run release sign FOLDER --key KEYFILE …            signs anew what was built: elsewhere, or for another rollout
import { createHash, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import {
  createReadStream,
  createWriteStream,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { parseArgs } from 'node:util'
import { createGzip } from 'node:zlib'
import { version as packageVersion } from '../package.json'
import keysInUse from '../deploy/release-keys.txt' with { type: 'text' }
import { systemEnv } from '../sdk/env.ts'
import {
  type Artifact,
  MANIFEST,
  type Manifest,
  readKeys,
  readManifest,
  type ReleaseTarget,
  releaseTargets,
  SIGNATURES,
} from '../sdk/release.ts'
import { machineKey, publicKeyOf } from '../sdk/wire/machine-key.ts'
import { buildPrograms } from './build.ts'

const root = join(import.meta.dirname, '..')
const DAY_MS = 24 * 60 * 60_000

export interface Release {
  /** The folder of releases: this version becomes a folder in it. */
  folder: string
  version: string
  targets: readonly ReleaseTarget[]
  /** What the programs will trust, as the text of `deploy/release-keys.txt`. */
  keys: string
  say: (line: string) => void
}

/** Builds and packs the programs of one version into `folder/VERSION`; signs nothing. */
export async function buildRelease({ folder, version, targets, keys, say }: Release): Promise<void> {
  const place = join(folder, version)
  mkdirSync(place, { recursive: true })
  for (const target of targets) {
    for (const path of await buildPrograms(place, `bun-${target}`, { version, releaseKeys: keys })) {
      await pack(path)
      say(`${path}.gz  ${(statSync(`${path}.gz`).size / 1e6).toFixed(0)} MB`)
    }
  }
}

/** Replaces a program by its gzip. */
export async function pack(path: string, level = 9): Promise<void> {
  await pipeline(createReadStream(path), createGzip({ level }), createWriteStream(`${path}.gz`))
  rmSync(path)
}

export interface Signing {
  folder: string
  version: string
  keys: readonly KeyObject[]
  now: number
  daysValid: number
  rolloutPercent: number
}

/** Writes the manifest of what lies in `folder/VERSION`, signs it, and makes it the one on offer. */
export function signRelease({ folder, version, keys, now, daysValid, rolloutPercent }: Signing): Manifest {
  const place = join(folder, version)
  const artifacts = releaseTargets.flatMap((target) => artifactOf(place, target))
  if (artifacts.length === 0) throw new Error(`${place} holds no gpuhost-TARGET.gz; build it first`)
  const manifest: Manifest = {
    ...{ product: 'gpuhost', version, createdAt: now, expiresAt: now + daysValid * DAY_MS },
    ...{ rolloutPercent, needs: [], artifacts },
  }
  const bytes = Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)
  const signatures = keys.map((key) => `${sign(null, bytes, key).toString('base64')}\n`).join('')
  // Whoever cannot read it back has signed something else.
  readManifest(bytes, signatures, keys.map(publicKeyOf))
  // The signatures first: for a moment the old manifest has none that fit, which is refused, and read again later.
  for (const at of [place, folder]) {
    for (const [name, content] of [
      [SIGNATURES, signatures],
      [MANIFEST, bytes],
    ] as const) {
      writeFileSync(join(at, `.${name}`), content)
      renameSync(join(at, `.${name}`), join(at, name))
    }
  }
  return manifest
}

function artifactOf(place: string, target: ReleaseTarget): Artifact[] {
  const file = `gpuhost-${target}.gz`
  if (!existsSync(join(place, file))) return []
  const bytes = readFileSync(join(place, file))
  return [{ target, file, bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }]
}

/** A private key, for whoever releases: PEM, readable by its owner only. Returns the public half. */
export function makeKey(path: string): string {
  const key = machineKey(systemEnv.random(32))
  writeFileSync(path, key.export({ format: 'pem', type: 'pkcs8' }), { flag: 'wx', mode: 0o600 })
  return publicKeyOf(key)
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    args: Bun.argv.slice(2),
    allowPositionals: true,
    options: {
      out: { type: 'string', default: join(root, 'releases') },
      version: { type: 'string', default: packageVersion },
      target: { type: 'string', multiple: true, default: [...releaseTargets] },
      key: { type: 'string', multiple: true, default: [] },
      days: { type: 'string', default: '90' },
      rollout: { type: 'string', default: '100' },
    },
  })
  const [word, operand] = positionals
  if (word === 'keygen' && operand !== undefined) {
    console.log(makeKey(operand))
    console.error(`Keep ${operand} offline. Put the line above into deploy/release-keys.txt, then build.`)
    return
  }
  const folder = word === 'sign' && operand !== undefined ? operand : values.out
  if (word !== undefined && word !== 'sign')
    throw new Error('bun run release [keygen FILE | sign FOLDER] …; see docs/releases.md')
  if (word === undefined) {
    if (readKeys(keysInUse).length === 0)
      throw new Error(
        'deploy/release-keys.txt names no key: make one with `bun run release keygen FILE`, see docs/releases.md',
      )
    const targets = releaseTargets.filter((target) => values.target.includes(target))
    await buildRelease({ folder, version: values.version, targets, keys: keysInUse, say: console.error })
  }
  if (values.key.length === 0)
    return console.error('Not signed: no --key. Sign where the key is: bun run release sign FOLDER --key FILE')
  const keys = values.key.map((path) => createPrivateKey(readFileSync(path)))
  const known = readKeys(keysInUse)
  if (!keys.some((key) => known.includes(publicKeyOf(key))))
    throw new Error('none of these keys is in deploy/release-keys.txt: no host would take it')
  const [daysValid, rolloutPercent] = [Number(values.days), Number(values.rollout)]
  const manifest = signRelease({
    folder,
    version: values.version,
    keys,
    now: systemEnv.now(),
    daysValid,
    rolloutPercent,
  })
  console.log(JSON.stringify(manifest, null, 2))
}

if (import.meta.main) await main()
