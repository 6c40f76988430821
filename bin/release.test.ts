import { expect, test } from 'bun:test'
import { createPrivateKey } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compareVersions, MANIFEST, readKeys, readManifest, SIGNATURES } from '../sdk/release.ts'
import { publicKeyOf } from '../sdk/wire/machine-key.ts'
import { readConfig } from '../hub/config.ts'
import { releases } from './gpuhub/releases.ts'
import { makeKey, signRelease } from './release.ts'

test('what one key signs, its public half accepts, and so does openssl', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-release-'))
  try {
    const path = join(folder, 'key.pem')
    const publicKey = makeKey(path)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(() => makeKey(path)).toThrow('EEXIST')
    const key = createPrivateKey(readFileSync(path))
    expect(publicKeyOf(key)).toBe(publicKey)

    mkdirSync(join(folder, '0.2.0'))
    const signing = { folder, version: '0.2.0', keys: [key], now: 1_000, daysValid: 90, rolloutPercent: 10 }
    expect(() => signRelease(signing)).toThrow('build it first')
    writeFileSync(join(folder, '0.2.0', 'gpuhost-linux-arm64.gz'), 'a program')
    const manifest = signRelease(signing)
    expect(manifest).toMatchObject({
      ...{ version: '0.2.0', createdAt: 1_000, expiresAt: 1_000 + 90 * 86_400_000, rolloutPercent: 10, needs: [] },
      artifacts: [{ target: 'linux-arm64', file: 'gpuhost-linux-arm64.gz', bytes: 9 }],
    })
    for (const at of [folder, join(folder, '0.2.0')]) {
      const signatures = readFileSync(join(at, SIGNATURES), 'utf8')
      expect(readManifest(readFileSync(join(at, MANIFEST)), signatures, [publicKey])).toEqual(manifest)
    }
    // As install.sh does it.
    const pem = `-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA${publicKey}\n-----END PUBLIC KEY-----\n`
    writeFileSync(join(folder, 'public.pem'), pem)
    writeFileSync(join(folder, 'signature'), Buffer.from(readFileSync(join(folder, SIGNATURES), 'utf8'), 'base64'))
    const checked = Bun.spawnSync(
      [
        'openssl',
        'pkeyutl',
        '-verify',
        '-pubin',
        '-inkey',
        'public.pem',
        '-rawin',
        '-in',
        MANIFEST,
        '-sigfile',
        'signature',
      ],
      { cwd: folder },
    )
    expect(checked.exitCode).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('keys are lines of base64, and everything else in their file is talk', () => {
  const key = 'A'.repeat(43) + '='
  expect(readKeys(`# the first\n${key} # in use\n\nnot a key\n  ${key}\n`)).toEqual([key, key])
  expect(readKeys(readFileSync(join(import.meta.dir, '..', 'deploy', 'release-keys.txt'), 'utf8')).length).toBeLessThan(
    3,
  )
})

test.each([
  ['0.2.0', '0.2.0', 0],
  ['0.10.0', '0.9.9', 1],
  ['1.0.0', '0.99.99', 1],
  ['0.2.1', '0.2.10', -1],
])('%s and %s are in order', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign)
})

test('gpuhub doctor says when a release has to be signed anew, and when no host would take it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhub-release-'))
  try {
    const config = { ...readConfig({}), releases: folder }
    const publicKey = makeKey(join(folder, 'key.pem'))
    const looked = (now: number, keys = [publicKey]) =>
      releases(config, keys, now).map(({ ok, actual }) => [ok, actual])
    expect(looked(0)).toEqual([[false, `${folder} holds none`]])
    expect(releases({ ...config, releases: '', data: folder }, [publicKey], 0)).toEqual([])
    mkdirSync(join(folder, '0.2.0'))
    writeFileSync(join(folder, '0.2.0', 'gpuhost-linux-arm64.gz'), 'a program')
    const keys = [createPrivateKey(readFileSync(join(folder, 'key.pem')))]
    signRelease({ folder, version: '0.2.0', keys, now: 0, daysValid: 90, rolloutPercent: 25 })
    const says = 'gpuhost 0.2.0 for 25 % of hosts, until 1970-04-01'
    expect(looked(0)).toEqual([[true, says]])
    expect(looked(80 * 86_400_000)).toEqual([[false, says]])
    expect(looked(0, ['A'.repeat(43) + '='])).toEqual([[false, expect.stringContaining('not signed')]])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
