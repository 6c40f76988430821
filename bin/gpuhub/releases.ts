import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import releaseKeys from '../../deploy/release-keys.txt' with { type: 'text' }
import type { Config } from '../../hub/config.ts'
import { systemEnv } from '../../sdk/env.ts'
import { MANIFEST, type Manifest, readKeys, readManifest, SIGNATURES } from '../../sdk/release.ts'
import type { Check } from './doctor.ts'

const DAY_MS = 24 * 60 * 60_000
/** Time enough to sign anew. */
const SOON_MS = 14 * DAY_MS

/** Whether hosts can be installed and updated from here; nothing where there is nothing to look at. */
export function releases({ releases, data }: Config, keys = readKeys(releaseKeys), now = systemEnv.now()): Check[] {
  const folder = releases || join(data, 'releases')
  if (/^https?:/.test(folder)) return []
  const check = (ok: boolean, actual: string): Check => ({
    ...{ name: 'releases', ok, actual },
    required: 'a release of gpuhost in that folder, signed by a key of this program, for two more weeks at least',
    remedy: 'Sign it anew where the key is: bun run release sign FOLDER --key FILE (docs/releases.md).',
  })
  let bytes: Uint8Array
  try {
    bytes = readFileSync(join(folder, MANIFEST))
  } catch {
    // A hub may do without, unless somebody said that there are some.
    return releases === '' ? [] : [check(false, `${folder} holds none`)]
  }
  try {
    const manifest = readManifest(bytes, readFileSync(join(folder, SIGNATURES), 'utf8'), keys)
    return [check(manifest.expiresAt - now > SOON_MS, described(manifest))]
  } catch (error) {
    return [check(false, error instanceof Error ? error.message : 'cannot be read')]
  }
}

function described({ version, rolloutPercent, expiresAt }: Manifest): string {
  return `gpuhost ${version} for ${rolloutPercent} % of hosts, until ${new Date(expiresAt).toISOString().slice(0, 10)}`
}
