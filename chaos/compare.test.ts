import { expect, test } from 'bun:test'
import { faultIn } from './compare.ts'

const TRUTH = 'The first thing to consider is the cost.'

test.each([
  [TRUTH, null],
  ['', 'truncated'],
  ['The first thing', 'truncated'],
  ['The first to consider is the cost.', 'missing'],
  ['first thing to consider is the cost.', 'missing'],
  ['The first first thing to consider is the cost.', 'duplicated'],
  [`${TRUTH}${TRUTH}`, 'duplicated'],
  [`${TRUTH} And`, 'duplicated'],
  ['The first thing to consider is the coat.', 'different'],
  ['The last thing to consider was the cost.', 'different'],
] as const)('%p is %p', (got, fault) => {
  expect(faultIn(got, TRUTH)).toBe(fault)
})
