import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { virtualEnv } from '../../sdk/testing.ts'
import { homeAt } from '../config.ts'
import { humanLine, logTo } from '../log.ts'
import { Owner } from './owner.ts'
import { noWishes, savedWishes, saveWishes } from './wishes.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function home() {
  const folder = mkdtempSync(join(tmpdir(), 'gpuhost-wishes-'))
  folders.push(folder)
  return homeAt({ GPUHOST_HOME: join(folder, 'home') })
}

const schedule = { text: 'mon-fri 19:00-08:00', zone: 'Europe/Berlin' }

test('hours and idle mode are kept apart, and what is wrong changes nothing', () => {
  const at = home()
  expect(savedWishes(at)).toEqual(noWishes)
  saveWishes(at, { schedule })
  saveWishes(at, { idle: { quietMinutes: 3 } })
  expect(() => saveWishes(at, { schedule: { ...schedule, text: 'mon 7-9' } })).toThrow('"7-9"')
  expect(savedWishes(at)).toEqual({ ...noWishes, schedule, idle: { quietMinutes: 3 } })
  saveWishes(at, { schedule: null })
  expect(savedWishes(at)).toEqual({ ...noWishes, idle: { quietMinutes: 3 } })
})

test('a file that becomes damaged is told of once; until then what it said holds', async () => {
  const at = home()
  const env = virtualEnv()
  const said: string[] = []
  const log = logTo(env, (line) => void said.push(line), humanLine)
  const owner = new Owner(
    env,
    log,
    () => savedWishes(at),
    async () => ({ by: 'blender' }),
  )
  saveWishes(at, { idle: { quietMinutes: 3 } })
  expect((await owner.wish(true))?.who).toBe('use')
  writeFileSync(join(at.path, 'owner.json'), '{"schedule":')
  for (let look = 0; look < 3; look++) expect((await owner.wish(true))?.who).toBe('use')
  expect(said.length).toBe(1)
  expect(said[0]).toContain('is damaged')
})
