import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { closeCode } from '../../sdk/wire/frames.ts'
import { playedEngine, serving } from '../engine/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { Offer } from '../offer.ts'
import { Hubs } from './hubs.ts'
import { identity, MemoryHubs } from './testing.ts'

const BERLIN = 'ws://berlin/hosts/link'
const OSLO = 'ws://oslo/hosts/link'
const DOOR = 'ws://door/hosts/link'

function world(given = BERLIN) {
  const env = virtualEnv()
  const offer = new Offer(playedEngine())
  const memory = new MemoryHubs(env)
  const log: string[] = []
  const ended: string[] = []
  const links = { env, dial: memory.dial, token: 'secret-token', identity, offer, engineTrouble: () => {} }
  const write = logTo(env, (line) => void log.push(line), humanLine)
  const hubs = new Hubs(given, links, write, {
    ended: (why, code) => void ended.push(`${code}: ${why}`),
    linked() {},
    update() {},
  })
  const states = () => hubs.states().map(({ address, state }) => `${new URL(address).hostname} ${state}`)
  return { env, offer, memory, log, ended, hubs, states }
}

describe('a link to a hub', () => {
  test('begins with who this is and what it offers, and beats every 5 s with its load', async () => {
    const { env, offer, memory, states } = world()
    await env.flush()
    const { hub } = memory.last()
    expect(hub.token).toBe('secret-token')
    expect(hub.hello()).toMatchObject({ protocol: 1, machine: 'machine_1', serving: [serving], state: 'ready' })
    hub.welcome({ epoch: 7 })
    hub.beatFor(env, 20_000)
    await env.flush()
    expect(states()).toEqual(['berlin linked'])
    const done = [offer.begin(), offer.begin(), offer.begin()]
    await env.advance(5_000)
    for (const end of done) end()
    await env.advance(5_000)
    expect(hub.beats()).toEqual([
      { type: 'beat', epoch: 7, running: 2, waiting: 1 },
      { type: 'beat', epoch: 7, running: 0, waiting: 0 },
    ])
  })

  test('beats at once when the hub asks whether it lives', async () => {
    const { env, memory } = world()
    await env.flush()
    const { hub } = memory.last()
    hub.welcome({ epoch: 7 })
    hub.say({ type: 'beat', epoch: 7, answer: true })
    hub.say({ type: 'beat', epoch: 6, answer: true })
    await env.flush()
    expect(hub.beats()).toEqual([{ type: 'beat', epoch: 7, running: 0, waiting: 0 }])
  })

  test('that falls silent is given up 12 s after the last word and dialled again', async () => {
    const { env, memory, states } = world()
    await env.flush()
    const { hub, pair } = memory.last()
    hub.welcome()
    hub.beatFor(env, 20_000)
    await env.advance(21_000)
    pair.freeze()
    await env.advance(10_900)
    expect(states()).toEqual(['berlin linked'])
    await env.advance(200)
    expect(states()).toEqual(['berlin waiting'])
    await env.advance(500)
    expect(memory.links.length).toBe(2)
  })

  test('whose hub never answers the hello is given up and dialled again', async () => {
    const { env, memory } = world()
    await env.advance(13_000)
    expect(memory.links.length).toBe(2)
    expect(memory.links[0]?.hub.closedWith).toMatchObject({ code: closeCode.silent })
  })

  test('comes back within 30 s of a hub that was down, however long that took', async () => {
    const { env, memory, states } = world()
    memory.up = false
    await env.advance(3_600_000)
    const dials = memory.links.map(({ at }) => at)
    const waits = dials.slice(1).map((at, index) => at - (dials[index] ?? 0))
    expect(Math.max(...waits)).toBeLessThanOrEqual(30_000)
    expect(dials.length).toBeLessThan(500)
    memory.up = true
    const before = memory.links.length
    await env.advance(30_000)
    expect(memory.links.length).toBeGreaterThan(before)
    memory.last().hub.welcome()
    await env.flush()
    expect(states()).toEqual(['berlin linked'])
  })

  test('that held is dialled at once again; one that breaks right away waits longer each time', async () => {
    const { env, memory } = world()
    for (let round = 0; round < 12; round++) {
      await env.flush()
      const { hub, pair } = memory.last()
      hub.welcome()
      await env.advance(100)
      pair.cut()
      const links = memory.links.length
      while (memory.links.length === links) await env.advance(100)
    }
    expect(env.mono()).toBeGreaterThan(30_000)
    const { hub, pair } = memory.last()
    hub.welcome()
    hub.beatFor(env, 60_000)
    await env.advance(60_000)
    pair.cut()
    const links = memory.links.length
    await env.advance(600)
    expect(memory.links.length).toBe(links + 1)
  })

  test('refused for good ends with the hub’s words, made safe to print; refused for now is tried again', async () => {
    const { env, memory, ended } = world()
    await env.flush()
    memory.last().hub.say({ type: 'refused', code: 'busy', message: 'Later.', retry: true })
    await env.advance(1_000)
    expect([memory.links.length, ended]).toEqual([2, []])
    memory.last().hub.say({ type: 'refused', code: 'unknown_model', message: 'No \u001b[2Jsuch model.', retry: false })
    await env.advance(60_000)
    expect(memory.links.length).toBe(2)
    expect(ended).toEqual(['unknown_model: No  [2Jsuch model.'])
  })

  test.each([
    [closeCode.badToken, 'bad_token: The hub does not know this token'],
    [closeCode.superseded, 'superseded: Another agent with the id of this machine'],
  ])('closed with %d ends, too, and says what to do', async (code, why) => {
    const { env, memory, ended } = world()
    await env.flush()
    memory.last().hub.socket.close(code, 'x')
    await env.advance(60_000)
    expect(ended[0]).toStartWith(why)
    expect(memory.links.length).toBe(1)
  })

  test('never shows the token in the log', async () => {
    const { env, memory, log } = world()
    await env.flush()
    memory.last().pair.cut()
    await env.advance(60_000)
    expect(log.length).toBeGreaterThan(1)
    expect(log.join('')).not.toContain('secret-token')
  })
})

describe('a hub’s wish', () => {
  test('to pause and to go on is followed, and every hub learns of it', async () => {
    const { env, offer, memory } = world()
    await env.flush()
    const { hub } = memory.last()
    hub.welcome({ epoch: 4 })
    hub.say({ type: 'wish', epoch: 4, wish: 'drain', reason: 'maintenance' })
    await env.flush()
    expect(offer.whyIdle()).toBe('the hub asked for a pause (maintenance)')
    hub.say({ type: 'wish', epoch: 4, wish: 'resume', reason: 'done' })
    await env.flush()
    expect([offer.state(), hub.statuses()]).toEqual(['ready', ['draining', 'ready']])
  })

  test('cannot take back the owner’s word', async () => {
    const { env, offer, memory } = world()
    await env.flush()
    const { hub } = memory.last()
    hub.welcome()
    await env.flush()
    offer.hold('owner', 'its owner is stopping it')
    hub.say({ type: 'wish', epoch: 1, wish: 'resume', reason: 'go on' })
    await env.flush()
    expect([offer.state(), hub.statuses()]).toEqual(['draining', ['draining']])
  })

  test('of another epoch is passed over, and an update is only noted', async () => {
    const { env, offer, memory, log } = world()
    await env.flush()
    memory.last().hub.welcome({ epoch: 4 })
    memory.last().hub.say({ type: 'wish', epoch: 3, wish: 'drain', reason: 'old' })
    memory.last().hub.say({ type: 'wish', epoch: 4, wish: 'update', reason: '0.2.0 is out' })
    await env.flush()
    expect(offer.state()).toBe('ready')
    expect(log.at(-1)).toContain('the hub wishes: update  why=0.2.0 is out')
  })
})

describe('a deployment of several hubs', () => {
  test('is linked to as a whole, and followed as hubs come and go', async () => {
    const { env, memory, states } = world()
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [BERLIN, OSLO] })
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo linked'])
    memory.last(BERLIN).pair.cut()
    await env.advance(1_000)
    memory.last(BERLIN).hub.welcome({ hubs: [BERLIN], epoch: 2 })
    await env.flush()
    memory.last(OSLO).pair.cut()
    await env.flush()
    expect(states()).toEqual(['berlin linked'])
    const links = memory.links.length
    await env.advance(10_000)
    expect(memory.links.length).toBe(links)
  })

  test('loses no link that lives to a hub that does not know of it yet', async () => {
    const { env, memory, states } = world()
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [OSLO] })
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo linked'])
  })

  test('is what any hub that is linked names: one that has just come back knows of itself alone', async () => {
    const { env, memory, states } = world()
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [BERLIN] })
    await env.flush()
    memory.last(OSLO).pair.cut()
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo waiting'])
  })

  test('is followed by beats: to a hub that has come, and away from one that is down and gone', async () => {
    const { env, memory, states } = world()
    await env.flush()
    const { hub } = memory.last(BERLIN)
    hub.welcome({ hubs: [BERLIN] })
    hub.say({ type: 'beat', epoch: 1, hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [BERLIN, OSLO] })
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo linked'])
    hub.say({ type: 'beat', epoch: 1 })
    await env.flush()
    memory.last(OSLO).pair.cut()
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo waiting'])
    hub.say({ type: 'beat', epoch: 9, hubs: [BERLIN] })
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo waiting'])
    hub.say({ type: 'beat', epoch: 1, hubs: [BERLIN] })
    await env.flush()
    expect(states()).toEqual(['berlin linked'])
  })

  test('has one load: every hub hears of all requests', async () => {
    const { env, memory } = world()
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_2' })
    memory.last(OSLO).hub.ask(1, {})
    await env.advance(5_000)
    expect(memory.last(BERLIN).hub.beats()).toMatchObject([{ running: 1 }])
    expect(memory.last(OSLO).hub.beats()).toMatchObject([{ running: 1 }])
  })

  test('behind one door: the second way to a hub is closed by it, and stays closed', async () => {
    const { env, memory, states, ended } = world(DOOR)
    await env.flush()
    memory.last(DOOR).hub.welcome({ hub: 'hub_1', hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hub: 'hub_1', hubs: [BERLIN, OSLO], epoch: 2 })
    memory.last(DOOR).hub.socket.close(closeCode.superseded, 'a newer link')
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [BERLIN, OSLO] })
    await env.advance(1_000)
    expect(states()).toEqual(['berlin linked', 'oslo linked'])
    expect([ended, memory.links.length]).toEqual([[], 3])
  })

  test('stays so for half a minute and more', async () => {
    const { env, memory, states } = world(DOOR)
    await env.flush()
    memory.last(DOOR).hub.welcome({ hub: 'hub_1', hubs: [BERLIN] })
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hub: 'hub_1', hubs: [BERLIN], epoch: 2 })
    memory.last(DOOR).hub.socket.close(closeCode.superseded, 'a newer link')
    await env.flush()
    for (let beats = 0; beats < 8; beats++) {
      memory.last(BERLIN).hub.say({ type: 'beat', epoch: 2 })
      await env.advance(5_000)
    }
    expect([states(), memory.links.length]).toEqual([['berlin linked'], 2])
  })

  test('of which another program took one hub over is linked to as a whole again, should that program not stay', async () => {
    const { env, memory, states } = world()
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [BERLIN, OSLO] })
    await env.flush()
    memory.last(OSLO).hub.socket.close(closeCode.superseded, 'a newer link')
    await env.flush()
    expect(states()).toEqual(['berlin linked'])
    for (let beats = 0; beats < 7; beats++) {
      memory.last(BERLIN).hub.say({ type: 'beat', epoch: 1 })
      await env.advance(5_000)
    }
    memory.last(OSLO).hub.welcome({ hub: 'hub_2', hubs: [BERLIN, OSLO], epoch: 2 })
    await env.flush()
    expect(states()).toEqual(['berlin linked', 'oslo linked'])
  })

  test('that has moved altogether is found again through the address the owner gave', async () => {
    const { env, memory, states } = world(DOOR)
    await env.flush()
    memory.last(DOOR).hub.welcome({ hub: 'hub_1', hubs: [BERLIN] })
    await env.flush()
    memory.last(BERLIN).hub.welcome({ hub: 'hub_1', hubs: [BERLIN], epoch: 2 })
    memory.last(DOOR).hub.socket.close(closeCode.superseded, 'a newer link')
    await env.flush()
    memory.last(BERLIN).pair.cut()
    await env.flush()
    memory.last(DOOR).hub.welcome({ hub: 'hub_9', hubs: [OSLO] })
    await env.flush()
    memory.last(OSLO).hub.welcome({ hub: 'hub_9', hubs: [OSLO], epoch: 2 })
    memory.last(DOOR).hub.socket.close(closeCode.superseded, 'a newer link')
    await env.flush()
    expect(states()).toEqual(['oslo linked'])
  })
})

test('a host that goes says so on every link, hands everything back and closes', async () => {
  const { env, offer, memory, hubs } = world()
  await env.flush()
  const { hub } = memory.last()
  hub.welcome()
  hub.ask(1, {})
  await env.flush()
  offer.hold('owner', 'its owner is stopping it')
  hubs.handBack()
  const closed = hubs.close('the host is stopping')
  await env.advance(1_000)
  await closed
  expect(hub.statuses()).toEqual(['draining'])
  expect(hub.on(1).fail).toMatchObject({ class: 'refused', code: 'draining' })
  expect(hub.closedWith).toEqual({ code: closeCode.stopping, reason: 'the host is stopping' })
  expect(env.timers()).toBe(0)
})
