import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { NO_ALLOWANCE } from '../identity/allowances.ts'
import type { Bearer } from '../identity/keyring.ts'
import { Budgets } from './budgets.ts'

/** A key with a budget of 100, as the books had it at `readAt`. */
const carrier = (spent: bigint, readAt: number): Bearer => ({
  ...{
    keyId: 'key_1',
    userId: 'ada',
    account: 'client:ada',
    suspended: false,
    suspendedFor: null,
    terms: null,
    acknowledged: new Set(),
    limited: true,
  },
  allowance: { key: NO_ALLOWANCE, account: NO_ALLOWANCE },
  budget: { limit: 100n, spent, readAt },
  expiresAt: null,
  models: null,
})

function world() {
  const env = virtualEnv()
  const budgets = new Budgets(env)
  let asked = 0
  const reserve = (bearer: Bearer, amount: bigint, again = bearer) =>
    budgets
      .reserve(bearer, amount, async () => {
        asked++
        return again
      })
      .catch((error: { code: string }) => error.code)
  return { env, reserve, asked: () => asked }
}

test('a thousand requests at once cannot spend more than the budget', async () => {
  const { reserve } = world()
  const outcomes = await Promise.all(Array.from({ length: 1_000 }, () => reserve(carrier(10n, 0), 30n)))
  expect(outcomes.filter((outcome) => typeof outcome === 'function').length).toBe(3)
  expect(outcomes.filter((outcome) => outcome === 'key_budget_exceeded').length).toBe(997)
})

test('what a request did not cost is free again as soon as the books show it', async () => {
  const { env, reserve } = world()
  const giveBack = await reserve(carrier(0n, 0), 100n)
  if (typeof giveBack === 'function') giveBack()
  await env.advance(10)
  // Read before it ended: it may have cost all of it.
  expect(await reserve(carrier(0n, 0), 50n)).toBe('key_budget_exceeded')
  expect(typeof (await reserve(carrier(40n, 10), 60n))).toBe('function')
})

test('nobody is refused for what was counted twice, without a look at the books', async () => {
  const { env, reserve, asked } = world()
  const giveBack = await reserve(carrier(0n, 0), 60n)
  await env.advance(10)
  if (typeof giveBack === 'function') giveBack()
  await env.advance(10)
  // The old reading does not say that it cost 5; a new one does.
  expect(typeof (await reserve(carrier(0n, 5), 60n, carrier(5n, 20)))).toBe('function')
  expect(asked()).toBe(1)
})

test('a key without a budget is not counted', async () => {
  const { reserve } = world()
  expect(typeof (await reserve({ ...carrier(0n, 0), budget: null }, 10n ** 15n))).toBe('function')
})
