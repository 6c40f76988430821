import { expect, test } from 'bun:test'
import { base32, codeAt, matchingStep, otpauthUri, stepAt } from './totp.ts'

const secret = Buffer.from('12345678901234567890')

// RFC 6238, appendix B, the last six of its eight digits.
test.each([
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
])('at second %d the code is %s', (second, code) => {
  expect(codeAt(secret, stepAt(second * 1_000))).toBe(code)
})

test('a code is good in its step, and one step around it, and never before the last one taken', () => {
  const now = 1_234_567_890_000
  const step = stepAt(now)
  const match = (offset: number, after = 0) => matchingStep(secret, codeAt(secret, step + offset), { now, after })
  expect([-2, -1, 0, 1, 2].map((offset) => match(offset))).toEqual([null, step - 1, step, step + 1, null])
  expect(match(0, step)).toBeNull()
  expect(match(1, step)).toBe(step + 1)
})

test.each(['', '12345', '1234567', 'abcdef', '１２３４５６'])('"%s" is no code', (code) => {
  expect(matchingStep(secret, code, { now: 90_000, after: 0 })).toBeNull()
})

test('apps read the secret as base32', () => {
  // RFC 4648, section 10.
  expect(['', 'f', 'fo', 'foo', 'foob', 'fooba', 'foobar'].map((text) => base32(Buffer.from(text)))).toEqual([
    ...['', 'MY', 'MZXQ', 'MZXW6', 'MZXW6YQ', 'MZXW6YTB', 'MZXW6YTBOI'],
  ])
  expect(otpauthUri(secret, 'ada@example.com')).toBe(
    'otpauth://totp/gpuhub:ada%40example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=gpuhub&algorithm=SHA1&digits=6&period=30',
  )
})
