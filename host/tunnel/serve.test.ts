import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { closeCode, kind } from '../../sdk/wire/frames.ts'
import { EngineRefusal } from '../engine/engine.ts'
import { playedEngine } from '../engine/testing.ts'
import { Offer } from '../offer.ts'
import { Session } from './session.ts'
import { identity, MemoryHubs } from './testing.ts'

/** One link to one hub, welcomed, over a played engine. */
async function linked() {
  const env = virtualEnv()
  const engine = playedEngine()
  const offer = new Offer(engine)
  const hubs = new MemoryHubs(env)
  const endings: string[] = []
  let doubts = 0
  const world = { env, dial: hubs.dial, token: 't', identity, offer, engineTrouble: () => void doubts++ }
  const session = new Session(world, 'ws://hub/hosts/link', {
    welcomed: () => {},
    wish: () => {},
    hubs: () => {},
    unregistered: () => {},
    ended: (ending) => void endings.push(ending.kind === 'lost' ? ending.why : ending.refused.message),
  })
  await env.flush()
  const { hub, pair } = hubs.last()
  hub.welcome()
  await env.flush()
  return { env, engine, offer, session, hub, pair, endings, doubts: () => doubts }
}

const chat = { model: 'Qwen/Qwen3-8B', messages: [], stream: true }

describe('an answer', () => {
  test('goes from the engine to the hub: status, numbered bytes, end', async () => {
    const { env, engine, hub, offer } = await linked()
    hub.ask(1, chat, { attempt: 3 })
    await env.flush()
    const [played] = engine.asks
    expect(played?.request).toEqual(chat)
    expect(offer.load()).toEqual({ running: 1, waiting: 0 })
    played?.answer()
    played?.push('one ')
    await env.flush()
    expect(hub.on(1)).toMatchObject({ answer: { attempt: 3, status: 200 }, text: 'one ', sequence: [0] })
    played?.push('two')
    played?.end()
    await env.flush()
    expect(hub.on(1)).toMatchObject({ text: 'one two', sequence: [0, 1], end: { attempt: 3, frames: 2 } })
    expect(offer.load()).toEqual({ running: 0, waiting: 0 })
  })

  test('waits for its turn while fewer at a time are allowed, and hubs know how many', async () => {
    const { env, engine, hub, offer, session } = await linked()
    offer.onChange(() => session.announce())
    offer.limit(0.5)
    await env.flush()
    expect(hub.said.findLast((said) => said.type === 'status')).toMatchObject({ serving: [{ slots: 1 }] })
    for (const id of [1, 2, 3, 4]) hub.ask(id, chat)
    await env.flush()
    expect([engine.asks.length, offer.load()]).toEqual([1, { running: 1, waiting: 3 }])
    // One that nobody waits for any more gives its place away.
    hub.send(2, kind.cancel)
    engine.asks[0]?.answer()
    engine.asks[0]?.end()
    await env.flush()
    expect(engine.asks.length).toBe(2)
    engine.asks[1]?.refuse(new Error('cut'))
    await env.flush()
    expect([engine.asks.length, hub.on(2).end, hub.on(3).fail?.class]).toEqual([3, undefined, 'engine'])
    hub.ask(5, chat)
    offer.limit(1)
    await env.flush()
    expect(engine.asks.length).toBe(4)
    expect(hub.said.findLast((said) => said.type === 'status')).toMatchObject({ serving: [{ slots: 2 }] })
  })

  test('of an engine that says no is passed on as it is, for the hub to judge', async () => {
    const { env, engine, hub } = await linked()
    hub.ask(1, chat)
    await env.flush()
    engine.asks[0]?.answer(400)
    engine.asks[0]?.push('{"error":{}}')
    engine.asks[0]?.end()
    await env.flush()
    expect(hub.on(1)).toMatchObject({ answer: { status: 400 }, text: '{"error":{}}', end: { frames: 1 } })
  })

  test('larger than a frame is split, and nothing is lost', async () => {
    const { env, engine, hub } = await linked()
    hub.ask(1, chat, { windowBytes: 2_000_000 })
    await env.flush()
    engine.asks[0]?.answer()
    engine.asks[0]?.push('x'.repeat(700_000))
    engine.asks[0]?.end()
    await env.advance(100)
    expect(hub.on(1).bytes).toBe(700_000)
    expect(hub.on(1).end).toEqual({ attempt: 1, frames: hub.on(1).sequence.length })
  })

  test('stops at the window: not a byte more is sent, nor read from the engine', async () => {
    const { env, engine, hub } = await linked()
    hub.ask(1, chat, { windowBytes: 10 })
    await env.flush()
    const played = engine.asks[0]
    played?.answer()
    for (let at = 0; at < 50; at++) played?.push('12345678')
    await env.advance(1_000)
    expect(hub.on(1).bytes).toBe(10)
    expect(played?.unread()).toBe(400 - 16)
    hub.credit(1, 20)
    await env.advance(1_000)
    expect(hub.on(1).bytes).toBe(30)
    expect(played?.unread()).toBe(400 - 32)
    hub.credit(1, 1_000)
    played?.end()
    await env.advance(1_000)
    expect(hub.on(1)).toMatchObject({ bytes: 400, text: '12345678'.repeat(50) })
    expect(hub.on(1).end).toBeDefined()
  })

  test('that waits for credit holds up no other', async () => {
    const { env, engine, hub } = await linked()
    hub.ask(1, chat, { windowBytes: 0 })
    hub.ask(2, chat)
    await env.flush()
    for (const played of engine.asks) {
      played.answer()
      played.push('hi')
      played.end()
    }
    await env.flush()
    expect(hub.on(1).bytes).toBe(0)
    expect(hub.on(2)).toMatchObject({ text: 'hi', end: { frames: 1 } })
  })
})

describe('a cancel', () => {
  test('aborts the engine’s work at once, and nothing more is said', async () => {
    const { env, engine, hub, offer } = await linked()
    hub.ask(1, chat)
    await env.flush()
    engine.asks[0]?.answer()
    engine.asks[0]?.push('one')
    await env.flush()
    hub.send(1, kind.cancel)
    await env.flush()
    expect(engine.asks[0]?.signal.aborted).toBe(true)
    engine.asks[0]?.push('two')
    engine.asks[0]?.end()
    await env.advance(1_000)
    expect(hub.on(1)).toEqual({ answer: { attempt: 1, status: 200 }, text: 'one', bytes: 3, sequence: [0] })
    expect(offer.requests()).toBe(0)
  })

  test('before the engine has answered, or of a stream nobody knows, is as good', async () => {
    const { env, engine, hub, endings } = await linked()
    hub.ask(1, chat)
    await env.flush()
    hub.send(1, kind.cancel)
    hub.send(1, kind.cancel)
    hub.send(77, kind.cancel)
    hub.credit(77, 5)
    await env.flush()
    expect(engine.asks[0]?.signal.aborted).toBe(true)
    expect([hub.on(1).fail, endings]).toEqual([undefined, []])
  })
})

describe('a request that cannot be served', () => {
  test.each([
    ['of a model that is not offered', { model: 'other/model' }, 'unknown_model'],
    ['with a body beyond all measure', { bodyBytes: 17 * 1024 * 1024 }, 'body_too_large'],
  ])('%s is refused', async (_, changes, code) => {
    const { env, engine, hub } = await linked()
    hub.open(1, changes)
    await env.flush()
    expect(hub.on(1).fail).toMatchObject({ class: 'refused', code })
    expect(engine.asks).toEqual([])
  })

  test('and was on its way when the host began to drain is served all the same (F-drain)', async () => {
    const { env, engine, hub, offer, session } = await linked()
    hub.notes = false
    offer.hold('owner', 'its owner is stopping it')
    session.announce()
    hub.ask(1, chat)
    await env.flush()
    expect(engine.asks).toHaveLength(1)
    // A hub that never says that it knows has had its time.
    await env.advance(2_000)
    hub.ask(2, chat)
    await env.flush()
    expect(hub.on(2).fail).toMatchObject({ class: 'refused', code: 'draining' })
  })

  test('and was on its way when the engine died is not: there is nobody to serve it', async () => {
    const { env, hub, offer, session } = await linked()
    hub.notes = false
    offer.hold('engine', 'the engine does not answer')
    session.announce()
    hub.ask(1, chat)
    await env.flush()
    expect(hub.on(1).fail).toMatchObject({ class: 'refused', code: 'draining' })
  })

  test('while draining is refused with that code, before its body has come', async () => {
    const { env, hub, offer, session } = await linked()
    offer.hold('owner', 'its owner is stopping it')
    session.announce()
    await env.flush()
    hub.ask(1, chat)
    await env.flush()
    expect(hub.on(1).fail).toMatchObject({ attempt: 1, class: 'refused', code: 'draining' })
  })

  test('because its body never comes is given up', async () => {
    const { env, hub, offer } = await linked()
    hub.open(1, { bodyBytes: 10 })
    hub.send(1, kind.body, new Uint8Array(9))
    hub.beatFor(env, 30_000)
    await env.advance(30_000)
    expect(hub.on(1).fail).toMatchObject({ class: 'refused', code: 'body_timeout' })
    expect(offer.requests()).toBe(0)
  })

  test('beyond the memory kept for bodies is refused, and served once there is room', async () => {
    const { env, engine, hub } = await linked()
    const bodyBytes = 16 * 1024 * 1024
    for (let stream = 1; stream <= 5; stream++) hub.open(stream, { bodyBytes })
    await env.flush()
    expect([1, 2, 3, 4].map((stream) => hub.on(stream).fail)).toEqual(Array(4).fill(undefined))
    expect(hub.on(5).fail).toMatchObject({ class: 'refused', code: 'full' })
    hub.send(1, kind.cancel)
    hub.ask(6, chat)
    await env.flush()
    expect(engine.asks.length).toBe(1)
  })

  test('because the engine fails is handed back, and the engine is looked at', async () => {
    const { env, engine, hub, doubts } = await linked()
    hub.ask(1, chat)
    hub.ask(2, chat)
    hub.ask(3, chat)
    await env.flush()
    engine.asks[0]?.refuse(new Error('connection refused'))
    engine.asks[1]?.answer()
    engine.asks[1]?.push('half')
    engine.asks[1]?.breakOff()
    engine.asks[2]?.refuse(new EngineRefusal('bad_body', 'The body is not a JSON object.'))
    await env.flush()
    expect(hub.on(1).fail).toMatchObject({ class: 'engine', code: 'unreachable' })
    expect(hub.on(2)).toMatchObject({ text: 'half', fail: { class: 'engine', code: 'cut' } })
    expect(hub.on(2).end).toBeUndefined()
    expect(hub.on(3).fail).toMatchObject({ class: 'refused', code: 'bad_body' })
    expect(doubts()).toBe(2)
  })
})

describe('a hub that breaks the protocol', () => {
  test.each<[string, (hub: Awaited<ReturnType<typeof linked>>['hub']) => void]>([
    ['sends bytes that are no frames', (hub) => hub.socket.send(new Uint8Array([1, 2, 3]))],
    ['sends an ask that is no ask', (hub) => hub.send(1, kind.ask, new Uint8Array([123]))],
    ['uses a stream twice', (hub) => (hub.ask(2, chat), hub.ask(2, chat))],
    ['goes back to an older stream', (hub) => (hub.ask(2, chat), hub.ask(1, chat))],
    [
      'sends more body than it announced',
      (hub) => (hub.open(1, { bodyBytes: 2 }), hub.send(1, kind.body, new Uint8Array(3))),
    ],
    ['sends body after the body', (hub) => (hub.ask(1, chat), hub.send(1, kind.body, new Uint8Array(1)))],
    ['sends credit without a number', (hub) => (hub.ask(1, chat), hub.send(1, kind.credit, new Uint8Array(2)))],
    ['sends a frame only hosts send', (hub) => hub.send(1, kind.data, new Uint8Array(8))],
    ['welcomes twice', (hub) => hub.welcome()],
    ['sends a message beyond all measure', (hub) => hub.socket.send(new Uint8Array(2_000_000))],
  ])('and %s loses the link, and its work is stopped', async (_, breakIt) => {
    const { env, engine, hub, endings, offer } = await linked()
    breakIt(hub)
    await env.flush()
    expect(hub.closedWith?.code).toBe(closeCode.malformed)
    expect(endings.length).toBe(1)
    expect(engine.asks.every(({ signal }) => signal.aborted)).toBe(true)
    expect(offer.requests()).toBe(0)
  })
})

describe('a link that is lost', () => {
  test('takes the work of all its streams with it', async () => {
    const { env, engine, hub, pair, offer, endings } = await linked()
    for (const stream of [1, 2, 3]) hub.ask(stream, chat)
    await env.flush()
    engine.asks[0]?.answer()
    expect(offer.load()).toEqual({ running: 2, waiting: 1 })
    pair.cut()
    await env.flush()
    expect(engine.asks.map(({ signal }) => signal.aborted)).toEqual([true, true, true])
    expect([offer.requests(), endings]).toEqual([0, ['the link broke']])
  })
})
