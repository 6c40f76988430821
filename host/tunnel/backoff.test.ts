import { expect, test } from 'bun:test'
import { backoffMs } from './backoff.ts'

test.each([
  [1, 0.999, 500],
  [2, 0.999, 1_000],
  [3, 0.999, 2_000],
  [5, 0.999, 5_000],
  [12, 0.999, 5_000],
  [13, 0.999, 30_000],
  [1_000_000, 0.999, 30_000],
])('after %d failures the longest wait (chance %d) is %d ms', (failures, chance, mostMs) => {
  expect(backoffMs(failures, chance)).toBeCloseTo(chance * mostMs, 6)
})

test('the shortest wait is none, so that hosts come back evenly spread', () => {
  expect(backoffMs(1, 0)).toBe(0)
  expect(backoffMs(20, 0)).toBe(0)
  expect(backoffMs(20, 0.5)).toBe(15_000)
})
