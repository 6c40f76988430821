import { afterEach, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { virtualEnv } from '../sdk/testing.ts'
import { homeAt, machineId, makeHome } from './config.ts'

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function fresh() {
  const folder = mkdtempSync(join(tmpdir(), 'home-'))
  folders.push(folder)
  return homeAt({ GPUHOST_HOME: join(folder, 'gpuhost') })
}

test('a home is where GPUHOST_HOME says, else in the user’s own folder', () => {
  expect(homeAt({ GPUHOST_HOME: '/srv/gpu' }).controlPath).toBe('/srv/gpu/control.sock')
  expect(homeAt({ HOME: '/home/ada' }).path).toBe('/home/ada/.gpuhost')
  expect(() => homeAt({ GPUHOST_HOME: `/${'x'.repeat(100)}` })).toThrow('Set GPUHOST_HOME to a shorter one')
})

test('a home is for its owner only, and one that cannot be made says so', () => {
  const home = fresh()
  makeHome(home)
  expect(statSync(home.path).mode & 0o777).toBe(0o700)
  expect(() => makeHome(homeAt({ GPUHOST_HOME: '/dev/null/x' }))).toThrow('Set GPUHOST_HOME to a folder you own')
})

test('a machine keeps its id; a damaged one is not replaced in silence', () => {
  const home = fresh()
  makeHome(home)
  const id = machineId(home, virtualEnv({ seed: 1 }))
  expect(machineId(home, virtualEnv({ seed: 2 }))).toBe(id)
  writeFileSync(join(home.path, 'machine'), 'half')
  expect(() => machineId(home, virtualEnv())).toThrow('is damaged')
})
