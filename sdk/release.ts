// What a release of the host program says about itself: a manifest that is signed offline, with Ed25519, over its very
// bytes. `gpuhost update`, install.sh and the release command read and write the same thing, written down here.
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { isPublicKey, isSigned } from './wire/machine-key.ts'

/** Every machine the host program is built for; `linux-x64-baseline` is for processors without AVX2. */
export const releaseTargets = ['linux-x64', 'linux-x64-baseline', 'linux-arm64'] as const
export type ReleaseTarget = (typeof releaseTargets)[number]

/** Names of the manifest and its signatures, in a folder of releases and in the folder of each version. */
export const MANIFEST = 'gpuhost.json'
export const SIGNATURES = 'gpuhost.json.sig'

export const MOST_MANIFEST_BYTES = 64 * 1024
export const MOST_SIGNATURES_BYTES = 2 * 1024
/** A program is a hundred megabytes; whoever signs more has made a mistake. */
export const MOST_ARTIFACT_BYTES = 1024 * 1024 * 1024

const Artifact = Type.Object({
  target: Type.String({ maxLength: 40 }),
  /** A name beside the manifest of that version: no path, no address. */
  file: Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,99}$' }),
  /** Of the file as it is downloaded (gzip). */
  bytes: Type.Integer({ minimum: 1, maximum: MOST_ARTIFACT_BYTES }),
  sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }),
})
export type Artifact = Static<typeof Artifact>

export const Manifest = Type.Object({
  product: Type.Literal('gpuhost'),
  version: Type.String({ pattern: '^\\d{1,6}\\.\\d{1,6}\\.\\d{1,6}$' }),
  /** Milliseconds since 1970. Of two manifests the one that was made later holds. */
  createdAt: Type.Integer({ minimum: 0 }),
  expiresAt: Type.Integer({ minimum: 0 }),
  /** Of a hundred machines, how many may update by themselves. 0 halts a rollout. */
  rolloutPercent: Type.Integer({ minimum: 0, maximum: 100 }),
  /** What a reader must know to read this manifest rightly. Other fields it may pass over. */
  needs: Type.Array(Type.String({ maxLength: 40 }), { maxItems: 20 }),
  artifacts: Type.Array(Artifact, { minItems: 1, maxItems: 20 }),
})
export type Manifest = Static<typeof Manifest>

/** A manifest that nothing may be installed from; the message says why. */
export class ManifestError extends Error {
  override name = 'ManifestError'
}

/** Public keys, one a line, base64 of 32 bytes; `#` begins a comment. The first is in use, the next takes over from it. */
export function readKeys(text: string): string[] {
  return text
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter(isPublicKey)
}

/**
 * The manifest in `bytes`, if one of `signatures` (base64, one a line) is by one of `keys`. Nothing of the bytes is
 * looked at before. @throws ManifestError
 */
export function readManifest(bytes: Uint8Array, signatures: string, keys: readonly string[]): Manifest {
  if (keys.length === 0) throw new ManifestError('this program was built without release keys')
  if (bytes.length > MOST_MANIFEST_BYTES) throw new ManifestError('its manifest is too long')
  if (!isSignedBy(bytes, signatures, keys))
    throw new ManifestError('its manifest is not signed by a key of this program')
  const manifest = parsed(bytes)
  if (!Value.Check(Manifest, manifest)) throw new ManifestError('its manifest is not one this program can read')
  const [need] = manifest.needs
  if (need !== undefined) throw new ManifestError(`its manifest needs "${need}", which this program does not know`)
  return manifest
}

function isSignedBy(bytes: Uint8Array, signatures: string, keys: readonly string[]): boolean {
  if (signatures.length > MOST_SIGNATURES_BYTES) return false
  const lines = signatures.split('\n').filter((line) => /^[A-Za-z0-9+/]{86}==$/.test(line.trim()))
  return lines.some((line) => keys.some((key) => isSigned(key, bytes, line.trim())))
}

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}

/** Below zero where `a` is older than `b`, zero where both are the same. Versions as in a manifest. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map(Number))
  for (const at of [0, 1, 2]) {
    const difference = (left?.[at] ?? 0) - (right?.[at] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
