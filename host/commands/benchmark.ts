// `gpuhost bench`: starts the engine as `gpuhost start` would, measures it, ends it.
import type { Env } from '../../sdk/env.ts'
import { measure, type Measuring } from '../benchmark/measure.ts'
import { type Benchmark, checkSpeed, saveBenchmark } from '../benchmark/record.ts'
import type { Home } from '../config.ts'
import { lockHome } from '../daemon/lock.ts'
import type { Engine } from '../engine/engine.ts'
import { HostError } from '../errors.ts'
import type { Check } from '../fit.ts'

export interface BenchmarkWorld {
  env: Env
  home: Home
  engine: Engine
  variant: string
  cards: string[]
  driver: string | null
  /** The catalog's least for a request alone; 0: it does not say. */
  minTokensPerSecond: number
  soakSeconds: number
  /** As `Measuring` has it. */
  cardsNow: Measuring['cards']
  progress: (text: string) => void
  signal: AbortSignal
}

/** Nothing is waited for longer than this once the measurement is over. */
const END_MS = 5_000
const LOOK_MS = 300

/** @throws HostError where an agent is running, or the engine cannot start */
export async function benchmark(world: BenchmarkWorld): Promise<{ benchmark: Benchmark; checks: Check[] }> {
  const { env, home, engine, variant, cards, driver, minTokensPerSecond, cardsNow, progress, signal } = world
  const unlock = lockHome(home)
  let shown = true
  const show = (): void => {
    if (!shown) return
    progress(`the engine: ${engine.starting?.() ?? 'starting'}`)
    env.timer(LOOK_MS, show)
  }
  try {
    show()
    await engine.start(signal).finally(() => (shown = false))
    const measured = await measure({
      ...world,
      cards: cardsNow,
      model: variant,
      progress: (text) => progress(`benchmark: ${text}`),
    })
    const { name, version } = engine.serving()[0]?.engine ?? { name: 'unknown', version: null }
    const result: Benchmark = {
      ...measured,
      at: new Date(env.now()).toISOString(),
      ...{ variant, cards, driver, minTokensPerSecond, engine: version === null ? name : `${name} ${version}` },
    }
    saveBenchmark(home, result)
    return { benchmark: result, checks: checkSpeed(result) }
  } catch (error) {
    if (signal.aborted) throw new HostError('The benchmark was interrupted; nothing of it was kept.')
    throw error
  } finally {
    const late = new AbortController()
    const cancel = env.timer(END_MS, () => late.abort())
    await engine.stop(late.signal).finally(cancel)
    unlock()
  }
}

/** One fact per line, for a person. */
export function describeBenchmark({ firstTokenMs, speeds, soak, engine }: Benchmark): [fact: string, value: string][] {
  return [
    ['engine', engine],
    ['first token', `${firstTokenMs.median} ms, at worst ${firstTokenMs.worst} ms`],
    ...speeds.map(({ streams, tokensPerSecond, slowest }): [string, string] => [
      streams === 1 ? '1 request' : `${streams} requests`,
      `${tokensPerSecond} tokens/s together, the slowest ${slowest}`,
    ]),
    [
      'under load',
      `${soak.tokensPerSecond} tokens/s for ${soak.seconds} s, ${Math.round(soak.kept * 100)} % kept` +
        (soak.hottestCelsius === null ? '' : `, ${soak.hottestCelsius} °C at most`) +
        (soak.watts == null ? '' : `, ${Math.round(soak.watts)} W`),
    ],
  ]
}
