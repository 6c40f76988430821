import { describe, expect, test } from 'bun:test'
import { givesWay, mostDue, type Party, roomFor, secondsUntilRoom } from './share.ts'

const usual = { loadFactor: 2, queueFactor: 0.5 }

// slots, factors → places, most of one account, waiting
test.each([
  [0, usual, 0, 0, 0],
  [1, usual, 2, 1, 8],
  [4, usual, 8, 6, 8],
  [64, usual, 128, 96, 32],
  [1_000, usual, 2_000, 1_500, 500],
  [10, { loadFactor: 1, queueFactor: 0 }, 10, 10, 0],
  [10, { loadFactor: 1.25, queueFactor: 1 }, 13, 10, 10],
])('%p slots have room', (slots, factors, places, mostOfOne, waiting) => {
  expect(roomFor(slots, factors)).toEqual({ places, mostOfOne, waiting })
})

test('one account alone keeps every slot busy, and leaves a place whenever there are more', () => {
  for (let slots = 1; slots < 300; slots++) {
    for (const loadFactor of [1, 1.1, 1.5, 2, 5]) {
      const room = roomFor(slots, { loadFactor, queueFactor: 0.5 })
      expect(room.mostOfOne).toBeGreaterThanOrEqual(slots)
      expect(room.mostOfOne).toBeLessThanOrEqual(room.places)
      if (loadFactor >= 1.5) expect(room.mostOfOne).toBeLessThan(room.places)
    }
  }
})

type Row = [name: string, running: number, waiting: number, servedAt: number]
const parties = (rows: Row[]) =>
  rows.map(([name, running, waiting, servedAt]) => ({ name, running, waiting, servedAt }))

describe('a free place goes to', () => {
  // who has what → whose it is
  const cases: [Row[], string | null][] = [
    [[], null],
    [[['ada', 5, 0, 1]], null],
    [[['ada', 5, 1, 1]], 'ada'],
    [
      [
        ['ada', 5, 9, 1],
        ['bob', 4, 1, 2],
      ],
      'bob',
    ],
    [
      [
        ['ada', 5, 9, 1],
        ['bob', 0, 0, 2],
      ],
      'ada',
    ],
    [
      [
        ['ada', 3, 9, 8],
        ['bob', 3, 1, 7],
      ],
      'bob',
    ],
    [
      [
        ['ada', 3, 1, 7],
        ['bob', 3, 1, 8],
        ['cid', 9, 1, 0],
      ],
      'ada',
    ],
  ]
  test.each(cases)('%j', (rows, whose) => {
    expect(mostDue(parties(rows))?.name ?? null).toBe(whose)
  })
})

describe('a full room makes way for', () => {
  const newcomer = (running: number, waiting: number): Party => ({ running, waiting, servedAt: 0 })
  // who is there, who comes → who has to go
  const cases: [Row[], Party, string | null][] = [
    [[['ada', 9, 8, 1]], newcomer(0, 0), 'ada'],
    [[['ada', 0, 8, 1]], newcomer(0, 7), null],
    [[['ada', 0, 8, 1]], newcomer(0, 6), 'ada'],
    [
      [
        ['ada', 9, 0, 1],
        ['bob', 1, 2, 1],
      ],
      newcomer(0, 0),
      'bob',
    ],
    [
      [
        ['ada', 9, 1, 1],
        ['bob', 1, 7, 1],
      ],
      newcomer(0, 0),
      'ada',
    ],
    [
      [
        ['ada', 1, 4, 1],
        ['bob', 1, 4, 1],
      ],
      newcomer(1, 4),
      null,
    ],
    [[], newcomer(0, 0), null],
  ]
  test.each(cases)('%j, %j', (rows, comes, goes) => {
    expect(givesWay(parties(rows), comes)?.name ?? null).toBe(goes)
  })
})

// waiting, a second, chance → seconds
test.each([
  [0, 0, 0.5, 5],
  [31, 0, 0, 4],
  [31, 0, 0.99, 6],
  [31, 32, 0.5, 1],
  [31, 8, 0.5, 4],
  [31, 8, 0, 3],
  [31, 8, 0.99, 5],
  [9_999, 1, 0.99, 10],
  [9_999, 1, 0, 8],
  [0, 1_000, 0, 1],
])('%p that wait, %p a second: try again', (waiting, leftPerSecond, chance, seconds) => {
  expect(secondsUntilRoom({ waiting, leftPerSecond }, chance)).toBe(seconds)
})
