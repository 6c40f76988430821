// What was measured, kept beside what was chosen: it says how many requests this machine offers to take at a time, and
// whether it may serve the model at all.
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Home } from '../config.ts'
import { HostError, reason } from '../errors.ts'
import type { Check } from '../fit.ts'

const amount = Type.Number({ minimum: 0 })
const Speed = Type.Object({
  /** Requests at a time. */
  streams: Type.Integer({ minimum: 1 }),
  /** Of all of them together, their first tokens waited for. */
  tokensPerSecond: amount,
  /** Tokens a second of the slowest, from its first. */
  slowest: amount,
})
export type Speed = Static<typeof Speed>

const Measured = Type.Object({
  /** Of a prompt of about a thousand tokens, with nothing else to do. */
  firstTokenMs: Type.Object({ median: amount, worst: amount }),
  speeds: Type.Array(Speed, { maxItems: 10 }),
  soak: Type.Object({
    seconds: amount,
    tokensPerSecond: amount,
    /** Of the speed of its first half, what its second half kept, 0 to 1. */
    kept: amount,
    hottestCelsius: Type.Union([Type.Number(), Type.Null()]),
    /** Mean of what its cards drew together; absent or null: nobody knows. */
    watts: Type.Optional(Type.Union([amount, Type.Null()])),
  }),
})
export type Measured = Static<typeof Measured>

const words = Type.String({ maxLength: 200 })
const Benchmark = Type.Composite([
  Measured,
  Type.Object({
    at: words,
    variant: words,
    engine: words,
    /** Names of the cards, and their driver: another machine has to be measured again. */
    cards: Type.Array(words, { maxItems: 64 }),
    driver: Type.Union([words, Type.Null()]),
    /** The least a request alone has to get, as the catalog had it. */
    minTokensPerSecond: amount,
  }),
])
export type Benchmark = Static<typeof Benchmark>

const pathIn = (home: Home) => join(home.path, 'benchmark.json')

/** Null: none that is of this variant, these cards and this driver. */
export function savedBenchmark(home: Home, now: Pick<Benchmark, 'variant' | 'cards' | 'driver'>): Benchmark | null {
  const saved = anyBenchmark(home)
  const same = saved?.variant === now.variant && saved.driver === now.driver
  return same && saved.cards.join() === now.cards.join() ? saved : null
}

/** Whatever it was of; null: none. */
export function anyBenchmark(home: Home): Benchmark | null {
  try {
    const saved: unknown = JSON.parse(readFileSync(pathIn(home), 'utf8'))
    return Value.Check(Benchmark, saved) ? saved : null
  } catch {
    // It is made anew with every setup.
    return null
  }
}

export function saveBenchmark(home: Home, benchmark: Benchmark): void {
  const path = pathIn(home)
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(benchmark, null, 2)}\n`, { mode: 0o600, flush: true })
    renameSync(`${path}.new`, path)
  } catch (error) {
    throw new HostError(`${path} cannot be written: ${reason(error)}.`)
  }
}

/** A card that loses more than this while it works is slowed down by heat or power. */
const LEAST_KEPT = 0.8

export function checkSpeed({ speeds, soak, minTokensPerSecond }: Benchmark): Check[] {
  const alone = speeds[0]?.slowest ?? 0
  return [
    {
      what: 'speed',
      ok: alone >= minTokensPerSecond,
      actual: `${alone} tokens/s for one request alone`,
      required: `${minTokensPerSecond} tokens/s`,
      why: 'People read along, and programs wait.',
      remedy:
        alone >= minTokensPerSecond
          ? null
          : 'Choose a smaller model, or a variant in fewer bits; see that nothing else uses the GPU and that it has its full power limit.',
    },
    {
      what: 'speed under load',
      ok: soak.kept >= LEAST_KEPT,
      actual: `${Math.round(soak.kept * 100)} % of it left after ${Math.round(soak.seconds / 2)} s${soak.hottestCelsius === null ? '' : ` at ${soak.hottestCelsius} °C`}`,
      required: `${LEAST_KEPT * 100} %`,
      why: 'A card that grows too hot slows down in the middle of answers.',
      remedy:
        soak.kept >= LEAST_KEPT
          ? null
          : 'Give the card more air, or a lower power limit (nvidia-smi -pl), and measure again.',
    },
  ]
}

/**
 * Requests to take at a time: as many as were seen to get the least each. At full load all together get about the same,
 * however many share it. That is this machine's capacity as hubs know it, and what its turns are counted by.
 */
export function slotsFor({ speeds, minTokensPerSecond }: Pick<Benchmark, 'speeds' | 'minTokensPerSecond'>): number {
  const full = speeds.at(-1)
  if (!full) return 1
  if (full.slowest >= minTokensPerSecond || minTokensPerSecond === 0) return full.streams
  return Math.max(1, Math.min(full.streams, Math.floor(full.tokensPerSecond / minTokensPerSecond)))
}
