// The only arithmetic on money. Amounts are whole nano-dollars in a bigint; prices are whole pico-dollars per
// token, which is the same number as micro-dollars per million tokens.

/** An amount: nano-dollars (10⁻⁹ USD). Never a JavaScript number: 2⁵³ nano-dollars are only about 9 million USD. */
export type Money = bigint

/** A price: whole pico-dollars (10⁻¹² USD) per token = micro-dollars per million tokens. $0.10/M is 100_000. */
export type PricePicos = number

export interface Price {
  prompt: PricePicos
  completion: PricePicos
}

export interface TokenCount {
  prompt: number
  completion: number
}

const PICOS_PER_NANO = 1_000n
const NANOS_PER_USD = 1_000_000_000n
const PPM = 1_000_000n
const MS_PER_HOUR = 3_600_000n
const ZERO = 48
/** The largest amount a database column holds (int64): about 9.2 billion USD. */
export const MAX_MONEY: Money = 2n ** 63n - 1n

/**
 * What `tokens` cost at `price`: ⌈(prompt·p_prompt + completion·p_completion) / 1000⌉ nano-dollars.
 * Rounded up, once per request, so that the parts paid out can never exceed the whole.
 */
export function charge(price: Price, tokens: TokenCount): Money {
  const picos = count(tokens.prompt) * count(price.prompt) + count(tokens.completion) * count(price.completion)
  return checked((picos + PICOS_PER_NANO - 1n) / PICOS_PER_NANO)
}

/** Splits a charge: the fee is rounded down, the host gets the rest; the two always sum to `amount`. */
export function split(amount: Money, feePpm: number): { fee: Money; share: Money } {
  if (amount < 0n) throw new RangeError('an amount to split is never negative')
  if (!Number.isInteger(feePpm) || feePpm < 0 || feePpm > 1_000_000) throw new RangeError('a fee is 0 to 1,000,000 ppm')
  const fee = (amount * BigInt(feePpm)) / PPM
  return { fee, share: amount - fee }
}

/** What `perHour` comes to in `ms` milliseconds. Rounded up: a cost is never shown as less than it is. */
export function overTime(perHour: Money, ms: number): Money {
  if (perHour < 0n) throw new RangeError('a rent is never negative')
  return checked((perHour * count(ms) + MS_PER_HOUR - 1n) / MS_PER_HOUR)
}

/**
 * Reads USD as a person writes it: `"5"`, `"5.00"`, `"$0.000131"`. At most nine decimals, never negative.
 * @throws RangeError naming what was wrong.
 */
export function parseUsd(text: string): Money {
  const match = /^\$?(\d{1,10})(?:\.(\d{1,9}))?$/.exec(text.trim())
  if (!match)
    throw new RangeError(
      `"${text.slice(0, 40)}" is not an amount: write dollars such as 5.00, with at most nine decimals`,
    )
  const [, dollars = '0', decimals = ''] = match
  return checked(BigInt(dollars) * NANOS_PER_USD + BigInt(decimals.padEnd(9, '0')))
}

/** USD for a person: at least two decimals, and as many more (up to nine) as the amount has. `131000n` → `"$0.000131"`. */
export function formatUsd(amount: Money): string {
  return amount < 0n ? `-$${usdDecimal(-amount)}` : `$${usdDecimal(amount)}`
}

/** USD as a JSON string, for the platform API: `131000n` → `"0.000131"`, `-5_000_000_000n` → `"-5.00"`. */
export function usdDecimal(amount: Money): string {
  if (amount < 0n) return `-${usdDecimal(-amount)}`
  const digits = amount.toString().padStart(10, '0')
  const decimals = digits.length - 9
  let end = digits.length
  while (end > decimals + 2 && digits.charCodeAt(end - 1) === ZERO) end--
  return `${digits.slice(0, decimals)}.${digits.slice(decimals, end)}`
}

/** USD as a JSON number, for `usage.cost`. Exact to the nano-dollar below 8 million USD. */
export function usdNumber(amount: Money): number {
  return Number(amount) / 1e9
}

/** A price for a person or a header: USD per million tokens, e.g. `100_000` → `"0.10"`. */
export function usdPerMillion(price: PricePicos): string {
  return usdDecimal(count(price) * PICOS_PER_NANO)
}

/**
 * What a person types as USD per million tokens: `"0.10"` → `100_000` pico-dollars per token.
 * @throws RangeError for what is no amount, or finer than a pico-dollar per token
 */
export function parsePerMillion(text: string): PricePicos {
  const nanos = parseUsd(text)
  if (nanos < 0n || nanos % PICOS_PER_NANO !== 0n) throw new RangeError('a price has at most six decimals')
  return Number(nanos / PICOS_PER_NANO)
}

/** A price as other catalogues write it: USD per token, e.g. `100_000` → `"0.0000001"`. */
export function usdPerToken(price: PricePicos): string {
  const digits = count(price).toString().padStart(13, '0')
  return `${digits.slice(0, -12)}.${digits.slice(-12)}`.replace(/\.?0+$/, '')
}

export function sum(amounts: Iterable<Money>): Money {
  let total = 0n
  for (const amount of amounts) total += amount
  return total
}

function count(value: number): bigint {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} is not a whole, non-negative count`)
  return BigInt(value)
}

function checked(amount: Money): Money {
  if (amount > MAX_MONEY) throw new RangeError('the amount is larger than the ledger can hold')
  return amount
}
