// `bun run test:install`: install.sh, updates and removal with the programs as they are shipped, in a bare Debian that is
// made here (root, debootstrap). Builds three versions that trust a key made for this run, and runs debian.ts.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startTests, stopWhenInterrupted, type Tests, withoutSettings } from '../bun-test.ts'
import { buildProgram } from '../build.ts'
import { makeKey, pack } from '../release.ts'

const root = join(import.meta.dirname, '..', '..')
const TEST_MS = 180_000
const ALL_MS = 20 * 60_000
const SUITE = 'bookworm'
const MIRROR = 'http://deb.debian.org/debian'

const folder = mkdtempSync(join(tmpdir(), 'gpuhub-install-'))
let tests: Tests | undefined

stopWhenInterrupted(stop)

process.exitCode = await main().finally(stop)

async function main(): Promise<number> {
  const missing = whatIsMissing()
  const base = missing ?? (await debian())
  if (typeof base !== 'string') {
    console.error(`\nNOT RUN: ${base.why}`)
    const failed = process.env.CI && base.ours ? 1 : 0
    console.log(`0 passed, ${failed} failed`)
    return failed
  }
  const keyFile = join(folder, 'key.pem')
  const releaseKeys = `${makeKey(keyFile)}\n`
  await buildProgram('gpuhub', { folder, stamp: { releaseKeys }, withWorkers: true })
  for (const version of ['0.2.0', '0.3.0']) {
    const place = join(folder, 'built', version)
    mkdirSync(place, { recursive: true })
    await pack(await buildProgram('gpuhost', { folder: place, stamp: { releaseKeys, version } }), 1)
  }
  tests = startTests(['./bin/testing/debian.ts'], {
    env: { ...withoutSettings(process.env), GPUHUB_INSTALL_TEST: folder, GPUHUB_DEBIAN: base },
    eachMs: TEST_MS,
    allMs: ALL_MS,
    report: join(folder, 'report.xml'),
  })
  const count = await tests.count
  console.log(`${count.passed} passed, ${count.failed} failed`)
  return count.failed > 0 ? 1 : 0
}

interface Obstacle {
  why: string
  /** Something to install, which .ci/run does; else the machine does not let us. */
  ours: boolean
}

function whatIsMissing(): Obstacle | null {
  if (process.getuid?.() !== 0) return { why: 'a Debian root can only be made by root.', ours: false }
  if (!Bun.which('debootstrap', { PATH: `${process.env.PATH}:/usr/sbin` }))
    return { why: 'debootstrap is missing.', ours: true }
  const unshare = Bun.spawnSync(['unshare', '--mount', '--pid', '--fork', 'mount', '-t', 'proc', 'proc', '/proc'])
  return unshare.exitCode === 0 ? null : { why: 'mounts are not allowed here.', ours: false }
}

/** A bare Debian as a tar, made once. */
async function debian(): Promise<string | Obstacle> {
  const tar = join(root, '.cache', `debian-${SUITE}.tar`)
  if (existsSync(tar)) return tar
  mkdirSync(join(root, '.cache'), { recursive: true })
  const place = join(folder, 'debian')
  console.error(`making a Debian ${SUITE} …`)
  const made = Bun.spawn(['debootstrap', '--variant=minbase', '--include=ca-certificates,curl', SUITE, place, MIRROR], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  })
  if ((await made.exited) !== 0) return { why: `no Debian could be had from ${MIRROR}.`, ours: false }
  const packed = Bun.spawnSync(['tar', '--numeric-owner', '-C', place, '-cf', `${tar}.new`, '.'])
  if (packed.exitCode !== 0) throw new Error('the Debian root could not be packed')
  renameSync(`${tar}.new`, tar)
  rmSync(place, { recursive: true, force: true })
  return tar
}

async function stop(): Promise<void> {
  await tests?.stop()
  rmSync(folder, { recursive: true, force: true })
}
