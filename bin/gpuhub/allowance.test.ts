import { describe, expect, test } from 'bun:test'
import { Failure } from '../failure.ts'
import { allowanceInWords, allowanceJson, keyAllowanceFrom } from './allowance.ts'

const NOW = Date.UTC(2026, 10, 25)

describe('flags', () => {
  test.each([
    [{}, {}],
    [{ rpm: '60' }, { requestsPerMinute: 60 }],
    [
      { rpm: 'none', tpm: 'default' },
      { requestsPerMinute: 0, tokensPerMinute: null },
    ],
    [
      { concurrency: '4', budget: '5.00' },
      { concurrency: 4, budget: 5_000_000_000n },
    ],
    [
      { budget: 'none', expires: 'never' },
      { budget: null, expiresAt: null },
    ],
    [{ expires: '30d' }, { expiresAt: NOW + 30 * 86_400_000 }],
    [{ expires: '90m' }, { expiresAt: NOW + 90 * 60_000 }],
    [{ expires: '2026-12-31' }, { expiresAt: Date.UTC(2026, 11, 31) }],
  ])('%j', (flags, allowance) => {
    expect(keyAllowanceFrom(flags, NOW)).toEqual(allowance)
  })

  test.each([
    [{ rpm: '0' }, '--rpm'],
    [{ rpm: '-1' }, '--rpm'],
    [{ tpm: '1.5' }, '--tpm'],
    [{ concurrency: 'many' }, '--concurrency'],
    [{ budget: '0' }, '--budget'],
    [{ budget: '-5' }, '--budget'],
    [{ budget: 'much' }, '--budget'],
    [{ expires: '2020-01-01' }, '--expires'],
    [{ expires: 'soon' }, '--expires'],
    [{ expires: '0d' }, '--expires'],
  ])('%j is refused', (flags, named) => {
    expect(() => keyAllowanceFrom(flags, NOW)).toThrow(Failure)
    expect(() => keyAllowanceFrom(flags, NOW)).toThrow(named)
  })
})

test('limits in words and for programs', () => {
  const none = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null, budget: null, expiresAt: null }
  expect(allowanceInWords(none)).toBe('')
  expect(allowanceJson(null)).toEqual({
    ...{ requestsPerMinute: null, tokensPerMinute: null, concurrency: null },
    ...{ budgetNanos: null, spentNanos: null, expiresAt: null, models: null },
  })
  const some = {
    ...none,
    requestsPerMinute: 60,
    tokensPerMinute: 0,
    budget: 5_000_000_000n,
    spent: 1_230_000n,
    expiresAt: NOW,
  }
  expect(allowanceInWords(some)).toBe(
    '60 requests/min, no limit of tokens/min, $0.00123 of $5.00, until 2026-11-25T00:00:00Z',
  )
  expect(allowanceJson(some)).toMatchObject({ budgetNanos: '5000000000', spentNanos: '1230000' })
})
