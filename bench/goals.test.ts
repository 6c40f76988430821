import { expect, test } from 'bun:test'
import { type Goal, judge } from './goals.ts'

const rate: Goal = { name: 'rate', unit: '×', atLeast: true, goal: 0.35 }
const delay: Goal = { name: 'delay', unit: 'µs', atLeast: false, goal: 100 }

test.each([
  [rate, 0.35, 0, 'pass'],
  [rate, 0.34, 0, 'miss'],
  [rate, 0.34, 0.5, 'noisy'],
  [rate, 0.2, 0.5, 'miss'],
  [delay, 100, 0, 'pass'],
  [delay, 105, 0.02, 'miss'],
  [delay, 105, 0.2, 'noisy'],
  [delay, 120, 0.9, 'miss'],
  [delay, null, 0, 'not run'],
  [delay, Number.NaN, 0, 'not run'],
] as const)('%p with %p and %p of the core in foreign use is a %s', (goal, value, foreign, verdict) => {
  expect(judge(goal, value, foreign).verdict).toBe(verdict)
})
