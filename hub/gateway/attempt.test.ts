// One attempt, with a host that says what the test wants, and a clock that only the test moves.
import { describe, expect, test } from 'bun:test'
import { type VirtualEnv, virtualEnv } from '../../sdk/testing.ts'
import type { Seat } from '../routing/turns.ts'
import type { AttemptEvents } from '../tunnel/link.ts'
import { Awake } from '../tunnel/awake.ts'
import { attemptOn, type Ear, type Outcome } from './attempt.ts'
import type { Piece } from './engine.ts'

const event = (content: string, more: object = {}) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: { content }, finish_reason: null, ...more }] })}\n\n`
const END = `${event('.', { finish_reason: 'stop' })}data: [DONE]\n\n`

function world(ear: Partial<Ear> = {}) {
  const clock = virtualEnv()
  let stoodStillMs = 0
  const env: VirtualEnv = { ...clock, mono: () => clock.mono() + stoodStillMs }
  const awake = new Awake(env)
  const beat = () => {
    awake.pulse(500)
    env.timer(500, beat)
  }
  beat()
  let events!: AttemptEvents
  const credited: number[] = []
  let cancelled = 0
  const link = {
    heardAt: 0,
    ask(_: unknown, given: AttemptEvents) {
      events = given
      return { hostId: 'host', credit: (bytes: number) => void credited.push(bytes), cancel: () => void cancelled++ }
    },
  }
  const pieces: Piece[] = []
  const over: { outcome: Outcome | null } = { outcome: null }
  const leaving = new AbortController()
  const question = {
    ask: { path: '/v1/chat/completions' as const, body: new Uint8Array() },
    reads: { n: 1, logprobs: false, format: 'chat' as const },
    raw: null,
  }
  const ending = attemptOn({ hostId: 'host', name: 'm', link } as unknown as Seat, 1, question, {
    awake,
    signal: leaving.signal,
    patience: { firstTokenMs: 20_000, gapMs: 4_000 },
    firstTokenBy: 60_000,
    endBy: 600_000,
    couldMove: () => true,
    begun() {},
    piece: (piece) => void pieces.push(piece),
    enough: () => false,
    whenTaken: (then) => then(),
    ...ear,
  }).then((outcome) => (over.outcome = outcome))
  return {
    ...{ env, pieces, over, leaving, credited, ending },
    cancelled: () => cancelled,
    answers: (status = 200) => events.status(status),
    says(text: string) {
      link.heardAt = awake.mono()
      events.data(new TextEncoder().encode(text))
    },
    quiet: () => events.quiet(),
    ends: () => events.end(),
    breaks: () => events.failed({ class: 'network', code: 'link_closed', message: 'gone' }),
    stall: (ms: number) => void (stoodStillMs += ms),
    async passes(ms: number) {
      await env.advance(ms)
      const { outcome } = over
      return outcome?.kind === 'failed' ? outcome.failure.code : (outcome?.kind ?? 'going on')
    },
  }
}

describe('a host that falls silent', () => {
  test('before its first token is left when that takes longer than from others', async () => {
    const { answers, passes, cancelled } = world()
    answers()
    expect([await passes(19_999), await passes(2)]).toEqual(['going on', 'first_token_timeout'])
    expect(cancelled()).toBe(1)
  })

  test.each([
    ['before its first token', 0],
    ['in the middle', 3],
  ])('%s is left at once when its machine does not answer either, if another can go on', async (_, tokens) => {
    for (const couldMove of [false, true]) {
      const { answers, says, quiet, passes, cancelled } = world({ couldMove: () => couldMove })
      answers()
      for (let token = 0; token < tokens; token++) says(event('word '))
      expect(await passes(3_000)).toBe('going on')
      quiet()
      expect([await passes(0), cancelled()]).toEqual(couldMove ? ['quiet', 1] : ['going on', 0])
    }
  })

  test('in the middle is left after a gap, counted from its last token', async () => {
    const { answers, says, passes } = world()
    answers()
    for (let token = 0; token < 20; token++) {
      says(event('word '))
      expect(await passes(3_900)).toBe('going on')
    }
    expect([await passes(99), await passes(2)]).toEqual(['going on', 'gap_timeout'])
  })

  test.each([
    ['comments', ': ping\n\n'],
    ['blank lines', '\n\n\n'],
    ['empty chunks', event('')],
    ['empty chunks with a role', event('', { delta: { role: 'assistant', content: '' } })],
    ['chunks without choices', 'data: {"choices":[],"usage":{"completion_tokens":3}}\n\n'],
  ])('is left although it sends %s (F-slow)', async (_, words) => {
    const { answers, says, passes } = world()
    answers()
    says(event('word '))
    for (let second = 0; second < 3; second++) {
      expect(await passes(1_000)).toBe('going on')
      says(words)
    }
    expect(await passes(1_100)).toBe('gap_timeout')
  })

  test('is waited for where nobody else could go on, but not for ever', async () => {
    const { answers, says, passes } = world({ couldMove: () => false })
    answers()
    expect(await passes(50_000)).toBe('going on')
    says(event('word '))
    expect(await passes(29_000)).toBe('going on')
    says(event('word '))
    expect(await passes(29_000)).toBe('going on')
    expect(await passes(8_000)).toBe('gap_timeout')
  })

  test('is left at the end of the request’s time, though nobody else could', async () => {
    expect(await world({ couldMove: () => false }).passes(60_001)).toBe('first_token_timeout')
    const { answers, says, passes } = world({ endBy: 30_000 })
    answers()
    for (let second = 0; second < 29; second++) {
      says(event('word '))
      expect(await passes(1_000)).toBe('going on')
    }
    says(event('word '))
    expect(await passes(4_000)).toBe('too_long')
  })

  test('is not blamed for the client who does not read', async () => {
    let taken = () => {}
    const { answers, says, passes } = world({ whenTaken: (then) => void (taken = then) })
    answers()
    says(event('word '))
    expect(await passes(58_000)).toBe('going on')
    taken()
    expect([await passes(3_900), await passes(200)]).toEqual(['going on', 'gap_timeout'])
  })

  test('is not blamed for the time in which the hub itself stood still (F-pause)', async () => {
    const { answers, says, passes, stall } = world()
    answers()
    says(event('word '))
    expect(await passes(2_000)).toBe('going on')
    stall(30_000)
    expect(await passes(2_500)).toBe('going on')
    expect(await passes(1_000)).toBe('gap_timeout')
  })
})

describe('an attempt', () => {
  test('ends with what the engine claims and how fast it was', async () => {
    const { answers, says, ends, passes, over } = world()
    answers()
    await passes(700)
    for (let token = 0; token < 5; token++) {
      says(event('word ', { token_ids: [token] }))
      await passes(50)
    }
    says(`${END}`)
    ends()
    expect(await passes(0)).toBe('complete')
    expect(over.outcome).toEqual({
      kind: 'complete',
      tokens: 6,
      claim: { prompt: null, completion: null },
      timing: { firstTokenMs: 700, gapsMs: [50, 50, 50, 50, 50] },
    })
  })

  test.each([
    ['the link breaks', (host: ReturnType<typeof world>) => host.breaks(), 'complete'],
    ['the engine goes on', (host: ReturnType<typeof world>) => host.says(event('more')), 'complete'],
    ['the engine sends garbage', (host: ReturnType<typeof world>) => host.says('data: {"\n\n'), 'complete'],
    ['nothing more comes', () => {}, 'complete'],
  ])('that has its finish_reason is complete, whatever comes then: %s', async (_, then, result) => {
    const host = world()
    host.answers()
    host.says(event('.', { finish_reason: 'stop' }))
    then(host)
    expect(await host.passes(4_100)).toBe(result)
  })

  test.each([
    [400, 'blamed'],
    [413, 'blamed'],
    [422, 'blamed'],
    [401, 'status_401'],
    [404, 'status_404'],
    [408, 'status_408'],
    [429, 'status_429'],
    [500, 'status_500'],
    [503, 'status_503'],
    [302, 'status_302'],
  ])('answered with status %d is %s', async (status, result) => {
    const { answers, says, ends, passes } = world()
    answers(status)
    says('{"error":{"message":"no"}}')
    ends()
    expect(await passes(0)).toBe(result)
  })

  test('is stopped when the client leaves, and nothing more of it is heard', async () => {
    const { answers, says, leaving, passes, pieces, cancelled } = world()
    answers()
    says(event('one'))
    leaving.abort()
    says(event('two'))
    expect([await passes(60_000), pieces.length, cancelled()]).toEqual(['stopped', 1, 1])
  })

  test('ends where the hub has heard enough', async () => {
    const { answers, says, passes, cancelled } = world({ enough: () => true })
    answers()
    says(event('one') + event('two'))
    expect([await passes(0), cancelled()]).toEqual(['complete', 1])
  })

  test('lets the host send more as its client takes what came', async () => {
    let takes: (() => void)[] = []
    const { answers, says, credited } = world({ whenTaken: (then) => void takes.push(then) })
    const take = () => {
      for (const then of takes.splice(0)) then()
    }
    answers()
    says(event('x'.repeat(10_000)))
    take()
    expect(credited).toEqual([])
    says(event('x'.repeat(10_000)))
    expect(credited).toEqual([])
    take()
    expect(credited.reduce((sum, bytes) => sum + bytes, 0)).toBeGreaterThan(20_000)
    takes = []
  })

  test('sets no timer for a chunk', async () => {
    const { env, answers, says } = world()
    answers()
    says(event('word '))
    const timers = env.timers()
    for (let token = 0; token < 1_000; token++) says(event('word '))
    expect(env.timers()).toBe(timers)
  })
})
