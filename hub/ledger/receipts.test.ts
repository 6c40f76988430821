import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type TestDatabase, testDatabase, testDialects } from '../../db/testing.ts'
import { LOOKED_AT, type Search, searchRequests } from './receipts.ts'

const NOON = Date.UTC(2026, 10, 20, 12)
const COUNT = 2 * LOOKED_AT + 10
/** Two that failed: among the newest, and the oldest of all. */
const FAILED = [COUNT - 3, 0]
const idOf = (n: number) => `req_${String(n).padStart(6, '0')}`

describe.each(testDialects)('a search among requests on %s', (dialect) => {
  let world: TestDatabase
  beforeAll(async () => {
    world = await testDatabase(dialect)
    const rows = Array.from({ length: COUNT }, (_, n) => ({
      ...{ id: idOf(n), hubId: 'hub', userId: 'ada', keyId: 'key_1', variant: n % 2 === 0 ? 'a:bf16' : 'b:fp8' },
      ...{ state: FAILED.includes(n) ? ('failed' as const) : ('completed' as const), stream: true },
      // Several in the same millisecond.
      ...{ at: NOON + Math.floor(n / 3), endedAt: NOON + n, promptTokens: 1, completionTokens: 1, countsDiffer: false },
      ...{ promptPicos: 1, completionPicos: 1, cost: 2n, fee: 1n, hostShare: 1n, attempts: 1, delivered: true },
    }))
    rows.push({ ...rows[0]!, id: 'req_of_bob', userId: 'bob', at: NOON + COUNT })
    for (let at = 0; at < rows.length; at += 500)
      await world.db.query.insert(world.db.tables.requests).values(rows.slice(at, at + 500))
  })
  afterAll(() => world.drop())

  /** Page by page to the end. */
  async function all(search: Omit<Search, 'before'>) {
    const pages: string[][] = []
    for (let before: string | null = null; ; ) {
      const { rows, next } = await searchRequests(world.db, 'ada', { ...search, before })
      pages.push(rows.map(({ id }) => id))
      if (next === null) return pages
      before = next
    }
  }

  test('finds what is rare, looking a bounded stretch back at a time and saying how far', async () => {
    const first = await searchRequests(world.db, 'ada', { state: 'failed', limit: 50, before: null })
    expect(first.rows.map(({ id }) => id)).toEqual([idOf(FAILED[0]!)])
    // All that was asked in the last millisecond is looked at.
    expect(first.next).toBe(idOf(COUNT - LOOKED_AT - 1))
    expect(first.lookedBackTo).toBe(NOON + Math.floor((COUNT - LOOKED_AT) / 3))
    expect(await all({ state: 'failed', limit: 50 })).toEqual([[idOf(FAILED[0]!)], [], [idOf(FAILED[1]!)]])
  })

  test('brings every request once, newest first, with and without a filter', async () => {
    const newest = Array.from({ length: COUNT }, (_, n) => idOf(COUNT - 1 - n))
    expect((await all({ limit: 700 })).flat()).toEqual(newest)
    const even = newest.filter((id) => Number(id.slice(4)) % 2 === 0)
    expect((await all({ variant: 'a:bf16', limit: 700 })).flat()).toEqual(even)
    expect(await all({ keyId: 'of nobody', limit: 700 })).toEqual([[], [], []])
    expect((await all({ keyId: 'of nobody', limit: 700, lookAt: 600 })).length).toBe(Math.ceil(COUNT / 600))
    expect((await all({ variant: 'a:bf16', limit: 200, lookAt: 600 })).flat()).toEqual(even)
    // Less than was asked within one millisecond.
    expect((await all({ from: NOON, to: NOON + 5, variant: 'a:bf16', limit: 50, lookAt: 1 })).flat()).toEqual(
      even.filter((id) => id < idOf(15)),
    )
  })

  test('keeps to a time, and ends where there is nothing older', async () => {
    const within = { from: NOON + 10, to: NOON + 11, limit: 50 }
    const three = [idOf(32), idOf(31), idOf(30)]
    expect(await searchRequests(world.db, 'ada', { ...within, before: null })).toMatchObject({ next: null })
    expect((await all({ ...within, limit: 2 })).flat()).toEqual(three)
    expect((await all({ ...within, keyId: 'key_1' })).flat()).toEqual(three)
    const { next, lookedBackTo } = await searchRequests(world.db, 'ada', { ...within, state: 'lost', before: null })
    expect([next, lookedBackTo]).toEqual([null, null])
  })
})
