import { expect, test } from 'bun:test'
import { systemEnv } from '../../sdk/env.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { hashSecret, looksLikeSecret, makeSecret } from './secret.ts'

test('a new secret has its prefix, passes its own check, and is stored as a hash and four characters', () => {
  const { secret, hash, hint } = makeSecret(systemEnv, 'gph')
  expect(secret).toMatch(/^gph_[0-9A-Za-z]{38}$/)
  expect(looksLikeSecret('gph', secret)).toBe(true)
  expect(hash).toBe(hashSecret(secret))
  expect(hash).toMatch(/^[0-9a-f]{64}$/)
  expect(secret.endsWith(hint)).toBe(true)
  expect(hint).toHaveLength(4)
})

test('one changed character anywhere is noticed without a database', () => {
  const { secret } = makeSecret(virtualEnv({ seed: 3 }), 'gph')
  for (let at = 0; at < secret.length; at++) {
    const other = secret[at] === 'a' ? 'b' : 'a'
    expect(looksLikeSecret('gph', secret.slice(0, at) + other + secret.slice(at + 1))).toBe(false)
  }
})

test.each(['', 'gph', 'gph_', 'gph_short', ' ', 'gph_'.padEnd(42, '\n'), 'gph_'.padEnd(42, 'é')])(
  'what is no secret at all is refused: %p',
  (text) => expect(looksLikeSecret('gph', text)).toBe(false),
)

test('a secret of one kind does not pass for another', () => {
  const { secret } = makeSecret(systemEnv, 'gph')
  expect(looksLikeSecret('gpk', secret)).toBe(false)
  expect(looksLikeSecret('gpk', secret.replace('gph_', 'gpk_'))).toBe(false)
})

test('a thousand secrets are all different and use all 62 characters about equally', () => {
  const env = virtualEnv({ seed: 11 })
  const secrets = Array.from({ length: 1_000 }, () => makeSecret(env, 'k').secret)
  expect(new Set(secrets).size).toBe(1_000)
  const counts = new Map<string, number>()
  for (const secret of secrets) for (const c of secret.slice(2, 34)) counts.set(c, (counts.get(c) ?? 0) + 1)
  expect(counts.size).toBe(62)
  for (const count of counts.values()) expect(Math.abs(count - 32_000 / 62)).toBeLessThan(130)
})
