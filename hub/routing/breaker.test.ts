import { describe, expect, test } from 'bun:test'
import {
  after,
  type Breaker,
  type BreakerEvent,
  FIRST_BACK_OFF_MS,
  LAST_BACK_OFF_MS,
  STEADY_MS,
  unharmed,
  WINDOW_MS,
} from './breaker.ts'

const answered: BreakerEvent = { kind: 'answered' }
const waited: BreakerEvent = { kind: 'waited' }
const failed: BreakerEvent = { kind: 'failed', weight: 1 }
const nobodysFault: BreakerEvent = { kind: 'failed', weight: 0 }
const broken: BreakerEvent = { kind: 'failed', weight: Number.POSITIVE_INFINITY, leastMs: 600_000 }

const closed = (at: number[], { trips = 0, since = 0 } = {}): Breaker => ({
  state: 'closed',
  failures: at.map((each) => ({ at: each, weight: 1 })),
  trips,
  since,
})
const open = (trips: number, until: number): Breaker => ({ state: 'open', trips, until })
const halfOpen = (trips: number): Breaker => ({ state: 'half-open', trips })

test.each<[string, Breaker, BreakerEvent, number, Breaker]>([
  ['closed and unharmed, an answer changes nothing', unharmed, answered, 5, unharmed],
  ['closed, what is nobody’s fault changes nothing', closed([1, 2]), nobodysFault, 5, closed([1, 2])],
  ['closed, a first failure is remembered', unharmed, failed, 5, closed([5])],
  ['closed, a second is, too', closed([5]), failed, 6, closed([5, 6])],
  ['closed, a third opens it', closed([5, 6]), failed, 7, open(1, 7 + FIRST_BACK_OFF_MS)],
  [
    'closed, a third at the window’s last moment opens it',
    closed([0, 1]),
    failed,
    WINDOW_MS - 1,
    open(1, WINDOW_MS - 1 + FIRST_BACK_OFF_MS),
  ],
  ['closed, a third a window later does not', closed([0, 1]), failed, WINDOW_MS, closed([1, WINDOW_MS])],
  ['closed, an answer takes the oldest back', closed([5, 6]), answered, 7, closed([6])],
  ['closed, time takes back what is old', closed([0, 9]), waited, WINDOW_MS, closed([9])],
  ['closed, a seat that says it is broken is believed at once', unharmed, broken, 5, open(1, 600_005)],
  [
    'closed again, the next trip is longer',
    closed([20, 21], { trips: 1, since: 10 }),
    failed,
    22,
    open(2, 22 + 2 * FIRST_BACK_OFF_MS),
  ],
  [
    'closed for long, the next trip is a first one',
    closed([STEADY_MS + 8, STEADY_MS + 9], { trips: 5, since: 10 }),
    failed,
    STEADY_MS + 10,
    open(1, STEADY_MS + 10 + FIRST_BACK_OFF_MS),
  ],
  ['open, what began before changes nothing: failures', open(1, 100), failed, 50, open(1, 100)],
  ['open, what began before changes nothing: answers', open(1, 100), answered, 50, open(1, 100)],
  ['open, word that it is broken keeps it open longer', open(1, 100), broken, 50, open(1, 600_050)],
  ['open, before its time', open(1, 100), waited, 99, open(1, 100)],
  ['open, when its time has come', open(3, 100), waited, 100, halfOpen(3)],
  ['half-open, an answer closes it', halfOpen(3), answered, 200, closed([], { trips: 3, since: 200 })],
  ['half-open, a failure opens it for longer', halfOpen(3), failed, 200, open(4, 200 + 8 * FIRST_BACK_OFF_MS)],
  ['half-open, what is nobody’s fault leaves it so', halfOpen(3), nobodysFault, 200, halfOpen(3)],
  ['half-open, time leaves it so', halfOpen(3), waited, 9_999_999, halfOpen(3)],
  ['half-open, the back-off stops growing', halfOpen(40), failed, 200, open(41, 200 + LAST_BACK_OFF_MS)],
])('%s', (_, before, event, now, expected) => {
  expect(after(before, event, now)).toEqual(expected)
})

describe('over a life', () => {
  test('a host that fails one request in three keeps its seat, one that fails two in three loses it', () => {
    const live = (fails: (turn: number) => boolean) => {
      let breaker = unharmed
      for (let turn = 0; turn < 300; turn++) breaker = after(breaker, fails(turn) ? failed : answered, turn * 100)
      return breaker.state
    }
    expect(live((turn) => turn % 3 === 0)).toBe('closed')
    expect(live((turn) => turn % 3 !== 0)).toBe('open')
  })

  test('a host that never recovers is tried ever more seldom, and at least every ten minutes', () => {
    let breaker: Breaker = open(1, FIRST_BACK_OFF_MS)
    const tries: number[] = []
    for (let now = 0; now < 3_600_000; now += 1_000) {
      breaker = after(breaker, waited, now)
      if (breaker.state !== 'half-open') continue
      tries.push(now / 1_000)
      breaker = after(breaker, failed, now)
    }
    const waits = tries.slice(1).map((at, index) => at - tries[index]!)
    expect(waits).toEqual([10, 20, 40, 80, 160, 320, 600, 600, 600, 600])
  })
})
