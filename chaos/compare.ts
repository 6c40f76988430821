// What is wrong with a text, next to what it should have been.

/**
 * `truncated`: it stops early. `missing`: a piece within is gone. `duplicated`: a piece is there that should not be, and
 * the rest is right. `different`: anything else.
 */
export type Fault = 'truncated' | 'missing' | 'duplicated' | 'different'

/** null: nothing is wrong. */
export function faultIn(got: string, truth: string): Fault | null {
  if (got === truth) return null
  if (truth.startsWith(got)) return 'truncated'
  const shorter = Math.min(got.length, truth.length)
  let ahead = 0
  while (ahead < shorter && got[ahead] === truth[ahead]) ahead++
  let behind = 0
  while (behind < shorter - ahead && got[got.length - 1 - behind] === truth[truth.length - 1 - behind]) behind++
  if (ahead + behind < shorter) return 'different'
  return got.length < truth.length ? 'missing' : 'duplicated'
}
