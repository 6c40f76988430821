import { describe, expect, test } from 'bun:test'
import { encode, encodeJson } from '../../sdk/wire/codec.ts'
import { closeCode, kind, PROTOCOL, SILENCE_MS } from '../../sdk/wire/frames.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { type Log, silentLog } from '../log.ts'
import { type FakeHostOptions, helloOf, says, stalls, testTunnel } from './testing.ts'
import { HELLO_WITHIN_MS } from './visit.ts'

function listening() {
  const warnings: string[] = []
  const log: Log = { ...silentLog, warn: (event) => void warnings.push(event) }
  return { log, warnings }
}

describe('a host that says hello', () => {
  test('is welcomed with its id, its epoch, this hub and all hubs, and then gets requests', async () => {
    const hubs = ['wss://one.example/hosts/link', 'wss://two.example/hosts/link']
    const { env, links, ask, turns, present, welcomed } = testTunnel({ hubs: () => hubs })
    const { host } = await welcomed('berlin', { script: says('hi') })
    expect(host.welcome).toEqual({
      type: 'welcome',
      protocol: PROTOCOL,
      host: 'host_berlin',
      epoch: expect.any(Number),
      hub: 'hub_test',
      hubs,
      beatMs: 5_000,
    })
    expect(turns.next('test/model', new Set())).toMatchObject({
      hostId: 'host_berlin',
      ownerId: 'ada',
      variant: 'test/model',
      name: 'test/model',
      weight: 4,
      contextTokens: 8_192,
      tokenIds: true,
      simulated: false,
      link: links.get('host_berlin'),
    })
    expect(present.get('host_berlin')).toEqual({ state: 'ready', models: ['test/model'] })
    const seen = ask('host_berlin')
    await env.flush()
    expect(seen.text).toBe('hi')
  })

  test('hears once of hubs that come and go, in a beat', async () => {
    let hubs = ['wss://one.example/hosts/link']
    const { env, welcomed } = testTunnel({ hubs: () => hubs })
    const { host } = await welcomed('berlin')
    await env.advance(10_000)
    expect(host.hubs).toEqual([])
    hubs = [...hubs, 'wss://two.example/hosts/link']
    await env.advance(10_000)
    expect(host.hubs).toEqual([hubs])
  })

  test('under a model’s other name is seated under the catalog’s', async () => {
    const knows = (model: string) => (model.startsWith('Qwen/Qwen3-8B') ? 'Qwen/Qwen3-8B:bf16' : null)
    const { turns, welcomed } = testTunnel({ knows })
    await welcomed('berlin', { models: ['Qwen/Qwen3-8B', 'Qwen/Qwen3-8B:bf16'] })
    expect(turns.count('Qwen/Qwen3-8B:bf16')).toBe(1)
    expect(turns.count('Qwen/Qwen3-8B')).toBe(0)
  })

  test('and is draining, or has nothing on offer yet, is linked but gets no turn', async () => {
    const { turns, present, welcomed } = testTunnel()
    await welcomed('draining', { hello: { state: 'draining' } })
    await welcomed('loading', { models: [] })
    expect(turns.count('test/model')).toBe(0)
    expect(present.get('host_draining')?.state).toBe('draining')
    expect(present.get('host_loading')?.state).toBe('connecting')
  })

  test('of a newer protocol is answered in ours', async () => {
    const { welcomed } = testTunnel()
    const { host } = await welcomed('berlin', { hello: { protocol: PROTOCOL + 1 } })
    expect(host.welcome?.protocol).toBe(PROTOCOL)
  })

  const gpu = { name: 'RTX 4090\u001b[31m\u0000', memoryBytes: 1, computeCapability: null, uuid: null }
  const { hardware } = helloOf({})
  test('with words that could act on a terminal or page is stored without them', async () => {
    const { env, links, connect } = testTunnel()
    const admitted: unknown[] = []
    const admit = links.admit.bind(links)
    links.admit = (socket, who, introduction, judgement) => {
      admitted.push(introduction.hello)
      return admit(socket, who, introduction, judgement)
    }
    connect({ hello: { name: '<b>Ａda’s\u202e box</b>', hardware: { ...hardware, gpus: [gpu] } } })
    await env.flush()
    expect(admitted).toMatchObject([{ name: '-b-Ada-s- box-b-', hardware: { gpus: [{ name: 'RTX 4090[31m' }] } }])
  })

  const refusals: [string, string, FakeHostOptions][] = [
    ['an old protocol', 'old_protocol', { hello: { protocol: 0 } }],
    ['a simulated GPU', 'simulated_not_allowed', { hello: { hardware: { ...hardware, simulated: true } } }],
    ['a model this hub does not offer', 'unknown_model', { models: ['test/model', 'evil/model'] }],
    ['a form that is wrong', 'bad_hello', { hello: { machine: '' } }],
  ]
  test.each(refusals)('with %s is refused as %s, in words that help', async (_, code, options) => {
    const knows = (model: string) => (model === 'test/model' ? model : null)
    const { env, connect, links, turns } = testTunnel({ knows, allowSimulated: false })
    const { host } = connect(options)
    await env.flush()
    expect(host.refused).toMatchObject({ code, retry: false })
    expect(host.refused!.message).toMatch(/gpuhost|simulate/)
    expect(host.closedWith).not.toBeNull()
    expect([links.size, turns.count('test/model'), env.timers()]).toEqual([0, 0, 0])
  })

  test('that names an unknown model learns which', async () => {
    const { env, connect } = testTunnel({ knows: () => null })
    const { host } = connect({ models: ['evil/model'] })
    await env.flush()
    expect(host.refused!.message).toContain('evil/model')
  })
})

describe('a socket that is no host', () => {
  test('and says nothing is closed after ten seconds', async () => {
    const { env, links, connect } = testTunnel()
    const { host, pair } = connect()
    pair.freeze()
    await env.advance(HELLO_WITHIN_MS - 1)
    expect(host.closedWith).toBeNull()
    await env.advance(1)
    pair.thaw()
    await env.flush()
    expect(host.refused).toMatchObject({ code: 'bad_hello', retry: true })
    expect(host.closedWith).not.toBeNull()
    expect(links.size).toBe(0)
  })

  test.each([
    ['noise', new Uint8Array(64).fill(255)],
    ['nothing', new Uint8Array(0)],
    ['a stream', encode(1, kind.data, new Uint8Array(4))],
    ['a beat', encodeJson(0, kind.control, { type: 'beat', epoch: 1 })],
  ])('and begins with %s is refused and closed', async (_, bytes) => {
    const { env, links, dial } = testTunnel()
    const { right } = dial()
    const closes: number[] = []
    right.open({ message() {}, closed: (code) => void closes.push(code) })
    right.socket.send(bytes)
    await env.flush()
    expect(closes).toEqual([closeCode.malformed])
    expect([links.size, env.timers()]).toEqual([0, 0])
  })

  test('and speaks on before it was welcomed is refused', async () => {
    const { env, links, dial } = testTunnel()
    const { right } = dial()
    const closes: number[] = []
    right.open({ message() {}, closed: (code) => void closes.push(code) })
    const hello = encodeJson(0, kind.control, helloOf({}))
    right.socket.send(hello)
    right.socket.send(hello)
    await env.flush()
    expect(closes).toEqual([closeCode.malformed])
    expect(links.size).toBe(0)
  })
})

describe('a host that links again', () => {
  test('fences its older link: attempts there fail, the newer serves, and its epoch is higher', async () => {
    const { env, links, turns, ask, welcomed } = testTunnel()
    const older = await welcomed('berlin', { script: stalls })
    const running = ask('host_berlin')
    await env.flush()
    const newer = await welcomed('berlin', { script: says('again') })
    expect(running.failures).toMatchObject([{ class: 'network', code: 'superseded' }])
    expect(older.host.refused).toMatchObject({ code: 'superseded', retry: false })
    expect(older.host.closedWith?.code).toBe(closeCode.superseded)
    expect(newer.host.welcome!.epoch).toBeGreaterThan(older.host.welcome!.epoch)
    expect([links.size, turns.count('test/model')]).toEqual([1, 1])
    const seen = ask('host_berlin')
    await env.flush()
    expect(seen.text).toBe('again')
  })

  test('and whose older socket closes late keeps its newer link', async () => {
    const { env, links, turns, welcomed, present } = testTunnel()
    const older = await welcomed('berlin')
    await welcomed('berlin')
    older.pair.cut()
    await env.flush()
    expect([links.size, turns.count('test/model'), present.size]).toEqual([1, 1, 1])
  })

  test('after a restart of the hub has a higher epoch, though nothing was remembered', async () => {
    const env = virtualEnv()
    const first = await testTunnel({ env }).welcomed('berlin')
    await env.advance(2_000)
    const second = await testTunnel({ env }).welcomed('berlin')
    expect(second.host.welcome!.epoch).toBeGreaterThan(first.host.welcome!.epoch)
  })
})

describe('two machines with one identity (F-split)', () => {
  function locking() {
    const locked: unknown[] = []
    return { locked, ...testTunnel({ lock: (host) => void locked.push(host) }) }
  }

  test('newer wins; at the third takeover in ten minutes both are refused, and the identity is locked', async () => {
    const { env, links, turns, locked, welcomed } = locking()
    const first = await welcomed('berlin', { run: 'a' })
    const second = await welcomed('berlin', { run: 'b' })
    expect(first.host.refused).toMatchObject({ code: 'superseded', retry: false })
    expect([second.host.refused, links.size, turns.count('test/model')]).toEqual([null, 1, 1])
    await env.advance(60_000)
    await welcomed('berlin', { run: 'a2' })
    expect(locked).toEqual([])
    await env.advance(60_000)
    const last = await welcomed('berlin', { run: 'b2' })
    expect(locked).toEqual([{ hostId: 'host_berlin', tokenIds: ['token_berlin', 'token_berlin'] }])
    expect(last.host.refused).toMatchObject({ code: 'locked', retry: false })
    expect(last.host.refused?.message).toMatch(/new token/)
    expect([links.size, turns.count('test/model')]).toEqual([0, 0])
  })

  test('three takeovers in more than ten minutes lock nothing', async () => {
    const { env, links, locked, welcomed } = locking()
    for (const run of ['a', 'b', 'c', 'd', 'e', 'f']) {
      await welcomed('berlin', { run })
      await env.advance(5 * 60_000)
    }
    expect([locked, links.size]).toEqual([[], 1])
  })

  test('a machine that starts again and again is not two: its older programs are dead', async () => {
    const { env, links, locked, welcomed } = locking()
    for (const run of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const { pair } = await welcomed('berlin', { run })
      // Power is cut: no goodbye, and a link that the hub still takes for open.
      pair.freeze()
      await env.advance(4_000)
    }
    await welcomed('berlin', { run: 'last' })
    await env.advance(4_000)
    expect([locked, links.size]).toEqual([[], 1])
  })

  test('one that was dismissed and reset by its network is not two either', async () => {
    const { env, locked, welcomed } = locking()
    for (const run of ['a', 'b', 'c', 'd', 'e', 'f']) {
      const { pair, host } = await welcomed('berlin', { run })
      host.goSilent()
      env.timer(1_500, () => pair.cut())
      await env.advance(1_000)
    }
    await env.advance(4_000)
    expect(locked).toEqual([])
  })

  test('one program that comes by two ways is not two', async () => {
    const { links, locked, welcomed } = locking()
    for (let way = 0; way < 6; way++) await welcomed('berlin', { run: 'a' })
    expect([locked, links.size]).toEqual([[], 1])
  })

  test('a dismissed program that does not go is put out after two seconds', async () => {
    const { env, welcomed } = locking()
    const first = await welcomed('berlin', { run: 'a' })
    first.host.goSilent()
    await welcomed('berlin', { run: 'b' })
    await env.advance(1_999)
    expect(first.host.closedWith).toBeNull()
    await env.advance(1)
    expect(first.host.closedWith?.code).toBe(closeCode.superseded)
  })

  test('what a dismissed program still says is not heard (F-oldsess)', async () => {
    const { env, ask, turns, welcomed } = locking()
    const first = await welcomed('berlin', { run: 'a', script: stalls })
    const running = ask('host_berlin')
    await env.flush()
    await welcomed('berlin', { run: 'b' })
    expect(running.failures).toMatchObject([{ code: 'superseded' }])
    const before = running.text
    first.host.calls[0]!.data('more')
    first.host.calls[0]!.end()
    first.host.status('draining')
    await env.flush()
    expect([running.text, running.ends, turns.count('test/model')]).toEqual([before, 0, 1])
  })
})

describe('a host that changes its mind', () => {
  test('drains: no new turns, what runs goes on; and comes back', async () => {
    const { env, turns, ask, present, welcomed } = testTunnel()
    const { host } = await welcomed('berlin')
    const running = ask('host_berlin')
    await env.flush()
    host.status('draining')
    await env.flush()
    expect(turns.next('test/model', new Set())).toBeNull()
    expect(present.get('host_berlin')?.state).toBe('draining')
    await says('to the end')(host.calls[0]!)
    await env.flush()
    expect(running).toMatchObject({ text: 'to the end', ends: 1 })
    host.status('ready')
    await env.flush()
    expect(turns.count('test/model')).toBe(1)
  })

  test('about its models is seated for what it offers now', async () => {
    const { env, turns, welcomed, present } = testTunnel({ knows: (model) => (model === 'evil' ? null : model) })
    const { host } = await welcomed('berlin', { models: ['a', 'b'] })
    const engine = { name: 'fake', version: null }
    const serving = ['b', 'c', 'evil'].map((model) => ({ model, engine, contextTokens: 99, slots: 8, tokenIds: false }))
    host.status('ready', serving)
    await env.flush()
    expect(['a', 'b', 'c', 'evil'].map((variant) => turns.count(variant))).toEqual([0, 1, 1, 0])
    expect(turns.next('b', new Set())).toMatchObject({ weight: 8, contextTokens: 99, tokenIds: false })
    expect(present.get('host_berlin')?.models).toEqual(['b', 'c'])
  })

  test('in words of another epoch is not heard', async () => {
    const { env, turns, welcomed } = testTunnel()
    const { host } = await welcomed('berlin')
    host.say({ type: 'status', epoch: host.welcome!.epoch - 1, state: 'draining', serving: [] })
    await env.flush()
    expect(turns.count('test/model')).toBe(1)
  })

  test('and says hello twice loses its link', async () => {
    const { env, links, welcomed } = testTunnel()
    const { host } = await welcomed('berlin')
    host.say(helloOf({}))
    await env.flush()
    expect([host.closedWith?.code, links.size]).toEqual([closeCode.malformed, 0])
  })
})

describe('silence', () => {
  test('of twelve seconds ends a link and fails its attempts; a host that beats is kept (F-halfopen)', async () => {
    const { env, links, ask, welcomed } = testTunnel()
    const { pair } = await welcomed('berlin', { script: stalls })
    await welcomed('oslo')
    const running = ask('host_berlin')
    await env.flush()
    pair.freeze()
    await env.advance(SILENCE_MS - 1_000)
    expect(running.over).toBe(false)
    await env.advance(1_000)
    expect(running.failures).toMatchObject([{ class: 'network', code: 'silent' }])
    expect([links.get('host_berlin'), links.size]).toEqual([undefined, 1])
    await env.advance(60_000)
    expect(links.size).toBe(1)
  })

  test('after an ask takes a host out of the turns within four seconds, and a word brings it back (F-halfopen)', async () => {
    const { env, links, ask, turns, welcomed } = testTunnel()
    const { host, pair } = await welcomed('berlin', { script: stalls })
    await env.advance(2_000)
    pair.freeze()
    const running = ask('host_berlin')
    await env.advance(2_400)
    expect([turns.count('test/model'), running.quietTimes]).toEqual([1, 0])
    await env.advance(1_100)
    expect([turns.count('test/model'), running.quietTimes]).toEqual([0, 1])
    await env.advance(2_000)
    pair.thaw()
    await env.flush()
    expect([turns.count('test/model'), running.quietTimes]).toEqual([1, 1])
    host.status('ready')
    await env.advance(60_000)
    expect([turns.count('test/model'), links.size]).toEqual([1, 1])
  })

  test('of a host that should have beaten takes it out of the turns, though it was asked nothing', async () => {
    const { env, turns, welcomed } = testTunnel()
    const { pair } = await welcomed('berlin')
    await env.advance(5_000)
    pair.freeze()
    await env.advance(6_000)
    expect(turns.count('test/model')).toBe(1)
    await env.advance(4_000)
    expect(turns.count('test/model')).toBe(0)
  })

  test('that never was puts nobody out: asked again and again, a living host keeps its turns', async () => {
    const { env, ask, turns, welcomed } = testTunnel()
    await welcomed('berlin', { script: stalls })
    for (let second = 0; second < 30; second++) {
      ask('host_berlin')
      await env.advance(1_500)
      expect(turns.count('test/model')).toBe(1)
    }
  })

  test('is not what any word breaks: a host that streams but forgets to beat is kept', async () => {
    const { env, links, ask, welcomed } = testTunnel()
    const { host } = await welcomed('berlin', { beats: false })
    ask('host_berlin')
    await env.flush()
    host.calls[0]!.answer()
    for (let i = 0; i < 10; i++) {
      await env.advance(5_000)
      host.calls[0]!.data('token')
    }
    expect(links.size).toBe(1)
  })

  test('of a hub that stood still itself is nobody’s death (F-pause)', async () => {
    const clock = virtualEnv()
    let stoodStillMs = 0
    const env = { ...clock, mono: () => clock.mono() + stoodStillMs }
    const { log, warnings } = listening()
    const { links, welcomed } = testTunnel({ env, log })
    const dead = await welcomed('dead')
    await welcomed('alive')
    await clock.advance(4_900)
    dead.pair.freeze()
    // No timer ran meanwhile, and what hosts sent was not read.
    stoodStillMs += 60_000
    await clock.advance(1_000)
    expect(warnings).toEqual(['hub stood still'])
    expect(links.size).toBe(2)
    await clock.advance(SILENCE_MS + 500)
    expect([links.get('host_dead'), links.get('host_alive') !== undefined]).toEqual([undefined, true])
  })

  test('of a hub is what its hosts give it up for: that is the hub’s own doing (F-pause)', async () => {
    const clock = virtualEnv()
    let stoodStillMs = 0
    const env = { ...clock, mono: () => clock.mono() + stoodStillMs }
    const { ask, welcomed } = testTunnel({ env })
    const [berlin, oslo, rome] = [
      await welcomed('berlin', { script: stalls }),
      await welcomed('oslo', { script: stalls, run: 'a' }),
      await welcomed('rome', { script: stalls }),
    ]
    const [lost, overtaken, later] = [ask('host_berlin'), ask('host_oslo'), ask('host_rome')]
    await clock.advance(4_900)
    stoodStillMs += 60_000
    // What the sockets had meanwhile is read at once: one is gone, one has linked anew.
    berlin.pair.cut()
    await welcomed('oslo', { run: 'a' })
    await clock.flush()
    for (const seen of [lost, overtaken]) expect(seen.failures).toMatchObject([{ class: 'hub', code: 'stood_still' }])
    expect(oslo.host.closedWith?.code).toBe(closeCode.superseded)
    await clock.advance(2_000)
    rome.pair.cut()
    await clock.flush()
    expect(later.failures).toMatchObject([{ class: 'network', code: 'link_closed' }])
  })

  test('is not measured by the wall clock: an hour’s jump either way ends no link, epochs still grow (F-clock)', async () => {
    const { env, links, welcomed } = testTunnel()
    const first = await welcomed('berlin')
    await welcomed('oslo')
    await env.advance(7_000)
    env.jump(3_600_000)
    await env.advance(7_000)
    env.jump(-7_200_000)
    await env.advance(7_000)
    expect(links.size).toBe(2)
    const second = await welcomed('berlin')
    expect(second.host.welcome!.epoch).toBeGreaterThan(first.host.welcome!.epoch)
  })

  test('keeps no timer when the last link is gone', async () => {
    const { env, welcomed } = testTunnel()
    const { host, pair } = await welcomed('berlin', { beats: false })
    pair.cut()
    await env.flush()
    expect([host.closedWith?.code, env.timers()]).toEqual([1006, 0])
  })
})

test('a revoked token ends the links that use it, and says why; others stay', async () => {
  const { env, links, ask, welcomed } = testTunnel()
  const { host } = await welcomed('berlin', { script: stalls })
  await welcomed('oslo')
  const running = ask('host_berlin')
  await env.flush()
  links.revoke(new Set(['token_berlin', 'token_nobody']))
  await env.flush()
  expect(host.refused).toMatchObject({ code: 'bad_token', retry: false })
  expect(host.closedWith?.code).toBe(closeCode.badToken)
  expect(running.failures).toMatchObject([{ class: 'host', code: 'bad_token' }])
  expect([...['berlin', 'oslo'].map((name) => links.get(`host_${name}`) !== undefined)]).toEqual([false, true])
})

test('a token that is locked for one host ends that host’s link, and no other that uses it (F-split)', async () => {
  const { env, links, ask, welcomed } = testTunnel()
  const { host } = await welcomed('berlin', { script: stalls })
  await welcomed('oslo')
  const running = ask('host_berlin')
  await env.flush()
  links.lock([
    { hostId: 'host_berlin', tokenId: 'token_berlin' },
    { hostId: 'host_oslo', tokenId: 'token_of_before' },
    { hostId: 'host_nobody', tokenId: 'token_berlin' },
  ])
  await env.flush()
  expect(host.refused).toMatchObject({ code: 'locked', retry: false })
  expect(host.closedWith?.code).toBe(closeCode.locked)
  expect(running.failures).toMatchObject([{ class: 'host', code: 'locked' }])
  expect([...['berlin', 'oslo'].map((name) => links.get(`host_${name}`) !== undefined)]).toEqual([false, true])
})

test('a hub that stops sends every host away, to come back', async () => {
  const { env, links, ask, welcomed, present } = testTunnel()
  const all = [await welcomed('berlin'), await welcomed('oslo')]
  const running = ask('host_berlin')
  links.stop()
  await env.flush()
  for (const { host } of all) {
    expect(host.refused).toMatchObject({ code: 'stopping', retry: true })
    expect(host.closedWith?.code).toBe(closeCode.stopping)
  }
  expect(running.failures).toMatchObject([{ class: 'hub', code: 'stopping' }])
  expect([links.size, present.size]).toEqual([0, 0])
})
