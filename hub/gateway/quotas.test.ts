import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import type { HubError } from '../errors.ts'
import { type Allowance, NO_ALLOWANCE } from '../identity/allowances.ts'
import type { Bearer } from '../identity/keyring.ts'
import { type Defaults, Quotas } from './quotas.ts'

const off: Defaults = {
  ...{ keyRpm: 0, keyTpm: 0, keyConcurrency: 0, accountRpm: 0, accountTpm: 0, accountConcurrency: 0, platformRpm: 0 },
}
const carrier = (key: Partial<Allowance> = {}, account: Partial<Allowance> = {}, keyId = 'key_1'): Bearer => ({
  ...{
    keyId,
    userId: 'ada',
    account: 'client:ada',
    suspended: false,
    suspendedFor: null,
    terms: null,
    acknowledged: new Set(),
    limited: false,
    budget: null,
  },
  allowance: { key: { ...NO_ALLOWANCE, ...key }, account: { ...NO_ALLOWANCE, ...account } },
  expiresAt: null,
  models: null,
})
const refusal = (work: () => unknown): HubError | null => {
  try {
    work()
    return null
  } catch (error) {
    return error as HubError
  }
}

test('nobody is limited who is not said to be', () => {
  const quotas = new Quotas(virtualEnv(), off)
  for (let at = 0; at < 1_000; at++) expect(quotas.begin(carrier())).toBeNull()
  expect(quotas.concurrency(carrier())).toEqual({ key: null, account: null })
})

describe('requests a minute', () => {
  test('are counted, told in headers, and come back with time', async () => {
    const env = virtualEnv()
    const quotas = new Quotas(env, off)
    const ada = carrier({ requestsPerMinute: 3 })
    expect(quotas.begin(ada)?.headers()).toEqual({
      'x-ratelimit-limit-requests': '3',
      'x-ratelimit-remaining-requests': '2',
      'x-ratelimit-reset-requests': '20.000s',
    })
    quotas.begin(ada)
    quotas.begin(ada)
    const error = refusal(() => quotas.begin(ada))
    expect([error?.code as string, error?.status]).toEqual(['rate_limit_exceeded', 429])
    expect(error?.retryAfterSeconds).toBeGreaterThanOrEqual(20)
    expect(error?.retryAfterSeconds).toBeLessThanOrEqual(24)
    expect(error?.headers['x-ratelimit-remaining-requests']).toBe('0')
    await env.advance(20_000)
    expect(refusal(() => quotas.begin(ada))).toBeNull()
    expect(refusal(() => quotas.begin(ada))).not.toBeNull()
  })

  test('of an account are shared by its keys, and a refusal by one limit uses none of the other', () => {
    const quotas = new Quotas(virtualEnv(), off)
    const [one, two] = [
      carrier({ requestsPerMinute: 3 }, { requestsPerMinute: 4 }),
      carrier({}, { requestsPerMinute: 4 }, 'key_2'),
    ]
    for (let at = 0; at < 3; at++) expect(refusal(() => quotas.begin(one))).toBeNull()
    expect(refusal(() => quotas.begin(one))?.message).toContain('This key')
    expect(refusal(() => quotas.begin(two))).toBeNull()
    expect(refusal(() => quotas.begin(two))?.message).toContain('This account')
  })

  test('are as the settings say, unless the key says otherwise; 0 takes a limit away', () => {
    const quotas = new Quotas(virtualEnv(), { ...off, keyRpm: 1, keyConcurrency: 7, accountConcurrency: 9 })
    quotas.begin(carrier())
    expect(refusal(() => quotas.begin(carrier()))).not.toBeNull()
    expect(quotas.begin(carrier({ requestsPerMinute: 0 }))).toBeNull()
    expect(quotas.concurrency(carrier({ concurrency: 3 }))).toEqual({ key: 3, account: 9 })
    expect(quotas.concurrency(carrier({ concurrency: 0 }, { concurrency: 0 }))).toEqual({ key: null, account: null })
  })

  test('of everybody may be decided while the hub runs', () => {
    let decided: number | null = 1
    const quotas = new Quotas(virtualEnv(), { ...off, accountRpm: 2 }, () => decided)
    quotas.begin(carrier())
    expect(refusal(() => quotas.begin(carrier()))).not.toBeNull()
    expect(quotas.begin(carrier({}, { requestsPerMinute: 0 }))).toBeNull()
    decided = null
    expect(refusal(() => quotas.begin(carrier()))?.message).toContain('2 requests')
  })

  test('to the platform API are counted on their own', () => {
    const quotas = new Quotas(virtualEnv(), { ...off, platformRpm: 2, accountRpm: 1 })
    quotas.begin(carrier())
    quotas.beginPlatform(carrier())
    quotas.beginPlatform(carrier())
    expect(refusal(() => quotas.beginPlatform(carrier()))?.code).toBe('rate_limit_exceeded')
  })
})

test('(F-rl) a hub that lost its counts limits on from a full minute’s worth, and no more', () => {
  const env = virtualEnv()
  const granted = (quotas: Quotas) => {
    let count = 0
    while (refusal(() => quotas.begin(carrier({ requestsPerMinute: 5 }))) === null) count++
    return count
  }
  expect(granted(new Quotas(env, off))).toBe(5)
  expect(granted(new Quotas(env, off))).toBe(5)
})

describe('tokens a minute', () => {
  test('are those of prompts when a request begins and of answers when it ends', async () => {
    const env = virtualEnv()
    const quotas = new Quotas(env, off)
    const quota = quotas.begin(carrier({ tokensPerMinute: 1_000 }))!
    quota.take('tokens', 200)
    quota.use('tokens', 700)
    expect(quota.headers()).toEqual({
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': '100',
      'x-ratelimit-reset-tokens': '54.000s',
    })
    expect(refusal(() => quota.take('tokens', 101))?.code).toBe('rate_limit_exceeded')
    quota.take('tokens', 100)
  })

  test('may be overdrawn by an answer, and are paid back before the next', async () => {
    const env = virtualEnv()
    const quota = new Quotas(env, off).begin(carrier({ tokensPerMinute: 600 }))!
    quota.take('tokens', 100)
    quota.use('tokens', 1_100)
    expect(refusal(() => quota.take('tokens', 1))?.retryAfterSeconds).toBeGreaterThanOrEqual(60.1)
    await env.advance(60_100)
    expect(refusal(() => quota.take('tokens', 1))).toBeNull()
  })

  test('a prompt larger than a minute’s worth is let in when nothing is used', () => {
    const quota = new Quotas(virtualEnv(), off).begin(carrier({ tokensPerMinute: 100 }))!
    expect(refusal(() => quota.take('tokens', 5_000))).toBeNull()
    expect(refusal(() => quota.take('tokens', 1))).not.toBeNull()
  })
})
