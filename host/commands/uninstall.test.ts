import { afterEach, expect, test } from 'bun:test'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { testDialects } from '../../db/testing.ts'
import { transaction } from '../../db/transaction.ts'
import { whyIdle } from '../../hub/fleet/idle.ts'
import { findHost } from '../../hub/fleet/list.ts'
import { addHostToken, insertHostToken } from '../../hub/fleet/token.ts'
import { systemEnv } from '../../sdk/env.ts'
import { linkProof, machineKey, publicKeyOf } from '../../sdk/wire/machine-key.ts'
import { homeAt } from '../config.ts'
import { depart } from '../hub/member.ts'
import { serveHub } from '../hub/testing.ts'
import { installedAt } from '../update/testing/releases.ts'
import { type Farewell, uninstall } from './uninstall.ts'

const seed = Buffer.alloc(32, 7)
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
  return { userFolder, home, link, world: { ...world, engine: join(home.path, 'engine'), farewell: null as Farewell } }
}

test('nothing is left of it, and its words say what went', async () => {
  const { userFolder, home, link, world } = installed()
  const engine = join(userFolder, 'engine-room')
  mkdirSync(join(engine, 'venv'), { recursive: true })
  expect(await uninstall({ ...world, engine })).toEqual({ removed: [link, engine, home.path], hub: null })
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

test('the hub is told, and a hub that is gone, hangs or refuses keeps nothing from going', async () => {
  const address = 'https://hub.example'
  const run = async (depart: () => Promise<unknown>) => {
    const { world, userFolder } = installed()
    const { hub } = await uninstall({ ...world, farewell: { address, depart }, env: hasty })
    return { hub, left: readdirSync(userFolder) }
  }
  // Nobody waits five seconds for a hub that never answers.
  const hasty = { ...systemEnv, timer: (_: number, work: () => void) => systemEnv.timer(50, work) }
  expect(await run(async () => ({ left: true }))).toEqual({ hub: { address, told: true, why: null }, left: [] })
  const refuses = () => Promise.reject(new Error('The host token is not valid.'))
  expect((await run(refuses)).hub).toEqual({ address, told: false, why: 'The host token is not valid.' })
  const hangs = await run(() => new Promise(() => {}))
  expect(hangs).toEqual({ hub: { address, told: false, why: 'it does not answer' }, left: [] })
})

test.each(testDialects)(
  'a machine that leaves is not waited for, and its own token opens nothing, on %s',
  async (database) => {
    await using hub = await serveHub({ database, hosts: { berlin: {} } })
    const { world } = hub
    const { db } = world.world
    const [row] = await db.query.select().from(db.tables.hosts)
    if (!row) throw new Error('no host')
    const { ownerId, machine } = row
    const own = await transaction(db, (tx) =>
      insertHostToken(world.env, db, tx, { ownerId, name: 'own', machineKey: publicKeyOf(machineKey(seed)) }),
    )
    const shared = await addHostToken(world.env, db, { ownerId, name: 'shared' })
    const env = { ...systemEnv, now: () => world.env.now() }
    const prove = (token: string) => linkProof(machineKey(seed), env.now(), token)
    const leaving = (token: string, name = machine) => depart({ env, hub: hub.url, token, prove }, name)
    expect(await leaving(shared.token, 'machine_of_somebody')).toEqual({ left: false, tokenRevoked: false })
    expect(await leaving(shared.token)).toEqual({ left: true, tokenRevoked: false })
    expect(await leaving(own.token)).toEqual({ left: true, tokenRevoked: true })
    expect(await leaving(own.token).then(() => '', String)).toContain('host token is not valid')
    world.host('berlin').kill()
    await world.env.advance(20_000)
    const found = await findHost(world.env, db, row.id)
    expect(found && whyIdle(found, [], () => 0)).toContain('gpuhost was removed from it')
  },
)
