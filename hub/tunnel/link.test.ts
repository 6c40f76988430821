import { describe, expect, test } from 'bun:test'
import { encode, encodeCredit, encodeData, encodeJson, HEADER_BYTES } from '../../sdk/wire/codec.ts'
import { BEAT_MS, closeCode, kind, MAX_STREAMS_PER_LINK, WINDOW_BYTES } from '../../sdk/wire/frames.ts'
import { BYTES_PER_SECOND, FRAMES_PER_SECOND } from './budget.ts'
import { floods, reorders, replays, type Script, says, stalls, strayFrame, testTunnel } from './testing.ts'

const answered = { statuses: [200], ends: 1, failures: [] }

/** A tunnel with the host under test, which runs `script`, and a bystander that streams the whole time. */
async function world(script?: Script) {
  const tunnel = testTunnel()
  const { host, pair } = await tunnel.welcomed('berlin', { script })
  const bystander = await tunnel.welcomed('oslo')
  const other = tunnel.ask('host_oslo')
  await tunnel.env.flush()
  const call = bystander.host.calls[0]!
  call.answer()
  call.data('still ')
  return {
    ...tunnel,
    host,
    pair,
    async expectBystanderUnharmed() {
      call.data('here')
      call.end()
      await tunnel.env.flush()
      expect(other).toMatchObject({ ...answered, text: 'still here' })
    },
  }
}

describe('an honest answer', () => {
  test('arrives whole and in order, with the status line first and one end', async () => {
    const { ask, env } = await world(says('one two three', 4))
    const seen = ask('host_berlin', '{"messages":[]}')
    await env.flush()
    expect(seen).toMatchObject({ ...answered, text: 'one two three' })
  })

  test('goes on for as long as credit is given, far beyond one window', async () => {
    const { ask, env } = await world(says('x'.repeat(5 * WINDOW_BYTES), 10_000))
    const seen = ask('host_berlin')
    await env.flush()
    expect(seen.text.length).toBe(5 * WINDOW_BYTES)
    expect(seen.ends).toBe(1)
  })

  test('waits when its reader does not take it, and goes on when it does', async () => {
    const { ask, env, host } = await world(says('x'.repeat(2 * WINDOW_BYTES), 1_024))
    const seen = ask('host_berlin')
    const { credit } = seen
    seen.credit = () => {}
    await env.flush()
    expect(seen.text.length).toBe(WINDOW_BYTES)
    credit(WINDOW_BYTES)
    await env.flush()
    expect(host.calls[0]!.credit).toBe(WINDOW_BYTES)
    expect(seen.text.length).toBe(2 * WINDOW_BYTES)
  })

  test('of several attempts on one link stay apart', async () => {
    const { ask, env } = await world((call) => says(`answer to ${call.body}`, 3)(call))
    const all = ['a', 'b', 'c'].map((body) => ask('host_berlin', body))
    await env.flush()
    expect(all.map(({ text }) => text)).toEqual(['answer to a', 'answer to b', 'answer to c'])
  })

  test('may be an error of the engine: its status and words are passed on', async () => {
    const { ask, env } = await world((call) => {
      call.answer(400)
      call.data('{"error":"no"}')
      call.end()
    })
    const seen = ask('host_berlin')
    await env.flush()
    expect(seen).toMatchObject({ statuses: [400], text: '{"error":"no"}', ends: 1 })
  })
})

describe('what a host is told of a request', () => {
  test('names nothing that is the same twice, and says what follows', async () => {
    const { ask, env, host } = await world()
    ask('host_berlin', 'first')
    ask('host_berlin', 'first', 2)
    await env.flush()
    const [one, two] = host.calls.map((call) => call.ask)
    expect(one).toMatchObject({ attempt: 1, path: '/v1/chat/completions', model: 'test/model', bodyBytes: 5 })
    expect(two!.attempt).toBe(2)
    expect(one!.request).toMatch(/^[0-9a-f]{32}$/)
    expect(two!.request).not.toBe(one!.request)
    expect(host.calls.map((call) => call.body)).toEqual(['first', 'first'])
    expect(host.calls[1]!.stream).toBeGreaterThan(host.calls[0]!.stream)
  })
})

describe('a host that breaks the rules of a stream loses that attempt and is told to stop', () => {
  const rows: [string, string, Script][] = [
    ['a frame repeated (F-dup)', 'out_of_order', replays],
    ['frames out of order (F-gap)', 'out_of_order', reorders],
    ['a frame missing (F-gap)', 'out_of_order', (call) => (call.answer(), call.data('a', 0), call.data('c', 2))],
    ['credit ignored', 'flooding', floods],
    ['data before the status line', 'data_before_answer', (call) => call.data('early')],
    ['an end before the status line', 'end_before_answer', (call) => call.end(0)],
    ['two status lines', 'answered_twice', (call) => (call.answer(), call.answer())],
    ['a status line for another attempt', 'wrong_attempt', (call) => call.answer(200, 2)],
    ['an end of another attempt', 'wrong_attempt', (call) => (call.answer(), call.end(0, 2))],
    ['giving up another attempt', 'wrong_attempt', (call) => call.fail('engine', 'oom', 2)],
    ['an answer cut short (F-gap)', 'cut', (call) => (call.answer(), call.data('half'), call.end(2))],
  ]
  test.each(rows)('%s: %s', async (_, code, script) => {
    const { ask, env, host, links, expectBystanderUnharmed } = await world((call) =>
      call.body === 'honest' ? says('fine')(call) : script(call),
    )
    const before = ask('host_berlin', 'honest')
    const seen = ask('host_berlin', 'liar')
    // Reads, but gives no credit: what it has is what it may send.
    seen.credit = () => {}
    const after = ask('host_berlin', 'honest')
    await env.flush()
    expect(seen.failures).toEqual([{ class: 'host', code, message: expect.any(String) }])
    expect(seen.ends).toBe(0)
    expect(host.calls[1]!.cancelled).toBe(true)
    for (const neighbour of [before, after]) expect(neighbour).toMatchObject({ ...answered, text: 'fine' })
    expect(links.get('host_berlin')).toBeDefined()
    await expectBystanderUnharmed()
  })

  test('bytes that arrive after that are not passed on', async () => {
    const { ask, env } = await world((call) => {
      void replays(call)
      call.data('more', 1)
      call.end()
    })
    const seen = ask('host_berlin')
    await env.flush()
    expect(seen).toMatchObject({ text: 'once', ends: 0, failures: [{ code: 'out_of_order' }] })
  })
})

describe('a host that gives an attempt back', () => {
  test.each([
    ['engine', { class: 'engine', code: 'oom' }],
    ['host', { class: 'host', code: 'oom' }],
    ['refused', { class: 'host', code: 'refused:oom' }],
  ] as const)('as trouble of the %s is believed', async (whose, failure) => {
    const { ask, env, host } = await world((call) => call.fail(whose, 'oom'))
    const seen = ask('host_berlin')
    await env.flush()
    expect(seen.failures).toMatchObject([failure])
    expect(host.calls[0]!.cancelled).toBe(false)
  })
})

describe('streams that are over, and streams that never were', () => {
  test('late frames of a cancelled attempt are dropped in silence (F-zombie)', async () => {
    const { ask, env, host, links } = await world(stalls)
    const seen = ask('host_berlin')
    await env.flush()
    seen.cancel()
    const call = host.calls[0]!
    for (let i = 0; i < 10; i++) call.data('too late')
    call.end()
    await env.flush()
    expect(call.cancelled).toBe(true)
    expect(seen).toMatchObject({ text: 'and then', ends: 0, failures: [] })
    expect(links.get('host_berlin')!.late).toBe(11)
  })

  test('three frames for streams that were never opened end the link, two do not', async () => {
    const { env, host, links, expectBystanderUnharmed } = await world()
    host.send(strayFrame(77))
    host.send(strayFrame(78))
    await env.flush()
    expect(links.get('host_berlin')).toBeDefined()
    host.send(strayFrame(79))
    await env.flush()
    expect(host.closedWith?.code).toBe(closeCode.malformed)
    expect(links.get('host_berlin')).toBeUndefined()
    await expectBystanderUnharmed()
  })
})

describe('a host that breaks the wire loses its link', () => {
  const header = (bytes: number[]) => Uint8Array.from(bytes)
  const rows: [string, Uint8Array][] = [
    ['a message cut inside a header', header([0, 0, 0, 1])],
    ['an unknown kind', header([0, 0, 0, 1, 99, 0, 0, 0])],
    ['a frame larger than allowed', header([0, 0, 0, 1, kind.data, 255, 255, 255])],
    ['a frame longer than its message', header([0, 0, 0, 1, kind.data, 0, 0, 9])],
    ['data on stream 0', header([0, 0, 0, 0, kind.data, 0, 0, 4, 0, 0, 0, 0])],
    ['data without a number', encode(1, kind.data, new Uint8Array(2))],
    ['control that is no JSON', encode(0, kind.control, new Uint8Array([123]))],
    ['control of an unknown type', encodeJson(0, kind.control, { type: 'run', command: 'rm -rf /' })],
    ['an answer that is none', encodeJson(1, kind.answer, { attempt: 1, status: 'fine' })],
    ['a frame only a hub sends', encode(1, kind.cancel)],
    ['credit from the wrong side', encodeCredit(1, 5)],
  ]
  test.each(rows)('%s', async (_, message) => {
    const { ask, env, host, links, expectBystanderUnharmed } = await world(stalls)
    const [one, two] = [ask('host_berlin'), ask('host_berlin')]
    await env.flush()
    host.send(message)
    await env.flush()
    expect(host.closedWith?.code).toBe(closeCode.malformed)
    expect(links.get('host_berlin')).toBeUndefined()
    for (const seen of [one, two]) expect(seen.failures).toMatchObject([{ class: 'host', code: 'malformed' }])
    await expectBystanderUnharmed()
  })

  test('frames before the bad one in the same message are still heard, those after it are not', async () => {
    const { ask, env, host } = await world()
    const [one, two] = [ask('host_berlin'), ask('host_berlin')]
    await env.flush()
    const good = (stream: number) => encodeJson(stream, kind.answer, { attempt: 1, status: 200 })
    const bad = new Uint8Array(HEADER_BYTES).fill(255)
    host.send(Buffer.concat([good(host.calls[0]!.stream), bad, good(host.calls[1]!.stream)]))
    await env.flush()
    expect([one.statuses, two.statuses]).toEqual([[200], []])
  })
})

describe('a host that sends without end', () => {
  const flood = async (bytes: number, messages: number, frame: (at: number) => Uint8Array) => {
    const it = await world(stalls)
    const seen = it.ask('host_berlin')
    await it.env.flush()
    seen.cancel()
    await it.env.flush()
    for (let at = 0; at < messages && !it.host.closedWith; at++) {
      it.host.send(frame(bytes))
      if (at % 50 === 0) await it.env.flush()
    }
    await it.env.flush()
    expect(it.host.closedWith?.code).toBe(closeCode.flooding)
    await it.expectBystanderUnharmed()
  }

  test('bytes beyond its budget loses its link', () =>
    flood(200_000, (BYTES_PER_SECOND * 5) / 200_000, (bytes) => encodeData(1, 0, new Uint8Array(bytes))))

  test('frames beyond its budget, however small, loses its link', () => {
    const tiny = encodeData(1, 0, new Uint8Array(0))
    const many = Buffer.concat(Array.from({ length: 10_000 }, () => tiny))
    return flood(0, (FRAMES_PER_SECOND * 5) / 10_000, () => many)
  })

  test('as much as engines do, hour after hour, is heard', async () => {
    const { env, host, links } = await world()
    const busySecond = Buffer.concat(
      Array.from({ length: FRAMES_PER_SECOND / 2 }, () => encodeData(1, 0, new Uint8Array(300))),
    )
    links
      .get('host_berlin')!
      .ask(
        { path: '/v1/completions', model: 'm', attempt: 1, body: new Uint8Array(1) },
        { status() {}, quiet() {}, data() {}, end() {}, failed() {} },
      )
      .cancel()
    for (let second = 0; second < 20; second++) {
      host.send(busySecond)
      await env.advance(1_000)
    }
    expect(host.closedWith).toBeNull()
  })
})

describe('an owner of attempts that throws', () => {
  test.each(['status', 'data', 'end', 'failed'] as const)('in `%s` harms only that attempt', async (event) => {
    const { env, host, links, ask, expectBystanderUnharmed } = await world((call) =>
      event === 'failed' ? call.fail('engine', 'oom') : says('fine')(call),
    )
    const heard: string[] = []
    const hear = (name: string) => () => {
      heard.push(name)
      if (name === event) throw new Error('bug')
    }
    links
      .get('host_berlin')!
      .ask(
        { path: '/v1/completions', model: 'test/model', attempt: 1, body: new TextEncoder().encode('{}') },
        { status: hear('status'), quiet: hear('quiet'), data: hear('data'), end: hear('end'), failed: hear('failed') },
      )
    const neighbour = ask('host_berlin')
    await env.flush()
    expect(neighbour.over).toBe(true)
    expect(heard.filter((name) => name === 'end' || name === 'failed')).toHaveLength(1)
    expect(host.closedWith).toBeNull()
    await expectBystanderUnharmed()
  })
})

describe('a link that ends', () => {
  test.each([
    ['the connection breaks', 'link_closed', ({ pair }: Awaited<ReturnType<typeof world>>) => pair.cut()],
    [
      'the host says goodbye without having drained',
      'link_closed',
      ({ host }: Awaited<ReturnType<typeof world>>) => host.close(closeCode.stopping),
    ],
  ])('fails its attempts at once when %s', async (_, code, end) => {
    const it = await world(stalls)
    const all = [it.ask('host_berlin'), it.ask('host_berlin')]
    await it.env.flush()
    end(it)
    await it.env.flush()
    expect(it.env.mono()).toBe(0)
    for (const seen of all) expect(seen.failures).toMatchObject([{ class: 'network', code }])
    await it.expectBystanderUnharmed()
  })

  test('by the goodbye of a host that had drained is a host that left (F-drain)', async () => {
    const { ask, env, host } = await world(stalls)
    const seen = ask('host_berlin')
    await env.flush()
    host.status('draining')
    host.close(closeCode.stopping)
    await env.flush()
    expect(seen.failures).toMatchObject([{ class: 'host', code: 'left' }])
  })

  test('has left the turns before its attempts hear of it', async () => {
    const { links, turns, env, pair } = await world(stalls)
    let hostsLeft: (string | undefined)[] = []
    links.get('host_berlin')!.ask(
      { path: '/v1/completions', model: 'test/model', attempt: 1, body: new Uint8Array(0) },
      {
        status() {},
        quiet() {},
        data() {},
        end() {},
        failed() {
          hostsLeft = [1, 2].map(() => turns.next('test/model', new Set())?.hostId)
        },
      },
    )
    pair.cut()
    await env.flush()
    expect(hostsLeft).toEqual(['host_oslo', 'host_oslo'])
  })

  test('takes no new request: the attempt fails, but not before the asker has it in hand', async () => {
    const { links, env, pair } = await world()
    const link = links.get('host_berlin')!
    pair.cut()
    await env.flush()
    const failures: unknown[] = []
    link.ask(
      { path: '/v1/completions', model: 'test/model', attempt: 1, body: new Uint8Array(1) },
      { status() {}, quiet() {}, data() {}, end() {}, failed: (failure) => void failures.push(failure) },
    )
    expect(failures).toEqual([])
    await env.flush()
    expect(failures).toMatchObject([{ class: 'network', code: 'link_closed' }])
  })
})

test('one request more than a link carries is refused by the hub, and room is made when one ends', async () => {
  const { ask, env, host } = await world()
  const all = Array.from({ length: MAX_STREAMS_PER_LINK }, () => ask('host_berlin'))
  const refused = ask('host_berlin')
  await env.flush()
  expect(refused.failures).toMatchObject([{ class: 'hub', code: 'link_full' }])
  expect(host.calls).toHaveLength(MAX_STREAMS_PER_LINK)
  all[0]!.cancel()
  const next = ask('host_berlin')
  await env.flush()
  expect(next.over).toBe(false)
})

describe('a host that does not read', () => {
  const LONG = new Uint8Array(4 * 1024 * 1024)

  test('leaves a long body unsent, and other hosts answer meanwhile', async () => {
    const { ask, env, pair, links, expectBystanderUnharmed } = await world()
    pair.freeze()
    for (let i = 0; i < 8; i++) ask('host_berlin', LONG)
    await env.advance(1_000)
    expect(pair.left.socket.buffered()).toBeLessThan(512 * 1024)
    expect(links.get('host_berlin')).toBeDefined()
    await expectBystanderUnharmed()
  })

  test('gets all of it when it reads again, and a short one does not wait for a long one', async () => {
    const complete: number[] = []
    const { ask, env, pair } = await world((call) => void complete.push(call.body.length))
    pair.freeze()
    ask('host_berlin', LONG)
    await env.advance(100)
    ask('host_berlin', 'short')
    await env.advance(100)
    pair.thaw()
    await env.advance(5_000)
    expect(complete).toEqual([5, LONG.length])
  })

  test('is let go when even the small words pile up', async () => {
    const { ask, env, pair, links } = await world()
    pair.freeze()
    const seen = ask('host_berlin')
    for (let i = 0; i < 6_000 && links.get('host_berlin'); i++) {
      links.get('host_berlin')!.wish('update', 'x'.repeat(200))
      if (i % 100 === 0) await env.flush()
    }
    await env.flush()
    expect(seen.failures).toMatchObject([{ class: 'network', code: 'not_reading' }])
  })

  test('and whose request is cancelled gets no more of its body', async () => {
    const { ask, env, host, pair } = await world()
    pair.freeze()
    const seen = ask('host_berlin', LONG)
    await env.advance(50)
    seen.cancel()
    pair.thaw()
    await env.advance(1_000)
    expect(host.calls[0]!.cancelled).toBe(true)
    expect(host.calls[0]!.body.length).toBeLessThan(512 * 1024)
  })
})

test('beats of another epoch are not believed, those of this one are', async () => {
  const { env, host, links } = await world()
  const epoch = host.welcome!.epoch
  host.say({ type: 'beat', epoch: epoch - 1, running: 9, waiting: 9 })
  await env.flush()
  expect(links.get('host_berlin')).toMatchObject({ running: 0, waiting: 0 })
  host.say({ type: 'beat', epoch, running: 2, waiting: 1 })
  await env.flush()
  expect(links.get('host_berlin')).toMatchObject({ running: 2, waiting: 1 })
})

test('a wish reaches the host, under its epoch', async () => {
  const { env, host, links } = await world()
  links.get('host_berlin')!.wish('drain', 'the team looks into something')
  await env.flush()
  expect(host.wishes).toEqual([
    { type: 'wish', epoch: host.welcome!.epoch, wish: 'drain', reason: 'the team looks into something' },
  ])
})

test('a link that carries nothing costs one beat per interval', async () => {
  const { env, host } = await world()
  await env.advance(10 * BEAT_MS)
  expect(host.beats).toBeGreaterThanOrEqual(9)
  expect(host.beats).toBeLessThanOrEqual(10)
})
