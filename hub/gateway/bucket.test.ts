import { expect, test } from 'bun:test'
import { fullBucket, levelAt, msUntil, used } from './bucket.ts'

// a minute's worth, what was used at once, how long ago → left, milliseconds until 1 can be used, until it is full
test.each([
  [60, 0, 0, 60, 0, 0],
  [60, 60, 0, 0, 1_000, 60_000],
  [60, 60, 500, 0.5, 500, 59_500],
  [60, 60, 1_000, 1, 0, 59_000],
  [60, 30, 10_000, 40, 0, 20_000],
  [60, 30, 3_600_000, 60, 0, 0],
  [1, 1, 0, 0, 60_000, 60_000],
  [60_000, 90_000, 0, -30_000, 30_001, 90_000],
  [60_000, 90_000, 40_000, 10_000, 0, 50_000],
])('%p a minute, %p used %p ms ago', (perMinute, amount, agoMs, left, msUntilOne, msUntilFull) => {
  const bucket = used(fullBucket(perMinute, 0), perMinute, amount, 0)
  expect(levelAt(bucket, perMinute, agoMs)).toBeCloseTo(left, 6)
  expect(msUntil(bucket, perMinute, 1, agoMs)).toBeCloseTo(msUntilOne, 0)
  expect(msUntil(bucket, perMinute, perMinute, agoMs)).toBeCloseTo(msUntilFull, 0)
})

test('what is given back is there, but never more than a minute’s worth', () => {
  const bucket = used(fullBucket(60, 0), 60, 10, 0)
  expect(used(bucket, 60, -5, 0).level).toBe(55)
  expect(used(bucket, 60, -500, 0).level).toBe(60)
})

test('more than it ever holds is wanted: it is enough that it is full', () => {
  expect(msUntil(fullBucket(60, 0), 60, 1_000, 0)).toBe(0)
  expect(msUntil(used(fullBucket(60, 0), 60, 30, 0), 60, 1_000, 0)).toBe(30_000)
})

test('never grants more than a burst and the rate, however it is asked', () => {
  let bucket = fullBucket(100, 0)
  let granted = 0
  for (let now = 0; now < 600_000; now += 37) {
    if (msUntil(bucket, 100, 1, now) > 0) continue
    bucket = used(bucket, 100, 1, now)
    granted++
  }
  expect(granted).toBeLessThanOrEqual(100 + 1_000)
  expect(granted).toBeGreaterThan(1_000)
})
