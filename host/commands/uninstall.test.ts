import { afterEach, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { homeAt } from '../config.ts'
import { installedAt } from '../update/testing/releases.ts'
import { uninstall } from './uninstall.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function installed(name = '.gpuhost') {
  const userFolder = mkdtempSync(join(tmpdir(), 'gpuhost-uninstall-'))
  folders.push(userFolder)
  const home = homeAt({ GPUHOST_HOME: join(userFolder, name) })
  installedAt({ folder: join(userFolder, '.gpuhost', 'program') }, '0.2.0')
  const link = join(userFolder, '.local', 'bin', 'gpuhost')
  mkdirSync(join(link, '..'), { recursive: true })
  symlinkSync(join(userFolder, '.gpuhost', 'program', 'current', 'gpuhost'), link)
  const run = () => Promise.resolve({ code: 0, said: '' })
  const sweep = () => Promise.resolve()
  const world = { env: systemEnv, home, root: '/', userFolder, run, sweep, progress: () => {}, kill: () => {} }
  return { userFolder, home, link, world: { ...world, engine: join(home.path, 'engine') } }
}

test('nothing is left of it, and its words say what went', async () => {
  const { userFolder, home, link, world } = installed()
  const engine = join(userFolder, 'engine-room')
  mkdirSync(join(engine, 'venv'), { recursive: true })
  expect(await uninstall({ ...world, engine })).toEqual({ removed: [link, engine, home.path] })
  expect(readdirSync(userFolder)).toEqual([])
})

test('what others have put there stays', async () => {
  const { userFolder, link, world } = installed()
  writeFileSync(join(link, '..', 'other'), '')
  await uninstall(world)
  expect([readdirSync(userFolder), readdirSync(join(link, '..'))]).toEqual([['.local'], ['other']])
  const foreign = installed()
  rmSync(foreign.link)
  writeFileSync(foreign.link, 'somebody else’s gpuhost')
  await uninstall(foreign.world)
  expect(existsSync(foreign.link)).toBe(true)
})

test('a folder that holds somebody’s whole life is not removed', async () => {
  const { userFolder, world } = installed('.')
  const refusal = (asked: typeof world) => uninstall(asked).then(() => 'removed', String)
  expect(await refusal(world)).toContain('holds more than gpuhost')
  expect(await refusal({ ...installed().world, engine: '/var/lib' })).toContain('GPUHOST_ENGINE_ROOM is /var/lib')
  expect(readdirSync(userFolder)).toContain('.gpuhost')
})
