// A whole agent but for its process: hubs in memory, an engine played by hand, a clock moved by hand.
import { afterEach, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { virtualEnv } from '../../sdk/testing.ts'
import { closeCode } from '../../sdk/wire/frames.ts'
import { homeAt } from '../config.ts'
import { playedEngine } from '../engine/testing.ts'
import { humanLine, logTo } from '../log.ts'
import { identity, MemoryHubs } from '../tunnel/testing.ts'
import { type Host, run } from './run.ts'
import { Stopping } from './stopping.ts'

const chat = { model: 'Qwen/Qwen3-8B', messages: [], stream: true }
const folders: string[] = []
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true })
})

async function world(changes: Partial<Host> = {}) {
  const env = virtualEnv()
  const folder = mkdtempSync(join(tmpdir(), 'gpuhost-run-'))
  folders.push(folder)
  const memory = new MemoryHubs(env)
  const engine = playedEngine()
  const stopping = new Stopping(env)
  const said: string[] = []
  const host: Host = {
    ...{ env, engine, stopping, identity, hub: 'ws://hub/hosts/link', token: 't', dial: memory.dial, graceMs: 60_000 },
    home: homeAt({ GPUHOST_HOME: folder }),
    log: logTo(env, (line) => void said.push(line), humanLine),
    outdated: () => false,
    ...changes,
  }
  let ended: string | undefined
  const running = run(host).then((afterwards) => (ended = afterwards))
  await env.advance(0)
  const { hub } = memory.last()
  hub.welcome()
  hub.beatFor(env, 120_000)
  await env.flush()
  /** How long it took, by the clock of this world, until it had ended. */
  const endsWithin = async (mostMs: number) => {
    const from = env.mono()
    while (ended === undefined && env.mono() - from < mostMs) await env.advance(100)
    // The control socket is a real one, and closes when it closes.
    if (ended === undefined) await Promise.race([running, new Promise((resolve) => setTimeout(resolve, 2_000))])
    return ended === undefined ? 'never' : env.mono() - from
  }
  return { env, memory, engine, stopping, hub, said, running, endsWithin, ended: () => ended }
}

describe('a polite stop (F-drain)', () => {
  test('unregisters, lets what runs end, what was on its way too, says goodbye, then stops the engine', async () => {
    const { env, engine, stopping, hub, running } = await world()
    hub.notes = false
    hub.ask(1, chat)
    await env.flush()
    stopping.ask({ graceMs: 60_000 })
    await env.flush()
    expect(hub.statuses()).toEqual(['draining'])
    hub.ask(2, chat)
    await env.flush()
    hub.say({ type: 'beat', epoch: 1, noted: 'draining' })
    await env.flush()
    hub.ask(3, chat)
    await env.flush()
    expect(hub.on(3).fail).toMatchObject({ class: 'refused', code: 'draining' })
    for (const played of engine.asks) {
      played.answer()
      played.push('done')
      expect(engine.stopped).toBe(false)
      played.end()
      await env.advance(100)
    }
    expect(await running).toBe('end')
    expect([hub.on(1).text, hub.on(2).text, hub.on(1).fail, hub.on(2).fail]).toEqual([
      'done',
      'done',
      undefined,
      undefined,
    ])
    await env.flush()
    expect([hub.closedWith?.code, engine.stopped]).toEqual([closeCode.stopping, true])
  })

  test('waits two seconds for a hub that does not say that it knows, and no longer', async () => {
    const { stopping, hub, endsWithin } = await world()
    hub.notes = false
    stopping.ask({ graceMs: 60_000 })
    expect(await endsWithin(10_000)).toBe(2_000)
  })

  test('is over at once where nothing runs', async () => {
    const { stopping, endsWithin } = await world()
    stopping.ask({ graceMs: 60_000 })
    expect(await endsWithin(10_000)).toBeLessThanOrEqual(100)
  })

  test('ends at its grace: what still runs is handed back, as no fault of anybody’s', async () => {
    const { env, engine, stopping, hub, endsWithin } = await world()
    hub.ask(1, chat)
    await env.flush()
    engine.asks[0]!.answer()
    hub.ask(2, chat)
    await env.flush()
    stopping.ask({ graceMs: 5_000 })
    await env.advance(4_900)
    expect([hub.on(1).fail, engine.asks[0]!.signal.aborted]).toEqual([undefined, false])
    await endsWithin(10_000)
    expect(hub.on(1).fail).toMatchObject({ class: 'host', code: 'stopping' })
    expect(hub.on(2).fail).toMatchObject({ class: 'refused', code: 'draining' })
    expect(engine.asks.map(({ signal }) => signal.aborted)).toEqual([true, true])
  })

  test('can be hurried, and not be slowed down again', async () => {
    const { env, stopping, hub, endsWithin } = await world()
    hub.ask(1, chat)
    await env.flush()
    stopping.ask({ graceMs: 60_000 })
    stopping.ask({ graceMs: 5_000 })
    stopping.ask({ graceMs: 60_000 })
    expect(await endsWithin(120_000)).toBeLessThanOrEqual(5_100)
  })

  test('leaves no timer behind', async () => {
    const { env, stopping, running } = await world()
    stopping.ask({ graceMs: 60_000 })
    await env.advance(100)
    await running
    // What is left are the beats of the hub of this test.
    await env.advance(120_000)
    expect(env.timers()).toBe(0)
  })
})

describe('a stop that should be now', () => {
  test('hands everything back and stops the engine at once', async () => {
    const { env, engine, stopping, hub, endsWithin } = await world()
    hub.ask(1, chat)
    await env.flush()
    engine.asks[0]!.answer()
    await env.flush()
    stopping.ask({ graceMs: 0 })
    expect(await endsWithin(10_000)).toBeLessThanOrEqual(200)
    expect(hub.statuses()).toEqual(['draining'])
    expect(hub.on(1).fail).toMatchObject({ class: 'host', code: 'stopping' })
    expect(engine.stopped).toBe(true)
  })

  test('kills an engine that hangs, at once', async () => {
    const { env, engine, stopping, hub, endsWithin } = await world()
    engine.stops = 'hangs'
    hub.ask(1, chat)
    await env.flush()
    stopping.ask({ graceMs: 0 })
    expect(await endsWithin(10_000)).toBeLessThanOrEqual(200)
    expect(engine.stopped).toBe(true)
  })

  test('ends without an engine that cannot even be killed, within ten seconds', async () => {
    const { engine, stopping, endsWithin } = await world()
    engine.stops = 'stuck'
    stopping.ask({ graceMs: 0 })
    expect(await endsWithin(10_000)).toBeLessThan(9_000)
    expect(engine.stopped).toBe(false)
  })

  test('needs no hub: one that froze, or is gone', async () => {
    for (const away of ['frozen', 'gone'] as const) {
      const { env, memory, engine, stopping, endsWithin } = await world()
      memory.up = false
      if (away === 'frozen') memory.last().pair.freeze()
      else memory.last().pair.cut()
      await env.flush()
      stopping.ask({ graceMs: 0 })
      expect(await endsWithin(10_000)).toBeLessThan(5_000)
      expect(engine.stopped).toBe(true)
    }
  })
})

test('an engine that hangs when it is asked politely is forced after five seconds', async () => {
  const { engine, stopping, endsWithin } = await world()
  engine.stops = 'hangs'
  stopping.ask({ graceMs: 60_000 })
  expect(await endsWithin(10_000)).toBeLessThanOrEqual(5_200)
  expect(engine.stopped).toBe(true)
})

describe('a hub that wishes for an update (F-update)', () => {
  const wish = { type: 'wish', epoch: 1, wish: 'update', reason: 'test' } as const

  test('changes nothing where there is nothing newer', async () => {
    const { env, hub, said, ended } = await world()
    hub.say(wish)
    await env.advance(60_000)
    expect([ended(), hub.statuses()]).toEqual([undefined, []])
    expect(said.join()).toContain('gpuhost update')
  })

  test('gets a drain first, like any stop; then the newer program starts', async () => {
    const { env, engine, hub, running } = await world({ outdated: () => true })
    hub.ask(1, chat)
    await env.flush()
    hub.say(wish)
    await env.flush()
    expect(hub.statuses()).toEqual(['draining'])
    engine.asks[0]!.answer()
    engine.asks[0]!.push('to the end')
    engine.asks[0]!.end()
    await env.advance(100)
    expect(await running).toBe('restart')
    expect([hub.on(1).text, engine.stopped]).toEqual(['to the end', true])
  })

  test('does not turn a stop of the owner’s into a restart', async () => {
    const { env, hub, stopping, running } = await world({ outdated: () => true })
    hub.ask(1, chat)
    await env.flush()
    stopping.ask({ graceMs: 1_000 })
    await env.flush()
    hub.say(wish)
    await env.advance(2_000)
    expect(await running).toBe('end')
  })

  test('does not undo a stop of the owner’s', async () => {
    const { env, hub, stopping, running } = await world({ outdated: () => true })
    hub.ask(1, chat)
    await env.flush()
    hub.say(wish)
    await env.flush()
    stopping.ask({ graceMs: 0 })
    await env.advance(100)
    expect(await running).toBe('end')
  })
})
