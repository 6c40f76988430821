import { expect, test } from 'bun:test'
import { brokenPromises, late, type Promises } from './certificate.ts'
import { compare } from './money.ts'

const waits = { count: 10, p50: 5, p99: 900, max: 1_000 }
const books = {
  ...{ credit: '100', balances: '40', earnings: '51', fees: '9', refunds: '0', difference: '0', sum: '0' },
  ...{ openHolds: 0, problems: [], billedOnce: 10, alsoRefunded: 0, wrong: [] },
}
const good = {
  requests: 10,
  complete: 10,
  failures: {},
  answers: { truncated: 0, missing: 0, duplicated: 0, different: 0, other: 0 },
  waitsMs: { firstToken: waits, stall: waits, ownLag: waits },
  measuredMs: { 'stop --now': 200 },
  faults: { 'host killed': 3 },
  books,
}
const promises: Promises = {
  faults: ['host killed'],
  never: ['host lost its link'],
  complete: 8,
  mayFail: { tools: ['upstream_error'] },
  begunMayFail: ['upstream_error'],
  stallP99Ms: 3_500,
  firstTokenP99Ms: 2_000,
  atMostMs: { 'stop --now': 10_000 },
}
const failure = (more: object) => ({ documented: true, begun: 0, text: 0, tools: 0, json: 0, ...more })

test('a run in which all went well keeps every promise', () => {
  expect(brokenPromises(good, promises)).toEqual([])
  const refused = { ...good, complete: 9, failures: { upstream_error: failure({ tools: 1, begun: 1 }) } }
  expect(brokenPromises(refused, promises)).toEqual([])
})

test.each([
  ['a text stops early', { answers: { ...good.answers, truncated: 1 } }, '1 answers are truncated'],
  ['a form fails that may not', { complete: 9, failures: { upstream_error: failure({ text: 1 }) } }, 'for text failed'],
  [
    'a code nobody knows',
    { complete: 9, failures: { cut: failure({ tools: 1, documented: false }) } },
    'nobody documented',
  ],
  ['a request has no end', { requests: 11 }, '1 requests have no end'],
  ['hardly anything was completed', { requests: 2, complete: 2 }, 'only 2 answers'],
  ['no fault was made', { faults: {} }, 'no host killed'],
  [
    'what must not happen did',
    { faults: { 'host killed': 1, 'host lost its link': 2 } },
    '2 times: host lost its link',
  ],
  ['the books do not sum to zero', { books: { ...books, sum: '1' } }, 'the books sum to 1'],
  ['money is missing', { books: { ...books, difference: '-5' } }, '-5 nano-dollars'],
  ['a hold is left', { books: { ...books, openHolds: 1 } }, '1 holds'],
  ['the ledger check found something', { books: { ...books, problems: [{ what: 'a balance' }] } }, '1 problems'],
  ['a bill is wrong', { books: { ...books, wrong: ['req_1 is failed'] } }, 'req_1 is failed'],
])('%s: a promise is broken', (_, more, words) => {
  const broken = brokenPromises({ ...good, ...more }, promises)
  expect(broken).toHaveLength(1)
  expect(broken[0]).toContain(words)
})

test.each([
  ['nothing was late', {}, []],
  [
    'streams stood still',
    { waitsMs: { ...good.waitsMs, stall: { ...waits, p99: 3_501 } } },
    ['1 stream of 100 stood still for 3501 ms or longer'],
  ],
  [
    'first tokens were late',
    { waitsMs: { ...good.waitsMs, firstToken: { ...waits, p99: 2_001 } } },
    ['1 of 100 waited 2001 ms or longer for its first token'],
  ],
  ['something took too long', { measuredMs: { 'stop --now': 10_001 } }, ['stop --now took 10001 ms, of 10000 allowed']],
  ['something was not measured', { measuredMs: {} }, ['stop --now took Infinity ms, of 10000 allowed']],
])('%s', (_, more, words) => {
  expect(late({ ...good, ...more }, promises)).toEqual(words)
})

test('what has begun may be promised not to fail', () => {
  const failures = { upstream_error: failure({ tools: 1, begun: 1 }) }
  const broken = brokenPromises({ ...good, complete: 9, failures }, { ...promises, begunMayFail: [] })
  expect(broken).toEqual(['1 answers failed with upstream_error after they had begun'])
})

const row = (id: string, more: object = {}) => ({
  ...{ id, state: 'completed', cost: 30n, promptTokens: 10, completionTokens: 20, hostId: 'berlin' },
  ...{ promptPicos: 1_000, completionPicos: 1_000 },
  ...more,
})
const told = (id: string, cost = 3e-8) => new Map([[id, { cost, attempts: 1 }]])
const none = new Set<string>()

test('an answer that stands in the books as its client was told agrees with them', () => {
  const agreed = { billedOnce: 1, alsoRefunded: 0, wrong: [] }
  expect(compare([row('a')], { costs: told('a'), failedIds: none })).toEqual(agreed)
  const lost = compare([row('a', { state: 'lost' })], { costs: told('a'), failedIds: none })
  expect(lost).toEqual({ ...agreed, alsoRefunded: 1 })
  const free = [row('b', { state: 'failed', cost: 0n }), row('c', { state: 'lost' })]
  expect(compare(free, { costs: new Map(), failedIds: new Set(['b']) }).wrong).toEqual([])
})

test.each([
  ['a is not in the books', [], told('a'), none],
  ['a cost 4e-8', [row('a')], told('a', 4e-8), none],
  ['a was not charged at its price', [row('a', { cost: 31n })], told('a', 3.1e-8), none],
  ['a paid no host', [row('a', { hostId: null })], told('a'), none],
  ['a is failed', [row('a', { state: 'failed' })], told('a'), none],
  ['a failed for its client, and cost', [row('a')], new Map(), new Set(['a'])],
  ['a was never seen by a client, and cost', [row('a')], new Map(), none],
] as const)('the books disagree: %s', (words, rows, costs, failedIds) => {
  const { wrong } = compare(rows, { costs: new Map(costs), failedIds: new Set(failedIds) })
  expect(wrong).toHaveLength(1)
  expect(wrong[0]).toStartWith(words)
})
