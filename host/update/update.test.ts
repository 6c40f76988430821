import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { MANIFEST, type Manifest, SIGNATURES } from '../../sdk/release.ts'
import { placeInRollout } from './judge.ts'
import { pin, install, look, targetOf } from './update.ts'
import { confirm, currentPath, currentVersion, failedAt, lastFailed, prolong, trialOf } from './program.ts'
import {
  current,
  type Files,
  machine,
  manifestOf,
  next,
  NOW,
  packed,
  release,
  retired,
  signature,
} from './testing/releases.ts'

setDefaultTimeout(20_000)

const DAY_MS = 24 * 60 * 60_000
type World = ReturnType<typeof machine>

async function update({ updating }: Pick<World, 'updating'>, asked = false): Promise<string> {
  const found = await look(updating, asked)
  if (found.kind === 'stay') return found.why
  await install(updating, found)
  return 'installed'
}

const refused = (world: Pick<World, 'updating'>) =>
  update(world).then(
    () => 'not refused',
    (error: unknown) => String(error),
  )
const [artifact] = manifestOf('0.3.0').artifacts
const having = (changes: object): Partial<Manifest> => ({ artifacts: [{ ...artifact!, ...changes }] })
const served = (content: Uint8Array<ArrayBuffer> | ((request: Request) => Response)): Files => ({
  ...release(manifestOf('0.3.0')),
  '0.3.0/gpuhost-linux-x64.gz': content,
})
const bytesOf = (manifest: object) => Buffer.from(JSON.stringify(manifest))

test('a newer version is downloaded, tried, and in use from then on; the one before stays beside it', async () => {
  await using world = machine(release(manifestOf('0.3.0')))
  let counted = 0
  const counting = { updating: { ...world.updating, count: (bytes: number) => void (counted += bytes) } }
  expect(await update(counting)).toBe('installed')
  expect(counted).toBeGreaterThan(artifact!.bytes)
  expect(currentVersion(world.program)).toBe('0.3.0')
  expect(readFileSync(currentPath(world.program), 'utf8')).toContain('0.3.0')
  expect(statSync(currentPath(world.program)).mode & 0o111).toBe(0o111)
  expect(trialOf(world.program)).toEqual({ version: '0.3.0', before: '0.2.0' })
  confirm(world.program)
  expect([trialOf(world.program), world.versions()]).toEqual([null, ['0.2.0', '0.3.0']])
  expect(await update(world)).toBe('this is the newest version')
})

test('the next key is as good as the one in use, and two signatures are as good as one', async () => {
  await using byNext = machine(release(manifestOf('0.3.0'), next))
  expect(await update(byNext)).toBe('installed')
  const bytes = bytesOf(manifestOf('0.3.0'))
  await using byBoth = machine({
    ...release(manifestOf('0.3.0')),
    [SIGNATURES]: signature(bytes, retired) + signature(bytes, current),
  })
  expect(await update(byBoth)).toBe('installed')
})

describe('nothing is installed from', () => {
  const hostile: [string, Files, string][] = [
    ['a manifest that nobody signed', { ...release(manifestOf('0.3.0')), [SIGNATURES]: '' }, 'not signed'],
    [
      'a signature of something else',
      { ...release(manifestOf('0.3.0')), [SIGNATURES]: signature(bytesOf({}), current) },
      'not signed',
    ],
    ['a key that was retired', release(manifestOf('0.3.0'), retired), 'not signed'],
    [
      'a manifest that was changed after it was signed',
      { ...release(manifestOf('0.3.0')), [MANIFEST]: bytesOf(manifestOf('0.3.0', { rolloutPercent: 99 })) },
      'not signed',
    ],
    ['one that has expired', release(manifestOf('0.3.0', { expiresAt: NOW - 1 })), 'expired'],
    ['one from the future', release(manifestOf('0.3.0', { createdAt: NOW + 2 * DAY_MS })), 'future'],
    ['an older version', release(manifestOf('0.1.9')), 'older than 0.2.0'],
    ['another product', release(manifestOf('0.3.0', { product: 'gpuhub' } as object)), 'can read'],
    [
      'one without this machine’s build',
      release(manifestOf('0.3.0', having({ target: 'linux-arm64' }))),
      'nothing for linux-x64',
    ],
    [
      'one that needs what this program does not know',
      release(manifestOf('0.3.0', { needs: ['two-of-three'] })),
      '"two-of-three"',
    ],
    [
      'an address in place of a name',
      release(manifestOf('0.3.0', having({ file: 'https://evil.example/gpuhost.gz' }))),
      'can read',
    ],
    ['a path in place of a name', release(manifestOf('0.3.0', having({ file: '../../evil.gz' }))), 'can read'],
    [
      'one that is not JSON',
      { ...release(manifestOf('0.3.0')), [MANIFEST]: '{', [SIGNATURES]: signature(Buffer.from('{'), current) },
      'can read',
    ],
    ['one that is too long', { ...release(manifestOf('0.3.0')), [MANIFEST]: Buffer.alloc(70_000, ' ') }, 'too long'],
    ['signatures that do not end', { ...release(manifestOf('0.3.0')), [SIGNATURES]: 'A'.repeat(5_000) }, 'too long'],
    ['a hub without releases', {}, 'no such release'],
    ['a file of another content', served(packed('0.3.1')), 'not what its makers signed'],
    ['a file that is longer', served(Buffer.concat([packed('0.3.0'), Buffer.from('more')])), 'longer'],
    ['a file that is cut short', served(packed('0.3.0').subarray(0, 20)), 'cannot be read from'],
    [
      'a file that is not there',
      { ...release(manifestOf('0.3.0')), '0.3.0/gpuhost-linux-x64.gz': () => new Response('', { status: 404 }) },
      'does not have',
    ],
    [
      'a file elsewhere, over a plain line',
      served(() => new Response(null, { status: 302, headers: { location: 'ftp://evil.example/x' } })),
      'not encrypted',
    ],
    [
      'a file that is sent round in circles',
      served(() => new Response(null, { status: 302, headers: { location: '/download/0.3.0/gpuhost-linux-x64.gz' } })),
      'in circles',
    ],
  ]
  test.each(hostile)('%s', async (_, files, why) => {
    await using world = machine(files)
    expect(await refused(world)).toContain(why)
    expect([currentVersion(world.program), world.versions(), trialOf(world.program)]).toEqual([
      '0.2.0',
      ['0.2.0'],
      null,
    ])
  })

  test('a manifest that was right once, when a later one has been seen', async () => {
    await using world = machine(release(manifestOf('0.3.0', { rolloutPercent: 0, createdAt: NOW - 1_000 })))
    expect(await update(world)).toContain('held back')
    Object.assign(world.files, release(manifestOf('0.3.0', { createdAt: NOW - 2_000 })))
    expect(await refused(world)).toContain('older than one that was here before')
    expect(currentVersion(world.program)).toBe('0.2.0')
  })

  test('a program that is signed and does not work here', async () => {
    await using world = machine(release(manifestOf('0.3.0')))
    const broken = { ...world.updating, selfTest: () => Promise.reject(new Error('Illegal instruction')) }
    expect(await refused({ updating: broken })).toContain('Illegal instruction')
    const other = { ...world.updating, selfTest: () => Promise.resolve('0.1.0') }
    expect(await refused({ updating: other })).toContain('says that it is 0.1.0')
    expect([currentVersion(world.program), world.versions()]).toEqual(['0.2.0', ['0.2.0']])
  })

  test('anything, where a program was built without keys', async () => {
    await using world = machine(release(manifestOf('0.3.0')))
    expect(await refused({ updating: { ...world.updating, keys: [] } })).toContain('without release keys')
  })
})

test('a download that breaks goes on where it was', async () => {
  const file = packed('0.3.0')
  const half = Math.floor(file.length / 2)
  const ranged = (request: Request) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.get('range') ?? '')?.[1] ?? 0)
    const headers = { 'content-range': `bytes ${from}-${file.length - 1}/${file.length}` }
    if (from > 0) return new Response(file.subarray(from), { status: 206, headers })
    return new Response(file.subarray(0, half))
  }
  await using world = machine(served(ranged))
  expect(await update(world)).toBe('installed')
  const ranges = world.asked.filter(({ path }) => path.endsWith('.gz')).map(({ range }) => range)
  expect(ranges).toEqual([null, `bytes=${half}-`])
})

describe('a rollout', () => {
  test('reaches as many machines as it says, the same ones each time, and others for another version', () => {
    const machines = Array.from({ length: 2_000 }, (_, at) => `machine_${at}`)
    const reached = (version: string) => machines.filter((machine) => placeInRollout(machine, version) < 10)
    expect(reached('0.3.0').length).toBeGreaterThan(150)
    expect(reached('0.3.0').length).toBeLessThan(250)
    expect(reached('0.3.0')).toEqual(reached('0.3.0'))
    expect(reached('0.3.0').filter((machine) => reached('0.4.0').includes(machine)).length).toBeLessThan(60)
  })

  test('is not waited for by an owner who asks, unless its makers stopped it', async () => {
    const files = release(manifestOf('0.3.0', { rolloutPercent: 1 }))
    await using world = machine(files)
    // Whatever number this machine drew, one of a hundred is not for it.
    const id = 'machine_00000000000000000000000000'
    writeFileSync(join(world.folder, 'machine'), id)
    expect(placeInRollout(id, '0.3.0')).toBeGreaterThan(0)
    expect(await update(world)).toContain('reaches this machine later')
    Object.assign(files, release(manifestOf('0.3.0', { rolloutPercent: 0 })))
    expect(await update(world, true)).toContain('held back')
    Object.assign(files, release(manifestOf('0.3.0', { rolloutPercent: 1 })))
    expect(await update(world, true)).toBe('installed')
  })
})

test('a version that failed here is tried again after a day, or when its owner asks', async () => {
  await using world = machine(release(manifestOf('0.3.0')))
  const mark = join(world.program.folder, 'failed', '0.3.0')
  await Bun.write(mark, '')
  utimesSync(mark, NOW / 1_000, NOW / 1_000 - 3_600)
  expect(failedAt(world.program, '0.3.0')).toBe(NOW - 3_600_000)
  // That it went back is told to the hub, for a week.
  expect(lastFailed(world.program, NOW)).toBe('0.3.0')
  expect(lastFailed(world.program, NOW + 7 * DAY_MS)).toBeNull()
  expect(await update(world)).toContain('did not work here')
  utimesSync(mark, NOW / 1_000, (NOW - DAY_MS) / 1_000)
  expect(await update(world)).toBe('installed')
  // What works by now did not fail.
  expect(lastFailed(world.program, NOW)).toBeNull()
})

test('an owner who wants one version gets it, older or newer, and stays at it', async () => {
  await using world = machine({
    ...release(manifestOf('0.1.0', { createdAt: NOW - DAY_MS })),
    ...release(manifestOf('0.3.0')),
  })
  await look(world.updating, false)
  pin(world.home, '0.1.0')
  expect(await update(world)).toBe('installed')
  expect(currentVersion(world.program)).toBe('0.1.0')
  expect(await update(world)).toBe('this is the pinned version')
  pin(world.home, null)
  expect(await update(world)).toBe('installed')
  expect(currentVersion(world.program)).toBe('0.3.0')
  expect(() => pin(world.home, 'newest')).toThrow('is not a version')
})

test('the build is chosen by what the processor can do', () => {
  expect(targetOf('arm64', '')).toBe('linux-arm64')
  expect(targetOf('x64', 'flags : fpu avx avx2 bmi1')).toBe('linux-x64')
  expect(targetOf('x64', 'flags : fpu avx sse4_2')).toBe('linux-x64-baseline')
  expect(() => targetOf('riscv64', '')).toThrow('no gpuhost for riscv64')
})

test('a slow start is no failed one', async () => {
  await using world = machine(release(manifestOf('0.3.0')))
  await update(world)
  prolong(world.program, NOW)
  expect(statSync(join(world.program.folder, 'trial')).mtimeMs).toBe(NOW)
})
