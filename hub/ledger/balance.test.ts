import { describe, expect, test } from 'bun:test'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { balance } from './balance.ts'
import { checkLedger } from './check.ts'
import { FEES } from './chart.ts'
import { HOUR_MS } from './roll-up.ts'
import { statement } from './statement.ts'

const NOON = Date.UTC(2026, 10, 20, 12)

describe.each(testDialects)('an account of the platform on %s', (dialect) => {
  test('has what its entries sum to, whenever they were made', async () => {
    const world = await testDatabase(dialect)
    const { db } = world
    const { postings, entries } = db.tables
    let sum = 0n
    const pay = async (at: number, amount: bigint) => {
      const key = `paid:${at}:${amount}`
      await db.query.insert(postings).values({ key, kind: 'credit', note: '', at })
      await db.query.insert(entries).values([
        { posting: key, line: 0, account: FEES, amount, at },
        { posting: key, line: 1, account: 'platform:credits', amount: -amount, at },
      ])
      sum += amount
    }
    const holds = async () => {
      expect(await balance(db, FEES)).toBe(sum)
      expect(await balance(db, 'platform:credits')).toBe(-sum)
      expect((await checkLedger(db)).problems).toEqual([])
    }
    await holds()
    // In any order, as after a clock was set back, and beyond what a double holds.
    for (const [at, amount] of [
      [NOON, 1n],
      [NOON - 400 * HOUR_MS, 7n],
      [NOON + HOUR_MS - 1, -3n],
      [NOON + HOUR_MS, 2n ** 60n + 1n],
    ] as const)
      await pay(at, amount)
    await holds()
    await world.drop()
  })
})

describe.each(testDialects)('a statement on %s', (dialect) => {
  test('goes on where the last page ended, also within one instant', async () => {
    const world = await testDatabase(dialect)
    const { db } = world
    const keys = ['a', 'b', 'c', 'd', 'e']
    const at = (i: number) => NOON + Math.floor(i / 2)
    await db.query
      .insert(db.tables.postings)
      .values(keys.map((key, i) => ({ key, kind: 'credit' as const, note: '', at: at(i) })))
    await db.query
      .insert(db.tables.entries)
      .values(keys.map((posting, i) => ({ posting, line: 0, account: FEES, amount: 1n, at: at(i) })))
    const seen: string[] = []
    for (let before: { at: number; posting: string } | null = null; ; ) {
      const lines = await statement(db, FEES, { limit: 1, before })
      const [line] = lines
      if (!line) break
      seen.push(line.posting)
      before = line
    }
    expect(seen).toEqual(keys.toReversed())
    await world.drop()
  })
})
