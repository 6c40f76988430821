import { type Money, parseUsd } from '../../sdk/money.ts'
import { Failure } from '../failure.ts'

/** What `--credit` gives. @throws Failure */
export function amountFrom(text: string | undefined): Money {
  if (text === undefined) return 0n
  try {
    return parseUsd(text)
  } catch (error) {
    throw new Failure(`--credit: ${(error as RangeError).message}`, 2)
  }
}
