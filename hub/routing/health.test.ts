import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import type { HostFailure } from '../fleet/failures.ts'
import type { Failure, Link } from '../tunnel/link.ts'
import { type Blame, blameFor } from './blame.ts'
import { Health } from './health.ts'
import { Sketch } from './sketch.ts'
import { Standing } from './standing.ts'
import { type Seat, Turns } from './turns.ts'

const seat = (hostId: string, draining = false): Seat => ({
  ...{ hostId, ownerId: 'ada', simulated: false, vetted: false, variant: 'test/model', name: 'test/model', weight: 4 },
  ...{ slots: 4, contextTokens: 8_192, tokenIds: true, link: { hostId, draining } as Link },
})
const times = (length: number, ms: number) => Array.from({ length }, () => ms)

function world() {
  const noted: HostFailure[] = []
  const standing = new Standing({ env: virtualEnv(), turns: new Turns(), tripped() {} })
  const health = new Health({ standing, mostFirstTokenMs: 30_000, note: (failure) => void noted.push(failure) })
  const answer = (host: string, { times: count = 20, firstTokenMs = 200, gapsMs = times(50, 20) } = {}) => {
    for (let i = 0; i < count; i++) health.answered(seat(host), { firstTokenMs, gapsMs })
  }
  return { noted, health, answer }
}

describe('patience', () => {
  test('is the longest there is with a seat nobody knows', () => {
    expect(world().health.patience(seat('berlin'))).toEqual({ firstTokenMs: 30_000, gapMs: 10_000 })
  })

  test.each([
    ['a fast one', 20, 3_000],
    ['a slow one', 300, 6_000],
    ['a very slow one', 2_000, 10_000],
  ])('between tokens is 20 × the slowest in a hundred, within bounds: %s', (_, gap, expected) => {
    const { health, answer } = world()
    answer('berlin', { gapsMs: times(50, gap) })
    const { gapMs } = health.patience(seat('berlin'))
    expect(gapMs).toBeGreaterThanOrEqual(expected)
    expect(gapMs).toBeLessThanOrEqual(Math.min(10_000, expected * 1.21))
  })

  test('until the first token follows what was measured, within bounds', () => {
    const { health, answer } = world()
    answer('quick', { firstTokenMs: 100 })
    answer('queued', { firstTokenMs: 5_000 })
    answer('late', { firstTokenMs: 20_000 })
    expect(health.patience(seat('quick')).firstTokenMs).toBe(10_000)
    const queued = health.patience(seat('queued')).firstTokenMs
    expect([queued > 20_000, queued < 24_200]).toEqual([true, true])
    expect(health.patience(seat('late')).firstTokenMs).toBe(30_000)
  })

  test('with a new seat is that with others of its variant; a seat that is known stands for itself', () => {
    const { health, answer } = world()
    answer('berlin', { gapsMs: times(50, 10) })
    expect(health.patience(seat('new')).gapMs).toBe(3_000)
    answer('slow', { gapsMs: times(50, 400) })
    expect(health.patience(seat('slow')).gapMs).toBeGreaterThan(7_999)
    expect(health.patience(seat('berlin')).gapMs).toBe(3_000)
  })

  test('waits for enough answers before it believes them', () => {
    const { health, answer } = world()
    answer('berlin', { times: 1, gapsMs: times(50, 10) })
    expect(health.patience(seat('berlin')).gapMs).toBe(10_000)
  })
})

describe('a sketch', () => {
  test('is at most a fifth above the true percentile, over five orders of magnitude', () => {
    for (const scale of [1, 10, 100, 1_000, 10_000]) {
      const sketch = new Sketch()
      for (let i = 1; i <= 1_000; i++) sketch.add((i * scale) / 100)
      for (const share of [0.5, 0.9, 0.99]) {
        const exact = Math.max(1, share * 10 * scale)
        const found = sketch.percentile(share)
        expect(found).toBeGreaterThanOrEqual(exact * 0.999)
        expect(found).toBeLessThanOrEqual(exact * 1.21)
      }
    }
  })

  test('forgets: what a host was like long ago fades', () => {
    const sketch = new Sketch()
    for (let i = 0; i < 2_000; i++) sketch.add(5_000)
    for (let i = 0; i < 20_000; i++) sketch.add(10)
    expect(sketch.percentile(0.99)).toBeLessThan(13)
    expect(sketch.size).toBeLessThanOrEqual(2_049)
  })

  test('takes any number, and an empty one knows nothing', () => {
    const sketch = new Sketch()
    expect(sketch.percentile(0.99)).toBe(0)
    for (const ms of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e12]) sketch.add(ms)
    expect(sketch.percentile(1)).toBeGreaterThan(119_999)
  })
})

describe('whose fault', () => {
  const ready = false
  const draining = true
  test.each<[Failure['class'], string, boolean, Blame]>([
    ['client', 'status_400', ready, 'nobody'],
    ['hub', 'stopping', ready, 'nobody'],
    ['hub', 'internal', ready, 'nobody'],
    ['hub', 'link_full', ready, 'nobody'],
    ['network', 'link_closed', ready, 'link'],
    ['network', 'silent', ready, 'link'],
    ['network', 'superseded', ready, 'link'],
    ['network', 'quiet', ready, 'nobody'],
    ['network', 'link_closed', draining, 'link'],
    ['host', 'stopping', draining, 'nobody'],
    ['host', 'stopping', ready, 'seat'],
    ['host', 'refused:draining', draining, 'nobody'],
    ['host', 'refused:draining', ready, 'seat'],
    ['host', 'left', draining, 'nobody'],
    ['host', 'bad_token', ready, 'nobody'],
    ['host', 'locked', ready, 'nobody'],
    ['host', 'refused:full', ready, 'slow'],
    ['host', 'refused:unknown_model', ready, 'seat'],
    ['host', 'out_of_order', ready, 'seat'],
    ['host', 'first_token_timeout', ready, 'slow'],
    ['host', 'gap_timeout', ready, 'slow'],
    ['engine', 'garbage', ready, 'seat'],
    ['engine', 'cut', ready, 'seat'],
    ['engine', 'status_500', ready, 'seat'],
    ['engine', 'status_503', ready, 'slow'],
    ['engine', 'out_of_memory', ready, 'broken'],
  ])('%s %s, draining %p: %s', (whose, code, isDraining, expected) => {
    expect(blameFor({ class: whose, code, message: '' }, { draining: isDraining })).toBe(expected)
  })
})

test('a failure is noted with its evidence, in words that cannot act on a terminal', () => {
  const { health, noted } = world()
  const failure: Failure = { class: 'engine', code: 'cut', message: 'internal' }
  const message = `cut\u001b[31m off${'!'.repeat(500)}`
  health.failed(seat('berlin'), failure, { requestId: 'req_1', attempt: 2, tokens: 17, message })
  expect(noted).toEqual([
    {
      ...{ hostId: 'berlin', variant: 'test/model', class: 'engine', code: 'cut' },
      ...{ requestId: 'req_1', attempt: 2, tokens: 17, message: `cut [31m off${'!'.repeat(500)}`.slice(0, 200) },
    },
  ])
})

test('an owner who took the card back, and said so first, has no failure noted', () => {
  const { health, noted } = world()
  const evidence = { requestId: 'req_1', attempt: 1, tokens: 3, message: 'its owner wants the card' }
  for (const code of ['stopping', 'refused:draining', 'left'])
    health.failed(seat('berlin', true), { class: 'host', code, message: '' }, evidence)
  health.failed(seat('berlin', true), { class: 'engine', code: 'cut', message: '' }, evidence)
  health.failed(seat('berlin'), { class: 'host', code: 'stopping', message: '' }, evidence)
  expect(noted.map(({ code }) => code)).toEqual(['cut', 'stopping'])
})
