import { expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { Limits } from './limits.ts'

const HOUR = 60 * 60_000

function tries(limits: Limits, count: number, key = 'a') {
  return Array.from({ length: count }, () => {
    try {
      limits.take('invitationFrom', key)
      return 'taken'
    } catch (error) {
      return (error as { code: string }).code
    }
  })
}

test('five tries an hour, each key for itself, and five again an hour later', async () => {
  const env = virtualEnv()
  const limits = new Limits(env)
  expect(tries(limits, 7)).toEqual([...Array(5).fill('taken'), 'rate_limit_exceeded', 'rate_limit_exceeded'])
  expect(tries(limits, 1, 'b')).toEqual(['taken'])
  await env.advance(HOUR - 1)
  expect(tries(limits, 1)).toEqual(['rate_limit_exceeded'])
  await env.advance(1)
  expect(tries(limits, 6)).toEqual([...Array(5).fill('taken'), 'rate_limit_exceeded'])
})

test('the refusal says how long to wait', async () => {
  const env = virtualEnv()
  const limits = new Limits(env)
  tries(limits, 5)
  await env.advance(HOUR / 2)
  expect(() => limits.take('invitationFrom', 'a')).toThrow('Try again in 30 minutes')
})

test('what was right is given back; what was forgiven starts anew', () => {
  const limits = new Limits(virtualEnv())
  for (let i = 0; i < 20; i++) {
    limits.take('invitationFrom', 'a')
    limits.giveBack('invitationFrom', 'a')
  }
  expect(tries(limits, 6).at(-1)).toBe('rate_limit_exceeded')
  limits.forget('invitationFrom', 'a')
  expect(tries(limits, 1)).toEqual(['taken'])
})

test('who comes again and again is not forgotten in a flood', () => {
  const limits = new Limits(virtualEnv())
  tries(limits, 5)
  for (let i = 0; i < 200_000; i++) {
    limits.take('invitationFrom', String(i))
    if (i % 10_000 === 0) expect(tries(limits, 1)).toEqual(['rate_limit_exceeded'])
  }
})

test('a million callers fill no memory', () => {
  const limits = new Limits(virtualEnv())
  for (let i = 0; i < 1_000_000; i++) limits.take('signInFrom', String(i))
  expect(limits.size()).toBeLessThanOrEqual(50_000)
})
