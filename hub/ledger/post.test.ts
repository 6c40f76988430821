import { describe, expect, test } from 'bun:test'
import { MAX_MONEY } from '../../sdk/money.ts'
import { Books, type Found } from './books.ts'
import { post } from './post.ts'

const nothing: Found = { accounts: [], grants: [], requests: [], postings: [], onces: [] }
const books = (accounts: Found['accounts'] = []) => new Books('hub', 1, { ...nothing, accounts })
const posting = (key: string, lines: Record<string, bigint>) => ({
  key,
  kind: 'credit' as const,
  note: '',
  at: 1,
  lines: Object.entries(lines).map(([account, amount]) => ({ account, amount })),
})

describe('a posting', () => {
  test('moves money, and leaves lines of zero out', () => {
    const world = books([{ id: 'client:ada', balance: 10n, granted: 0n }])
    const lines = { 'client:ada': -4n, 'host:berlin:pending': 4n, 'platform:fees': 0n }
    expect(post(world, posting('a', lines))).toEqual({ kind: 'posted', first: true })
    expect(world.account('client:ada').balance).toBe(6n)
    expect(world.account('host:berlin:pending').balance).toBe(4n)
    expect(world.newPostings[0]?.lines.length).toBe(2)
  })

  test('done twice is done once', () => {
    const world = books()
    post(world, posting('a', { 'platform:credits': -4n, 'client:ada': 4n }))
    expect(post(world, posting('a', { 'platform:credits': -4n, 'client:ada': 4n }))).toEqual({
      kind: 'posted',
      first: false,
    })
    expect(world.account('client:ada').balance).toBe(4n)
    expect(world.newPostings.length).toBe(1)
  })

  test('that does not sum to zero, or names an account twice, is a bug', () => {
    expect(() => post(books(), posting('a', { 'client:ada': 4n, 'platform:credits': -3n }))).toThrow('sum to zero')
    const twice = { ...posting('a', {}), lines: [1n, -1n].map((amount) => ({ account: 'client:ada', amount })) }
    expect(() => post(books(), twice)).toThrow('twice')
  })

  test('is of accounts that the chart knows', () => {
    const stray = posting('a', { 'client:ada': 4n, 'platform:feast': -4n })
    expect(() => post(books(), stray)).toThrow('not in the chart')
  })

  test('cannot overdraw a client, nor touch what is set aside, and then moves nothing', () => {
    const world = books([{ id: 'client:ada', balance: 10n, granted: 8n }])
    expect(post(world, posting('a', { 'host:berlin:pending': 3n, 'client:ada': -3n }))).toMatchObject({
      why: 'uncovered',
    })
    expect(world.changedAccounts()).toEqual([])
    expect(post(world, posting('a', { 'host:berlin:pending': 2n, 'client:ada': -2n }))).toMatchObject({ first: true })
  })

  test('cannot make an account hold more than the database can', () => {
    const world = books([{ id: 'client:ada', balance: MAX_MONEY - 1n, granted: 0n }])
    expect(post(world, posting('a', { 'client:ada': 2n, 'platform:credits': -2n }))).toMatchObject({ why: 'too_large' })
    expect(post(world, posting('b', { 'client:ada': 1n, 'platform:credits': -1n }))).toMatchObject({ first: true })
    expect(world.account('client:ada').balance).toBe(MAX_MONEY)
    const huge = { 'platform:credits': -MAX_MONEY - 1n, 'platform:fees': MAX_MONEY + 1n }
    expect(post(world, posting('c', huge))).toMatchObject({ why: 'too_large' })
  })
})
