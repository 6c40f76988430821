/** SQLite's sum of int64 stops at 2⁶³: sums of amounts come in two parts, whole dollars and the nano-dollars beyond. */
export const NANOS = 1_000_000_000n

/** Both parts of a sum, for a select; `column` is SQL. */
export function sumParts(column: string): string {
  return `coalesce(sum(${column} / ${NANOS}), 0) as whole, coalesce(sum(${column} % ${NANOS}), 0) as rest`
}

export interface SumParts {
  whole: string | number | bigint
  rest: string | number | bigint
}

export function sumOfParts({ whole, rest }: SumParts): bigint {
  return BigInt(whole) * NANOS + BigInt(rest)
}
