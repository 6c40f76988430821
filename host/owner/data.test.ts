import { afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { virtualEnv } from '../../sdk/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { countedDownload, DataCap, DataMeter } from './data.ts'

setDefaultTimeout(60_000)

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

const zone = 'Europe/Berlin'
const cap = { gigabytes: 10, zone }
const HOUR_MS = 60 * 60_000

function world(now: number) {
  const folder = mkdtempSync(join(tmpdir(), 'data-'))
  folders.push(folder)
  const env = virtualEnv({ now })
  const said: string[] = []
  const log = logTo(env, (line) => void said.push(line), humanLine)
  const meter = new DataMeter(env, folder)
  return { folder, env, log, said, meter, limit: new DataCap(env, log, meter) }
}

test('its owner is told at four fifths, once; at the whole it rests until the month is over by its owner’s clock', async () => {
  // 30 November, 21:30 in Berlin.
  const { env, meter, limit, said } = world(Date.UTC(2026, 10, 30, 20, 30))
  meter.count(7.9e9)
  expect([limit.wish(cap), said.length]).toEqual([null, 0])
  meter.count(0.2e9)
  for (let look = 0; look < 5; look++) expect(limit.wish(cap)).toBeNull()
  expect(said).toEqual([expect.stringContaining('most of this month’s data is used')])
  meter.count(2e9)
  expect(limit.wish(cap)).toEqual({
    who: 'data',
    why: 'the 10 GB of this month are used up; it works again on Tue 1 Dec',
  })
  expect(limit.facts(cap)).toEqual({ ...cap, usedGigabytes: 10.1, until: '2026-11-30T23:00:00.000Z' })
  await env.advance(2.4 * HOUR_MS)
  expect(limit.wish(cap)?.who).toBe('data')
  // Midnight in Berlin; in London it is not.
  await env.advance(0.2 * HOUR_MS)
  expect([limit.wish(cap), limit.wish({ ...cap, zone: 'Europe/London' })?.who]).toEqual([null, 'data'])
  expect(meter.used(zone)).toBe(0)
  expect(limit.wish(null)).toBeNull()
})

test('several programs count together, and what a program has written is there after a kill', async () => {
  const { env, folder, meter } = world(Date.UTC(2026, 10, 10))
  const download = new DataMeter(env, folder)
  meter.count(1_000)
  download.count(500)
  await env.advance(5_000)
  meter.count(1_000)
  await env.advance(5_000)
  // Neither is closed: they were killed.
  expect(new DataMeter(env, folder).used(zone)).toBe(2_500)
  expect([meter.used(zone), download.used(zone)]).toEqual([2_500, 2_500])
  meter.count(32 * 2 ** 20)
  expect(new DataMeter(env, folder).used(zone)).toBe(2_500 + 32 * 2 ** 20)
  await env.advance(80 * 24 * HOUR_MS)
  expect(env.timers()).toBe(0)
})

test('a real kill loses a few seconds at most', async () => {
  // Of one month, however long it takes and whenever.
  const now = Date.UTC(2026, 10, 10)
  const { folder, env } = world(now)
  const script = `
    import { systemEnv } from '${join(import.meta.dirname, '../../sdk/env.ts')}'
    import { DataMeter } from '${join(import.meta.dirname, 'data.ts')}'
    const meter = new DataMeter({ ...systemEnv, now: () => ${now} }, ${JSON.stringify(folder)})
    for (let at = 0; ; at++) { meter.count(2 ** 20); if (at % 8 === 0) { console.log(at + 1); await Bun.sleep(1) } }`
  const child = Bun.spawn([process.execPath, '-e', script], { stdout: 'pipe', stderr: 'inherit' })
  let counted = 0
  for await (const bytes of child.stdout) {
    counted = Number(new TextDecoder().decode(bytes).trim().split('\n').at(-1))
    if (counted >= 200) break
  }
  child.kill('SIGKILL')
  await child.exited
  const used = new DataMeter(env, folder).used('UTC')
  expect(used).toBeGreaterThanOrEqual((counted - 16) * 2 ** 20)
  expect(used % 2 ** 20).toBe(0)
})

test('a download ends where the month’s data is used up', () => {
  const { meter, env } = world(Date.UTC(2026, 10, 10))
  const wanted: { data: typeof cap | null } = { data: cap }
  const count = countedDownload(meter, () => wanted.data, env.now)
  count(9e9)
  expect(() => count(1e9)).toThrow('The download stops here: the 10 GB of this month are used up')
  wanted.data = null
  count(1e9)
  expect(meter.used(zone)).toBe(11e9)
})

test('a file that cannot be used is said to be that, and what comes from here on counts', () => {
  const { env } = world(Date.UTC(2026, 10, 10))
  const broken = mkdtempSync(join(tmpdir(), 'data-'))
  folders.push(broken)
  writeFileSync(
    join(broken, 'data.db'),
    'this is no database, however long one reads in it, and it never was one'.repeat(50),
  )
  const meter = new DataMeter(env, broken)
  expect(meter.trouble).toContain('cannot be used')
  meter.count(1_000)
  expect(meter.used(zone)).toBe(1_000)
})
