import { expect, test } from 'bun:test'
import { fit, lowerQuartile, median, spread } from './numbers.ts'

test('middles, quartiles and spreads', () => {
  expect(median([3, 1, 2])).toBe(2)
  expect(median([4, 1, 2, 3])).toBe(2.5)
  expect(lowerQuartile([5, 1, 2, 3, 4])).toBe(2)
  expect(spread([90, 100, 110])).toBeCloseTo(0.2)
  expect(median([])).toBeNaN()
})

test('a line through points on a line is that line', () => {
  const { base, slope } = fit([1, 10, 100].map((x) => ({ x, y: 7 + 3 * x })))
  expect(base).toBeCloseTo(7)
  expect(slope).toBeCloseTo(3)
})
