import { describe, expect, test } from 'bun:test'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { MAX_MONEY } from '../../sdk/money.ts'
import { balance, platformBalances } from './balance.ts'
import { checkLedger } from './check.ts'
import { CREDITS, FEES, PLATFORM, RELIABILITY, VALIDATION } from './chart.ts'
import { HOUR_MS } from './roll-up.ts'
import { statement } from './statement.ts'
import { pay, testBooks } from './testing.ts'

const NOON = Date.UTC(2026, 10, 20, 12)

describe.each(testDialects)('the platform’s accounts on %s', (dialect) => {
  test('have what their entries sum to: clocks set back, several hubs, refunds, checks, credit beyond int64', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const { db } = books.world
    const holds = async () => {
      const { entries } = db.tables
      const rows = await db.query.select({ account: entries.account, amount: entries.amount }).from(entries)
      const sums = PLATFORM.map((account): [string, bigint] => [
        account,
        rows.reduce((sum, row) => (row.account === account ? sum + row.amount : sum), 0n),
      ])
      expect(await platformBalances(db)).toEqual(new Map(sums))
      for (const [account, sum] of sums) expect(await balance(db, account)).toBe(sum)
      expect((await checkLedger(db)).problems).toEqual([])
    }
    await holds()
    const [one, other] = [await books.hub({ alone: false }), await books.hub({ alone: false })]
    await Promise.all([pay(one, 'req_1', 100n), pay(other, 'req_2', 50n)])
    await holds()
    books.env.jump(-400 * HOUR_MS)
    await Promise.all([pay(one, 'req_3', 20n), pay(other, 'req_4', 10n)])
    await holds()
    other.refund('req_2')
    await one.payForCheck({ hostId: 'berlin', amount: 7n, key: 'check', note: '' })
    for (const name of ['bob', 'eva'])
      await other.credit({ account: `client:${name}`, amount: MAX_MONEY, key: name, note: '' })
    for (const id of ['req_1', 'req_3', 'req_4']) one.delivered(id)
    await one.close()
    await other.close()
    await holds()
    expect(await platformBalances(db)).toEqual(
      new Map([
        [FEES, 15n + 7n + 3n + 1n],
        [CREDITS, -1_000n - 2n * MAX_MONEY],
        [RELIABILITY, -50n],
        [VALIDATION, -7n],
      ]),
    )
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
