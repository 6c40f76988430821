import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import type { HubError } from '../errors.ts'
import { Strangers } from './strangers.ts'

const world = (rates = { requests: 60, wrongKeys: 10 }) => {
  const env = virtualEnv()
  const strangers = new Strangers(env, rates)
  const refused = (what: 'requests' | 'wrongKeys', address: string | null): HubError | null => {
    try {
      strangers.count(what, address)
      return null
    } catch (error) {
      return error as HubError
    }
  }
  const many = (count: number, what: 'requests' | 'wrongKeys', address: string | null) =>
    Array.from({ length: count }, () => refused(what, address)).filter((error) => error !== null)
  return { env, strangers, refused, many }
}

test('sixty requests without a key a minute, and ten wrong keys, then they are told when to come back', async () => {
  const { many, refused, env } = world()
  expect(many(60, 'requests', '203.0.113.7')).toEqual([])
  expect(many(10, 'wrongKeys', '203.0.113.7')).toEqual([])
  const refusals = many(100, 'wrongKeys', '203.0.113.7')
  expect(refusals.length).toBe(100)
  for (const { code, retryAfterSeconds } of refusals) {
    expect(code).toBe('rate_limit_exceeded')
    expect(retryAfterSeconds).toBeGreaterThanOrEqual(6)
    expect(retryAfterSeconds).toBeLessThanOrEqual(7.2)
  }
  expect(refused('requests', '203.0.113.7')?.retryAfterSeconds).toBeCloseTo(1.1, 0)
  await env.advance(6_000)
  expect(refused('wrongKeys', '203.0.113.7')).toBeNull()
  expect(refused('wrongKeys', '203.0.113.7')).not.toBeNull()
})

test('each address has its own; one subscriber’s IPv6 addresses are one', () => {
  const { many, refused } = world()
  many(60, 'requests', '2001:db8:1:2::1')
  expect(refused('requests', '2001:db8:1:2:ffff::9')).not.toBeNull()
  expect(refused('requests', '2001:db8:1:3::1')).toBeNull()
  expect(refused('requests', '203.0.113.7')).toBeNull()
})

test('nobody is counted where all look alike, or where the limit is off', () => {
  expect(world().many(1_000, 'requests', null)).toEqual([])
  expect(world({ requests: 0, wrongKeys: 0 }).many(1_000, 'wrongKeys', '203.0.113.7')).toEqual([])
})

test('a storm from a hundred thousand addresses is remembered in bounded memory', () => {
  const { strangers, refused } = world()
  for (let at = 0; at < 100_000; at++) refused('requests', `10.${at >> 16}.${(at >> 8) & 255}.${at & 255}`)
  expect(strangers.size).toBe(50_000)
})
