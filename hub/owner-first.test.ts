// Owner first, told from end to end: a whole hub, and beside an ordinary host one whose agent is the real one (life.ts), with
// an owner who takes the card back under twenty answers. What is played is the card: whether somebody uses it, and an engine
// that ends only by force.
import { expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import type { LinkState } from '../db/schema/fleet.ts'
import { Life } from '../host/daemon/life.ts'
import { Stopping } from '../host/daemon/stopping.ts'
import type { Engine as HostEngine } from '../host/engine/engine.ts'
import { renewedEngine } from '../host/engine/renewed.ts'
import { humanLine, logTo } from '../host/log.ts'
import { Owner } from '../host/owner/owner.ts'
import type { Use } from '../host/owner/use.ts'
import { noWishes } from '../host/owner/wishes.ts'
import { Engine as Emulator } from '../host/testing.ts'
import { newId, systemEnv } from '../sdk/env.ts'
import { type SocketPair, until } from '../sdk/testing.ts'
import { noFailures } from './fleet/failures.ts'
import { findHost } from './fleet/list.ts'
import { addHostToken } from './fleet/token.ts'
import { expectWhole, listen, passUntil, QUESTION, stream } from './gateway/testing.ts'
import { addUser } from './identity/users.ts'
import { dialTo, emulated, HUB_URL, simulatedCard, startHub, type TestHub } from './testing.ts'

const VARIANT = 'gpuhub/emulator:emulated'
const STREAMS = 20
/** Tokens of each before its engine waits. */
const BEFORE = 20
/** Shorter than the hub waits for the next word of an answer. */
const GRACE_MS = 2_000

/** An engine that ends by force alone, as one that hangs does. */
interface Played {
  emulator: Emulator
  gone: boolean
}

async function agentOf({ env, hub, world }: TestHub, name: string) {
  const owner = await addUser(env, world.db, { email: `${name}@hosts.example.com`, roles: ['host'] })
  const { token } = await addHostToken(env, world.db, { ownerId: owner.id, name })
  const engines: Played[] = []
  const free = Promise.withResolvers<void>()
  const make = (): HostEngine => {
    const emulator = new Emulator({ hangAfterTokens: BEFORE, env: systemEnv })
    const played: Played = { emulator, gone: false }
    engines.push(played)
    const forced = (force: AbortSignal) =>
      new Promise<void>((resolve) => {
        const end = () => {
          emulator.kill()
          played.gone = true
          free.resolve()
          resolve()
        }
        if (force.aborted) end()
        else force.addEventListener('abort', end, { once: true })
      })
    return { ...emulated(emulator), stop: forced }
  }
  const stopping = new Stopping(env)
  const sees: { use: Use } = { use: null }
  const log = logTo(env, () => {}, humanLine)
  const idle = { ...noWishes, idle: { quietMinutes: 1 } }
  const pairs: SocketPair[] = []
  let reachable = true
  const life = new Life({
    ...{ env, log, stopping, hub: `${HUB_URL}/hosts/link`, token, graceMs: GRACE_MS, outdated: () => false },
    identity: { agent: 'test', machine: newId(env, 'machine'), name, run: newId(env, 'run'), hardware: simulatedCard },
    owner: new Owner(
      env,
      log,
      () => idle,
      async () => sees.use,
    ),
    engine: renewedEngine(make(), async () => make()),
    dial: dialTo(env, hub, (pair) => {
      pairs.push(pair)
      return reachable
    }),
  })
  const living = life.live()
  const host = await until(`${name} serves`, async () => {
    await env.advance(10)
    const { hosts } = world.db.tables
    const [row] = await world.db.query.select().from(hosts).where(eq(hosts.name, name))
    return life.status().state === 'serving' ? row : undefined
  })
  return {
    ...{ id: host.id, engines, sees, life, stopping, living },
    /** When the first of its engines is gone. */
    gone: () => free.promise,
    /** The hub is gone, as far as this machine can tell. */
    cutOff() {
      reachable = false
      pairs.at(-1)?.cut()
    },
  }
}

/** Twenty answers half-way, all on that agent's engine; then another host comes. */
async function twentyAnswers(hub: TestHub, { engines }: Awaited<ReturnType<typeof agentOf>>) {
  const ada = hub.as('ada')
  const reading = Array.from({ length: STREAMS }, () => ada.chat(QUESTION, stream()).then(listen))
  await engines[0]!.emulator.tally.until(({ tokens }) => tokens === STREAMS * BEFORE)
  await hub.addHost('other')
  return { ada, reading }
}

/** Nobody blames it, by what is written once it is written that it is `state`. */
async function expectBlameless(hub: TestHub, id: string, state: LinkState): Promise<void> {
  // A real failure elsewhere comes after it: once that is written, so is all before it.
  const { id: elsewhere, engine } = hub.host('other')
  engine.next({ refuseStatus: 500 })
  await hub.as('ada').chat('go on')
  await until('the failure is written down', async () => {
    await hub.env.advance(500)
    return (await findHost(hub.env, hub.world.db, elsewhere))?.failures.engine
  })
  const host = await until(`it is ${state}`, async () => {
    const found = await findHost(hub.env, hub.world.db, id)
    return found?.state === state && found
  })
  expect(host).toMatchObject({ tripped: [], failures: noFailures() })
}

test('a game begins under twenty answers: the card is free within ten seconds, every answer is whole, nobody is blamed, and it comes back by itself', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const attic = await agentOf(hub, 'attic')
  const { ada, reading } = await twentyAnswers(hub, attic)

  attic.sees.use = { by: 'witcher3' }
  const from = hub.env.mono()
  await passUntil(hub, attic.gone(), 10_000)
  expect(hub.env.mono() - from).toBeLessThanOrEqual(10_000)
  for (const heard of await Promise.all(reading)) {
    expectWhole(heard, ada.truth(QUESTION))
    expect(heard.facts).toMatchObject({ attempts: 2, resumed: 1 })
  }
  expect(attic.engines.map(({ emulator }) => emulator.tally.running)).toEqual([0])
  expect(attic.life.status()).toMatchObject({ state: 'paused', why: expect.stringContaining('witcher3') })
  await expectBlameless(hub, attic.id, 'draining')

  attic.sees.use = null
  await hub.env.advance(90_000)
  expect(attic.life.status()).toMatchObject({ state: 'serving', why: null })
  await until('the hub knows', () => hub.hub.platform.turns.count(VARIANT) === 2)
  const second = attic.engines[1]!.emulator
  second.set({ hangAfterTokens: null })
  for (let turn = 0; turn < 2; turn++)
    expectWhole(await listen(await ada.chat(QUESTION, stream())), ada.truth(QUESTION))
  expect(second.tally.requests).toBe(1)
  await expectBlameless(hub, attic.id, 'ready')
  attic.stopping.ask({ graceMs: 0 })
  await passUntil(hub, attic.living)
})

test.each([
  ['those that end within the grace end there', { finish: true, attempts: 1 }],
  ['those that do not, end elsewhere', { finish: false, attempts: 2 }],
])('a stop under twenty answers: %s, and none fails', async (_, { finish, attempts }) => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const attic = await agentOf(hub, 'attic')
  const { ada, reading } = await twentyAnswers(hub, attic)

  attic.stopping.ask({ graceMs: GRACE_MS })
  await hub.env.advance(GRACE_MS / 2)
  const [{ emulator, gone }] = attic.engines as [Played]
  expect([emulator.hanging.length, gone]).toEqual([STREAMS, false])
  if (finish) emulator.set({ hangAfterTokens: null })
  else await passUntil(hub, attic.gone())
  for (const heard of await Promise.all(reading)) {
    expectWhole(heard, ada.truth(QUESTION))
    expect(heard.facts).toMatchObject({ attempts })
  }
  await passUntil(hub, attic.living)
  expect(attic.engines).toMatchObject([{ gone: true }])
  await expectBlameless(hub, attic.id, 'gone')
})

test('a stop ends although the engine hangs and the hub cannot be reached; the answers go on elsewhere', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const attic = await agentOf(hub, 'attic')
  const { ada, reading } = await twentyAnswers(hub, attic)
  attic.cutOff()
  attic.stopping.ask({ graceMs: GRACE_MS })
  for (const heard of await Promise.all(reading)) expectWhole(heard, ada.truth(QUESTION))
  await passUntil(hub, attic.living, GRACE_MS + 10_000)
  expect(attic.engines).toMatchObject([{ gone: true }])
})
