import { expect, test } from 'bun:test'
import {
  charge,
  formatUsd,
  MAX_MONEY,
  type Money,
  overTime,
  parseUsd,
  split,
  sum,
  usdDecimal,
  usdNumber,
  usdPerMillion,
  usdPerToken,
} from './money.ts'

/** Whole numbers from 0 to 2^bits - 1 of all sizes, the same for the same seed. */
function* numbers(seed: number, count: number, bits: number): Generator<bigint> {
  let state = BigInt(seed)
  for (let i = 0; i < count; i++) {
    state = (state * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n) & (2n ** 64n - 1n)
    yield (state >> 1n) % 2n ** BigInt(1 + (Number(state >> 58n) % bits))
  }
}
const amounts = (seed: number): Money[] => [...numbers(seed, 500, 63)]
const counts = (seed: number, bits: number): number[] => [...numbers(seed, 500, bits)].map(Number)

test.each([
  [{ prompt: 100_000, completion: 0 }, { prompt: 1_000_000, completion: 0 }, 100_000_000n],
  [{ prompt: 50_000, completion: 200_000 }, { prompt: 12, completion: 34 }, 7_400n],
  [{ prompt: 1, completion: 1 }, { prompt: 1, completion: 0 }, 1n],
  [{ prompt: 1, completion: 1 }, { prompt: 500, completion: 500 }, 1n],
  [{ prompt: 1, completion: 1 }, { prompt: 500, completion: 501 }, 2n],
  [{ prompt: 0, completion: 0 }, { prompt: 9, completion: 9 }, 0n],
  [{ prompt: 9, completion: 9 }, { prompt: 0, completion: 0 }, 0n],
])('at %p, %p cost %p nano-dollars', (price, tokens, cost) => {
  expect(charge(price, tokens)).toBe(cost)
})

test('a charge is rounded up once: never below the exact price, and less than a nano-dollar above', () => {
  const [promptPrices, completionPrices] = [counts(1, 30), counts(2, 30)]
  const [prompts, completions] = [counts(3, 21), counts(4, 21)]
  for (let i = 0; i < 500; i++) {
    const price = { prompt: promptPrices[i]!, completion: completionPrices[i]! }
    const tokens = { prompt: prompts[i]!, completion: completions[i]! }
    const picos = BigInt(price.prompt) * BigInt(tokens.prompt) + BigInt(price.completion) * BigInt(tokens.completion)
    const over = charge(price, tokens) * 1_000n - picos
    expect(over >= 0n && over < 1_000n).toBe(true)
  }
})

test('one more token never costs less', () => {
  const price = { prompt: 333, completion: 777 }
  for (const prompt of counts(5, 21)) {
    const cost = charge(price, { prompt, completion: 10 })
    expect(charge(price, { prompt: prompt + 1, completion: 10 })).toBeGreaterThanOrEqual(cost)
    expect(charge(price, { prompt, completion: 11 })).toBeGreaterThanOrEqual(cost)
  }
})

test.each([
  [
    { prompt: 1.5, completion: 0 },
    { prompt: 1, completion: 0 },
  ],
  [
    { prompt: -1, completion: 0 },
    { prompt: 1, completion: 0 },
  ],
  [
    { prompt: 1, completion: 0 },
    { prompt: Number.NaN, completion: 0 },
  ],
  [
    { prompt: 1, completion: 0 },
    { prompt: 1, completion: -1 },
  ],
  [
    { prompt: 1, completion: 0 },
    { prompt: 2 ** 53, completion: 0 },
  ],
  [
    { prompt: 1, completion: Number.POSITIVE_INFINITY },
    { prompt: 1, completion: 1 },
  ],
])('a price of %p and tokens of %p are refused', (price, tokens) => {
  expect(() => charge(price, tokens)).toThrow(RangeError)
})

test('a charge the ledger cannot hold is refused, not wrapped', () => {
  const largest = { prompt: Number.MAX_SAFE_INTEGER, completion: Number.MAX_SAFE_INTEGER }
  expect(() => charge(largest, largest)).toThrow('larger than the ledger')
})

test('fee and share sum to the amount, whatever the fee; the fee is rounded down', () => {
  const fees = counts(6, 20).map((fee) => Math.min(fee, 1_000_000))
  for (const [i, amount] of amounts(7).entries()) {
    const feePpm = fees[i]!
    const { fee, share } = split(amount, feePpm)
    expect(fee + share).toBe(amount)
    expect(fee >= 0n && share >= 0n).toBe(true)
    const lost = amount * BigInt(feePpm) - fee * 1_000_000n
    expect(lost >= 0n && lost < 1_000_000n).toBe(true)
  }
})

test.each([
  [7_400n, 150_000, { fee: 1_110n, share: 6_290n }],
  [1n, 150_000, { fee: 0n, share: 1n }],
  [9n, 999_999, { fee: 8n, share: 1n }],
  [9n, 0, { fee: 0n, share: 9n }],
  [9n, 1_000_000, { fee: 9n, share: 0n }],
  [0n, 150_000, { fee: 0n, share: 0n }],
])('%p nano-dollars at %d ppm', (amount, feePpm, parts) => {
  expect(split(amount, feePpm)).toEqual(parts)
})

test('nothing negative is split, and no fee is above the whole', () => {
  expect(() => split(-1n, 0)).toThrow(RangeError)
  for (const feePpm of [-1, 1_000_001, 0.5, Number.NaN]) expect(() => split(1n, feePpm)).toThrow(RangeError)
})

test.each([
  ['5', 5_000_000_000n],
  ['5.00', 5_000_000_000n],
  ['$0.000131', 131_000n],
  [' 12.345678901 ', 12_345_678_901n],
  ['0', 0n],
  ['0.000000001', 1n],
  ['9223372036.854775807', MAX_MONEY],
])('%p is %p nano-dollars', (text, amount) => {
  expect(parseUsd(text)).toBe(amount)
})

test.each([
  '',
  '$',
  '.5',
  '5.',
  '-5',
  '+5',
  '1e3',
  '0x10',
  '1,000',
  '5 000',
  '0.0000000001',
  '5.0.0',
  'five',
  '$$5',
  'NaN',
  '٥',
  '9223372036.854775808',
  '99999999999',
])('%p is not an amount', (text) => {
  expect(() => parseUsd(text)).toThrow(RangeError)
})

test.each([
  [0n, '$0.00', '0.00'],
  [5_000_000_000n, '$5.00', '5.00'],
  [5_100_000_000n, '$5.10', '5.10'],
  [131_000n, '$0.000131', '0.000131'],
  [1n, '$0.000000001', '0.000000001'],
  [-1n, '-$0.000000001', '-0.000000001'],
  [-12_340_000_000n, '-$12.34', '-12.34'],
  [MAX_MONEY, '$9223372036.854775807', '9223372036.854775807'],
])('%p is written %p and %p', (amount, people, programs) => {
  expect(formatUsd(amount)).toBe(people)
  expect(usdDecimal(amount)).toBe(programs)
})

test('every amount survives being written and read', () => {
  for (const amount of amounts(8)) {
    expect(parseUsd(formatUsd(amount))).toBe(amount)
    expect(parseUsd(usdDecimal(amount))).toBe(amount)
  }
})

test('as a number, an amount below 8 million dollars is exact to the nano-dollar', () => {
  for (const amount of [...numbers(9, 500, 52), 131_000n, 1n, 0n, 7_999_999_999_999_999n]) {
    expect(BigInt(usdNumber(amount).toFixed(9).replace('.', ''))).toBe(amount)
    expect(usdNumber(-amount)).toBe(0 - usdNumber(amount))
  }
})

test.each([
  [100_000, '0.10', '0.0000001'],
  [0, '0.00', '0'],
  [1, '0.000001', '0.000000000001'],
  [50_000, '0.05', '0.00000005'],
  [12_345_678, '12.345678', '0.000012345678'],
  [1_000_000_000_000, '1000000.00', '1'],
  [10_000_000_000_000, '10000000.00', '10'],
])('a price of %d picos is %p USD a million tokens, and %p a token', (price, perMillion, perToken) => {
  expect(usdPerMillion(price)).toBe(perMillion)
  expect(usdPerToken(price)).toBe(perToken)
})

test('a price that is not a whole number is refused, not written wrongly', () => {
  for (const price of [-1, 0.5, Number.NaN, 2 ** 53]) {
    expect(() => usdPerMillion(price)).toThrow(RangeError)
    expect(() => usdPerToken(price)).toThrow(RangeError)
  }
})

test('a sum of nothing is nothing', () => {
  expect(sum([])).toBe(0n)
  expect(sum([1n, -3n, 2n, 5n])).toBe(5n)
})

test.each([
  [350_000_000n, 3_600_000, 350_000_000n],
  [350_000_000n, 1, 98n],
  [1n, 1, 1n],
  [0n, 3_600_000, 0n],
  [350_000_000n, 0, 0n],
  [1_000_000_000_000n, 365 * 24 * 3_600_000, 8_760_000_000_000_000n],
])('%p an hour, in %p ms: %p, rounded up', (perHour, ms, cost) => {
  expect(overTime(perHour, ms)).toBe(cost)
})

test('no time is negative, and no rent', () => {
  expect(() => overTime(-1n, 1)).toThrow(RangeError)
  expect(() => overTime(1n, -1)).toThrow(RangeError)
})
