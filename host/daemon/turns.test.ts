// An agent whose owner wants the card back, in the middle of its work: a hub in memory, a clock moved by hand.
import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { renewedEngine } from '../engine/renewed.ts'
import { type PlayedEngine, playedEngine } from '../engine/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { gauges } from '../hardware/gauges.ts'
import { Owner } from '../owner/owner.ts'
import { Profit, type ProfitWorld, type Work } from '../owner/profit.ts'
import type { Use } from '../owner/use.ts'
import { noWishes, type Wishes } from '../owner/wishes.ts'
import { identity, MemoryHubs } from '../tunnel/testing.ts'
import { Life } from './life.ts'
import { Stopping } from './stopping.ts'

const chat = { model: 'Qwen/Qwen3-8B', messages: [], stream: true }
const MINUTE_MS = 60_000

async function world(wishes: Wishes, begin: { use?: Use; profit?: ProfitWorld['work'] } = {}) {
  const env = virtualEnv()
  const memory = new MemoryHubs(env)
  const engines: PlayedEngine[] = []
  const make = () => {
    const engine = playedEngine()
    engines.push(engine)
    return engine
  }
  const stopping = new Stopping(env)
  const said: string[] = []
  const log = logTo(env, (line) => void said.push(line), humanLine)
  const sees: { use: Use } = { use: begin.use ?? null }
  const owner = new Owner(
    env,
    log,
    () => wishes,
    async () => sees.use,
    begin.profit
      ? { profit: new Profit({ env, log, gauges: async () => gauges({ cards: [] }, null), work: begin.profit }) }
      : {},
  )
  const life = new Life({
    ...{ env, log, owner, stopping, identity, hub: 'ws://hub/hosts/link', token: 't', dial: memory.dial },
    engine: renewedEngine(make(), async () => make()),
    graceMs: 30_000,
    outdated: () => false,
  })
  const living = life.live()
  await env.advance(0)
  const { hub } = memory.last()
  hub.welcome()
  hub.beatFor(env, 120 * MINUTE_MS)
  await env.flush()
  const end = async () => {
    stopping.ask({ graceMs: 0 })
    await env.advance(5_000)
    await living
  }
  return { env, hub, engines, wishes, sees, life, said, end }
}

const idle = { ...noWishes, idle: { quietMinutes: 5 } }

test('a game begins under 20 answers: all go back to the hub, the engine is gone within ten seconds, and it comes back once', async () => {
  const { env, hub, engines, sees, life, said, end } = await world(idle)
  const streams = Array.from({ length: 20 }, (_, at) => at + 1)
  for (const id of streams) hub.ask(id, chat)
  await env.flush()
  for (const played of engines[0]!.asks) {
    played.answer()
    played.push('half')
  }
  await env.advance(1)
  engines[0]!.stops = 'hangs'
  sees.use = { by: 'witcher3' }
  await env.advance(9_999)
  expect(engines[0]!.stopped).toBe(true)
  // Draining is said before anything is given back: that is why none of it counts against this host.
  expect(hub.statuses()[0]).toBe('draining')
  expect(streams.map((id) => hub.on(id).fail?.code)).toEqual(streams.map(() => 'stopping'))
  expect(streams.map((id) => hub.on(id).text)).toEqual(streams.map(() => 'half'))
  expect(life.status().state).toBe('paused')
  expect(life.status().why).toContain('witcher3')
  hub.ask(21, chat)
  await env.flush()
  expect(hub.on(21).fail).toMatchObject({ class: 'refused', code: 'draining' })

  // It plays for an hour, with a break that is too short to count.
  await env.advance(60 * MINUTE_MS)
  sees.use = null
  await env.advance(4 * MINUTE_MS)
  sees.use = { by: 'witcher3' }
  await env.advance(12_000)
  sees.use = null
  await env.advance(4 * MINUTE_MS)
  expect([engines.length, hub.statuses().includes('ready')]).toEqual([1, false])
  await env.advance(2 * MINUTE_MS)
  expect([engines.length, hub.statuses().filter((state) => state === 'ready')]).toEqual([2, ['ready']])
  expect([life.status().state, life.status().why]).toEqual(['serving', null])
  hub.ask(22, chat)
  await env.flush()
  expect(engines[1]!.asks.length).toBe(1)
  expect(said.filter((line) => line.includes('error:'))).toEqual([])
  await end()
})

test('a driver that does not say who uses the card is no reason to rest, and none to come back', async () => {
  const { env, engines, sees, life, end } = await world(idle)
  sees.use = 'unknown'
  await env.advance(10 * MINUTE_MS)
  expect(life.status().state).toBe('serving')
  sees.use = { by: 'blender' }
  await env.advance(4_000)
  sees.use = 'unknown'
  await env.advance(10 * MINUTE_MS)
  expect([life.status().state, engines.length]).toEqual(['paused', 1])
  await end()
})

test('an agent that starts while the card is used links, says so, and starts no engine until it is quiet', async () => {
  const { env, hub, sees, life, end } = await world(idle, { use: { by: 'blender' } })
  expect(hub.hello()?.state).toBe('draining')
  expect(life.status()).toMatchObject({ state: 'paused', why: expect.stringContaining('blender') })
  sees.use = null
  await env.advance(6 * MINUTE_MS)
  expect([hub.statuses().at(-1), life.status().state]).toEqual(['ready', 'serving'])
  await end()
})

/** Hours around the moment this world begins at, from `from` to `to` minutes after it. */
function hoursFrom(now: number, from: number, to: number): Wishes {
  const clock = (minutes: number) => new Date(now + minutes * MINUTE_MS).toISOString().slice(11, 16)
  return { ...noWishes, schedule: { text: `${clock(from)}-${clock(to)}`, zone: 'UTC' } }
}

test('when its hours end, what runs may finish, and the engine ends; when they begin, it starts by itself', async () => {
  const now = virtualEnv().now()
  const { env, hub, engines, wishes, life, end } = await world({ ...noWishes })
  Object.assign(wishes, hoursFrom(now, -10, 10))
  hub.ask(1, chat)
  await env.flush()
  engines[0]!.asks[0]!.answer()
  await env.advance(10 * MINUTE_MS + 2_000)
  expect([hub.statuses(), engines[0]!.stopped]).toEqual([['draining'], false])
  engines[0]!.asks[0]!.push('to the end')
  engines[0]!.asks[0]!.end()
  await env.advance(1_000)
  expect([hub.on(1).text, hub.on(1).fail, engines[0]!.stopped]).toEqual(['to the end', undefined, true])
  expect(life.status()).toMatchObject({ state: 'paused', owner: { schedule: { open: false } } })
  expect(life.status().why).toContain('outside its schedule until')
  Object.assign(wishes, hoursFrom(now, 20, 60))
  await env.advance(8 * MINUTE_MS)
  expect(engines.length).toBe(1)
  await env.advance(3 * MINUTE_MS)
  expect([engines.length, hub.statuses().at(-1), life.status().state]).toEqual([2, 'ready', 'serving'])
  await end()
})

test('what has not finished by the end of the grace goes back to the hub', async () => {
  const now = virtualEnv().now()
  const { env, hub, engines, wishes, end } = await world({ ...noWishes })
  hub.ask(1, chat)
  await env.flush()
  engines[0]!.asks[0]!.answer()
  Object.assign(wishes, hoursFrom(now, 30, 60))
  await env.advance(29_000)
  expect(hub.on(1).fail).toBeUndefined()
  await env.advance(5_000)
  expect([hub.on(1).fail?.code, engines[0]!.stopped]).toEqual(['stopping', true])
  await end()
})

test('an agent that stops while the card rests ends at once and leaves no timer', async () => {
  const { env, end } = await world(idle, { use: { by: 'blender' } })
  await end()
  await env.advance(121 * MINUTE_MS)
  expect(env.timers()).toBe(0)
})

test('an engine that does not start after a rest is tried again, and its owner reads why', async () => {
  const { env, hub, engines, sees, life, end } = await world(idle, { use: { by: 'blender' } })
  engines[0]!.well = false
  sees.use = null
  await env.advance(5 * MINUTE_MS + 15_000)
  expect(life.status()).toMatchObject({ state: 'paused', why: 'still dead' })
  engines[0]!.well = true
  await env.advance(2 * MINUTE_MS)
  expect([hub.statuses().at(-1), life.status().state]).toEqual(['ready', 'serving'])
  await end()
})

test('while the price is below the cost of power the engine rests, hubs are told why, and it comes back by itself', async () => {
  const work: Work = { tokensPerSecond: 1_800, watts: 350, measured: true, priceUsd: 0.1, feePpm: 150_000 }
  const power = { kilowattHourUsd: 0.3, machineWatts: 70 }
  const { env, hub, engines, life, end } = await world({ ...noWishes, power }, { profit: async () => ({ ...work }) })
  expect(life.status()).toMatchObject({
    state: 'serving',
    owner: { power: { full: { earns: expect.closeTo(0.5508) } } },
  })
  hub.ask(1, chat)
  await env.flush()
  engines[0]!.asks[0]!.answer()
  work.priceUsd = 0.02
  await env.advance(11 * MINUTE_MS)
  expect(hub.said.findLast((said) => said.type === 'status')).toMatchObject({ state: 'draining', rests: 'power' })
  expect(life.status().why).toContain('price below cost of power')
  // It had its grace to finish.
  expect([hub.on(1).fail?.code, engines[0]!.stopped]).toEqual(['stopping', true])
  work.priceUsd = 0.03
  await env.advance(11 * MINUTE_MS)
  expect(hub.said.findLast((said) => said.type === 'status')).toMatchObject({ state: 'ready' })
  expect([engines.length, life.status().state]).toEqual([2, 'serving'])
  await end()
})
