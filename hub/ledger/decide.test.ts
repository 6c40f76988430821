import { describe, expect, test } from 'bun:test'
import { split } from '../../sdk/money.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { Books, type Found, type FoundOnce } from './books.ts'
import { decide } from './decide.ts'
import type { Item, Once, Outcome } from './items.ts'
import { chargedRow, freeRow } from './request-row.ts'
import { ADA, ended } from './testing.ts'

const { keyId } = ended('any')
const nothing: Found = { accounts: [], grants: [], requests: [], postings: [], onces: [] }

describe('a grant', () => {
  // balance, granted to others, what waits → granted, left, spare
  const cases: [bigint, bigint, bigint[], bigint, bigint, bigint][] = [
    [1_000n, 0n, [5n], 100n, 900n, 100n],
    [1_000n, 0n, [100n], 100n, 900n, 100n],
    [1_000n, 0n, [101n], 101n, 899n, 0n],
    [1_000n, 500n, [5n], 50n, 450n, 50n],
    [1_000n, 500n, [500n], 500n, 0n, 0n],
    [10n, 0n, [3n, 3n, 3n, 3n], 9n, 1n, 0n],
    [10n, 0n, [11n, 4n, 7n, 6n], 10n, 0n, 0n],
    [10n, 0n, [11n], 0n, 10n, 0n],
    [0n, 0n, [1n], 0n, 0n, 0n],
  ]
  test.each(cases)('of %p with %p elsewhere for holds of %p', (balance, elsewhere, needs, granted, left, spare) => {
    const grants = [{ holder: 'other', account: ADA, amount: elsewhere }]
    const books = new Books('hub', 1, { ...nothing, accounts: [{ id: ADA, balance, granted: elsewhere }], grants })
    const outcomes = decide(books, [{ kind: 'take', account: ADA, committed: 0n, needs }])
    expect(outcomes).toEqual([{ kind: 'taken', granted, left, spare }])
    expect(books.account(ADA).granted).toBe(elsewhere + granted)
  })

  test('asked for twice, because nobody heard the answer, is enlarged once', () => {
    const found = (granted: bigint) => ({
      ...nothing,
      accounts: [{ id: ADA, balance: 1_000n, granted }],
      grants: [{ holder: 'hub', account: ADA, amount: granted }],
    })
    const take: Item = { kind: 'take', account: ADA, committed: 200n, needs: [300n] }
    const once = decide(new Books('hub', 1, found(200n)), [take])
    expect(once).toEqual([{ kind: 'taken', granted: 500n, left: 500n, spare: 0n }])
    const again = decide(new Books('hub', 1, found(500n)), [take])
    expect(again).toMatchObject([{ kind: 'taken', granted: 550n, spare: 50n }])
  })

  test('is trimmed to what is kept, once or twice', () => {
    const found = {
      ...nothing,
      accounts: [{ id: ADA, balance: 100n, granted: 60n }],
      grants: [{ holder: 'hub', account: ADA, amount: 60n }],
    }
    const books = new Books('hub', 1, found)
    const trim: Item = { kind: 'trim', account: ADA, holder: 'hub', keep: 40n }
    decide(books, [trim, trim])
    expect(books.granted('hub', ADA)).toBe(40n)
    expect(books.account(ADA).granted).toBe(40n)
  })
})

describe('a settlement', () => {
  const settle = (id: string, cost: bigint, giveBack = 0n): Item => {
    const { fee, share } = split(cost, 150_000)
    const row = chargedRow(ended(id), { cost, fee, hostShare: share, delivered: false })
    return {
      kind: 'settle',
      id,
      account: ADA,
      host: 'berlin',
      holder: 'hub',
      cost,
      fee,
      share,
      giveBack,
      row,
    }
  }
  const world = (balance: bigint, granted: bigint, more: Partial<Found> = {}) =>
    new Books('hub', 1, {
      ...nothing,
      accounts: [{ id: ADA, balance, granted }],
      grants: granted > 0n ? [{ holder: 'hub', account: ADA, amount: granted }] : [],
      ...more,
    })

  test('takes the cost from balance and grant, and gives back what goes with it', () => {
    const books = world(1_000n, 100n)
    expect(decide(books, [settle('req_1', 60n, 30n)])).toEqual([{ kind: 'done' }])
    expect(books.account(ADA)).toMatchObject({ balance: 940n, granted: 10n })
    expect(books.account('host:berlin:pending').balance).toBe(51n)
  })

  test('of a hub that lost its grant charges what is free, and is refused beyond it', () => {
    const books = world(100n, 0n, { grants: [] })
    const outcomes = decide(books, [settle('req_1', 60n, 30n), settle('req_2', 41n), settle('req_3', 40n)])
    expect(outcomes).toMatchObject([{ kind: 'done' }, { kind: 'refused', why: 'uncovered' }, { kind: 'done' }])
    expect(books.account(ADA)).toMatchObject({ balance: 0n, granted: 0n })
  })

  test('done twice charges once; for another amount it is a bug; after a refund it is refused', () => {
    const requests: Found['requests'] = [
      { id: 'req_1', keyId, state: 'completed', cost: 60n, delivered: false },
      { id: 'req_2', keyId, state: 'lost', cost: 60n, delivered: false },
    ]
    const books = world(1_000n, 100n, { requests })
    const outcomes = decide(books, [settle('req_1', 60n), settle('req_1', 61n), settle('req_2', 60n)])
    expect(outcomes).toMatchObject([{ kind: 'done' }, { why: 'broken' }, { why: 'lost' }])
    expect(books.changedAccounts()).toEqual([])
  })

  test('of nothing writes the request down and moves nothing', () => {
    const books = world(1_000n, 100n)
    expect(decide(books, [settle('req_1', 0n)])).toEqual([{ kind: 'done' }])
    expect([books.newRows.length, books.newPostings.length, books.changedAccounts().length]).toEqual([1, 0, 0])
  })

  test('that overflows the host’s account is refused and leaves the grant as it was', () => {
    const full = { id: 'host:berlin:pending', balance: 2n ** 63n - 1n, granted: 0n }
    const books = world(1_000n, 100n, { accounts: [{ id: ADA, balance: 1_000n, granted: 100n }, full] })
    expect(decide(books, [settle('req_1', 60n, 40n)])).toMatchObject([{ why: 'too_large' }])
    expect(books.changedAccounts()).toEqual([])
    expect(books.granted('hub', ADA)).toBe(100n)
  })

  test('splits any cost at any fee into parts that make the whole', () => {
    const env = virtualEnv({ seed: 7 })
    const random = () => env.random(7).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
    for (let i = 0; i < 2_000; i++) {
      const cost = random() % 10n ** BigInt(1 + (i % 16))
      const { fee, share } = split(cost, Number(random() % 1_000_001n))
      expect(fee + share).toBe(cost)
      expect(fee >= 0n && share >= 0n).toBe(true)
    }
  })
})

describe('an answer that did not arrive', () => {
  const lose = (row: Item & { kind: 'lose' }) => row
  const item = lose({ kind: 'lose', id: 'req_1', account: ADA, row: null })
  const row = freeRow(ended('req_1', { state: 'failed' }))
  const request = (state: 'completed' | 'cancelled' | 'failed' | 'lost', delivered: boolean) =>
    new Books('hub', 1, { ...nothing, requests: [{ id: 'req_1', keyId, state, cost: 60n, delivered }] })

  // what the books say, whether its own hub takes it back → outcome, refunded
  const cases: [Books, boolean, Outcome, boolean][] = [
    [request('completed', false), false, { kind: 'undone', charged: true }, true],
    [request('completed', true), false, { kind: 'undone', charged: false }, false],
    [request('cancelled', true), true, { kind: 'undone', charged: true }, true],
    [request('failed', true), true, { kind: 'undone', charged: false }, false],
    [request('lost', false), false, { kind: 'undone', charged: true }, false],
    [new Books('hub', 1, nothing), true, { kind: 'undone', charged: false }, false],
  ]
  test.each(cases)('%#', (books, own, outcome, refunded) => {
    expect(decide(books, [own ? { ...item, row } : item])).toEqual([outcome])
    expect(books.newPostings.length).toBe(refunded ? 1 : 0)
    expect(books.account(ADA).balance).toBe(refunded ? 60n : 0n)
    expect(books.spent).toEqual(new Map(refunded ? [[keyId, -60n]] : []))
  })
})

describe('an idempotency key', () => {
  const once: Once = {
    ...{ id: 'hash', requestId: 'req_2', userId: 'ada', keyId, body: 'tea', stream: false },
    ...{ at: 5, expiresAt: 1_000 },
  }
  const first: FoundOnce = {
    ...{ ...once, requestId: 'req_1', state: 'done', hasAnswer: true },
    ...{ hubStands: true, refunded: false },
  }
  const world = (...onces: FoundOnce[]) => new Books('hub', 10, { ...nothing, onces })

  // what is known → begun, or what the next request is told; its answer counts as delivered
  const cases: [string, FoundOnce | null, 'begun' | 'known', string[]][] = [
    ['nobody used', null, 'begun', []],
    ['of a request that runs', { ...first, state: 'running', hasAnswer: false }, 'known', []],
    ['of a hub that is gone', { ...first, state: 'running', hasAnswer: false, hubStands: false }, 'begun', []],
    ['of an answer that is kept', first, 'known', ['req_1']],
    ['of an answer kept by a hub that is gone', { ...first, hubStands: false }, 'known', ['req_1']],
    ['of an answer for another body', { ...first, body: 'coffee' }, 'known', []],
    ['of an answer that only another API key reads', { ...first, keyId: 'key_other' }, 'known', []],
    ['of an answer that was not kept', { ...first, hasAnswer: false }, 'known', []],
    ['of an answer that was refunded', { ...first, refunded: true }, 'begun', []],
    ['of a day ago', { ...first, expiresAt: 10 }, 'begun', []],
    ['of this very request, sent again to the books', { ...first, requestId: 'req_2' }, 'begun', []],
  ]
  test.each(cases)('%s', (_, known, outcome, delivered) => {
    const books = world(...(known ? [known] : []))
    expect(decide(books, [{ kind: 'begin', once }])).toMatchObject([{ kind: outcome }])
    expect(books.delivered).toEqual(delivered)
    const row = { once: { ...once, state: 'running' as const, hasAnswer: false }, answer: null }
    expect(books.changedOnces()).toEqual({ set: outcome === 'begun' ? [row] : [], forgotten: [] })
  })

  test('keeps the answer of the request that has it, and no other', () => {
    const keep: Item = { kind: 'keep', once, answer: 'sealed', until: 99 }
    const mine = world({ ...first, requestId: 'req_2', state: 'running', hubStands: false })
    expect(decide(mine, [keep, keep])).toMatchObject([{ kind: 'done' }, { kind: 'done' }])
    expect(mine.changedOnces().set).toMatchObject([{ once: { state: 'done', expiresAt: 99 }, answer: 'sealed' }])
    expect(decide(world(first), [keep])).toMatchObject([{ kind: 'refused', why: 'lost' }])
  })

  test('is free again when the request that has it ended without a charge', () => {
    const forget: Item = { kind: 'forget', once }
    const books = world({ ...first, requestId: 'req_2', state: 'running' })
    decide(books, [forget])
    expect(books.changedOnces().forgotten).toEqual(['hash'])
    decide(books, [{ kind: 'begin', once }])
    expect(books.changedOnces()).toMatchObject({ set: [{ once: { requestId: 'req_2' } }], forgotten: [] })
    const other = world(first)
    decide(other, [forget])
    expect(other.changedOnces().forgotten).toEqual([])
  })
})
