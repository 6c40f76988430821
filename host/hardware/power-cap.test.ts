import { afterAll, afterEach, expect, setDefaultTimeout, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { homeAt } from '../config.ts'
import { humanLine, logTo } from '../log.ts'
import { askDriver } from './driver.ts'
import { PowerCap, restorePower } from './power-cap.ts'
import { type FakeMachine, fakeMachine, machines, removeMachines, uuidOf } from './testing/machines.ts'

setDefaultTimeout(60_000)
afterAll(removeMachines)

const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

function world(machine: FakeMachine) {
  const folder = mkdtempSync(join(tmpdir(), 'power-cap-'))
  folders.push(folder)
  const home = homeAt({ GPUHOST_HOME: folder })
  const { nvidiaSmi } = fakeMachine(machine, { library: false })
  const said: string[] = []
  const log = logTo(systemEnv, (line) => void said.push(line), humanLine)
  const cards = async () =>
    (await askDriver(systemEnv, { reader: ['false'], library: '/nowhere/libnvidia-ml.so.1', nvidiaSmi })).cards
  const facts = { env: systemEnv, log, home, nvidiaSmi }
  const limits = async () => (await cards()).map(({ powerWatts }) => powerWatts.limit)
  /** One agent's life with these cards. */
  const agent = () => new PowerCap({ ...facts, cards })
  const permit = (allowed: boolean) => {
    const path = join(dirname(nvidiaSmi), 'machine.json')
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), unprivileged: !allowed }))
  }
  return { home, said, facts, limits, agent, permit, note: join(folder, 'power.json') }
}

test('the cards take less while they work, and what they took before afterwards', async () => {
  const { limits, agent, note } = world(machines['two 3090'])
  const cap = agent()
  await cap.heed(250)
  expect(await limits()).toEqual([250, 250])
  // What its owner says anew.
  await cap.heed(280)
  expect(await limits()).toEqual([280, 280])
  await cap.heed(null)
  expect([await limits(), existsSync(note)]).toEqual([[350, 350], false])
  await cap.heed(280)
  await cap.restore()
  expect([await limits(), existsSync(note)]).toEqual([[350, 350], false])
})

test('what a killed agent has left is set back: by the next one, or by whoever stops', async () => {
  const { facts, limits, agent, note } = world(machines['one 4090'])
  await agent().heed(300)
  expect(await limits()).toEqual([300])
  const next = agent()
  await next.heed(320)
  expect(await limits()).toEqual([320])
  // Killed again.
  await restorePower(facts)
  expect([await limits(), existsSync(note)]).toEqual([[450], false])
  await agent().heed(300)
  await agent().heed(null)
  expect(await limits()).toEqual([450])
})

test('who may not set it is told what to do, once for each wish', async () => {
  const { said, limits, agent } = world({ ...machines['one 4090'], unprivileged: true })
  const cap = agent()
  for (let look = 0; look < 3; look++) await cap.heed(300)
  const words = `only root may set it; once after each boot: sudo nvidia-smi -i ${uuidOf(0)} -pl 300`
  expect(cap.facts(300)).toEqual({ watts: 300, trouble: words })
  expect([await limits(), said.length]).toEqual([[450], 1])
})

test('what it was before us stays noted while it cannot be set back', async () => {
  const { facts, limits, agent, permit } = world(machines['one 4090'])
  await agent().heed(300)
  permit(false)
  await agent().heed(280)
  permit(true)
  await agent().heed(260)
  permit(false)
  const last = agent()
  await last.heed(null)
  permit(true)
  await restorePower(facts)
  expect(await limits()).toEqual([450])
})

test('less than a card can do with is the least it can, and a lower limit of its owner’s stays', async () => {
  const { limits, agent } = world(machines['one 4090'])
  const cap = agent()
  await cap.heed(50)
  expect(await limits()).toEqual([100])
  expect(cap.facts(50)?.trouble).toContain('takes no less than 100 W')
  await cap.heed(600)
  expect([await limits(), cap.facts(600)?.trouble]).toEqual([[450], null])
})

test('a note that is damaged changes nothing', async () => {
  const { facts, limits, note } = world(machines['one 4090'])
  writeFileSync(note, '{"GPU-1":')
  await restorePower(facts)
  expect(await limits()).toEqual([450])
})
