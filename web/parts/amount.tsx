// Money as a person reads it: exactly as billed where something was billed, two decimals where much is summed up.
import { formatUsd, type Money, type PricePicos, usdPerMillion } from '../../sdk/money.ts'

/** Exact, to the last nano-dollar. */
export function Amount({ of }: { of: Money }) {
  return <>{formatUsd(of)}</>
}

/** A total: two decimals, the exact amount in its title. Small ones keep two digits that say something. */
export function Total({ of }: { of: Money }) {
  return <span title={formatUsd(of)}>{roundUsd(of)}</span>
}

const NANOS_PER_CENT = 10_000_000n

export function roundUsd(amount: Money): string {
  if (amount < 0n) return `-${roundUsd(-amount)}`
  if (amount === 0n || amount >= NANOS_PER_CENT) {
    const cents = (amount + NANOS_PER_CENT / 2n) / NANOS_PER_CENT
    return `$${(cents / 100n).toLocaleString('en-US')}.${(cents % 100n).toString().padStart(2, '0')}`
  }
  return `$${Number((Number(amount) / 1e9).toPrecision(2))
    .toFixed(9)
    .replace(/0+$/, '')}`
}

/** A price, USD per million tokens. */
export function PerMillion({ of }: { of: PricePicos }) {
  return <>${usdPerMillion(of)}</>
}

/** 31_800_000 → `31.8 M`. */
export function short(count: number): string {
  if (count < 10_000) return count.toLocaleString('en-US')
  const [size, unit] = count < 1e6 ? [1e3, 'k'] : count < 1e9 ? [1e6, 'M'] : [1e9, 'G']
  return `${(count / size).toFixed(count / size < 100 ? 1 : 0)} ${unit}`
}

/** Never rounded up to 100 %. */
export function share(part: number, whole: number): string {
  return part === whole ? '100 %' : `${(Math.floor((part / whole) * 1_000) / 10).toFixed(1)} %`
}

export function milliseconds(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}
