// What a card would earn, before anybody installs anything: an estimate from published throughput and the price now.

/** Tokens a second a card gives with its engine full, in output tokens; a prompt token counts as a quarter of one. */
export interface Card {
  name: string
  /** While it works, without the rest of the machine. */
  watts: number
  /** By catalog model. */
  tokensPerSecond: Record<string, number>
}

const speeds = (qwen8: number, qwen30: number, qwen32: number) => ({
  'Qwen/Qwen3-8B': qwen8,
  'Qwen/Qwen3-30B-A3B': qwen30,
  'Qwen/Qwen3-32B': qwen32,
})

/**
 * Saturated vLLM throughput as published between May 2025 and October 2026 (IOG-Foundation/llm-inference-benchmarks,
 * cloudrift-ai/server-benchmark, r/LocalLLaMA 1kkvqti); A6000, H100 and the dense 32 B figures are estimates from them.
 */
export const cards: readonly Card[] = [
  { name: 'RTX 3090', watts: 300, tokensPerSecond: speeds(700, 600, 130) },
  { name: 'RTX 4090', watts: 350, tokensPerSecond: speeds(1_800, 1_400, 350) },
  { name: 'RTX 5090', watts: 475, tokensPerSecond: speeds(3_000, 2_850, 600) },
  { name: 'RTX A6000', watts: 270, tokensPerSecond: speeds(1_400, 1_300, 350) },
  { name: 'H100 80 GB', watts: 600, tokensPerSecond: speeds(7_000, 6_500, 2_000) },
]

/**
 * Cards nobody has published such figures of: watts and memory bandwidth (GB/s) from their makers' sheets, and how many
 * tokens a second of Qwen3 8B a GB/s gives, which the cards above show to go by generation: 0.75 (RTX 3090), 1.7 (RTX
 * 4090 and 5090), 1.8 (A6000).
 */
const others: readonly (readonly [name: string, watts: number, bandwidth: number, tokensPerBandwidth: number])[] = [
  ['Tesla T4', 70, 320, 0.6],
  ['RTX 3060', 170, 360, 0.75],
  ['RTX 3070', 220, 448, 0.75],
  ['RTX 3080', 320, 760, 0.75],
  ['RTX 4060', 115, 272, 1.7],
  ['RTX 4060 Ti', 160, 288, 1.7],
  ['RTX 4070', 200, 504, 1.7],
  ['RTX 4070 Ti', 285, 504, 1.7],
  ['RTX 4080', 320, 717, 1.7],
  ['RTX 5060 Ti', 180, 448, 1.7],
  ['RTX 5070', 250, 672, 1.7],
  ['RTX 5070 Ti', 300, 896, 1.7],
  ['RTX 5080', 360, 960, 1.7],
  ['A10', 150, 600, 1.8],
  ['A100', 400, 1_555, 1.8],
  ['L4', 72, 300, 1.7],
  ['L40S', 350, 864, 1.7],
  ['RTX 6000 Ada', 300, 960, 1.7],
  ['H200', 700, 4_800, 1.8],
]

const YARDSTICK = 'Qwen/Qwen3-8B'
const YARDSTICK_PARAMETERS = 8.2e9

/** What a model needs for a guess at its speed. */
export interface Sized {
  /** Its catalog id, without a precision. */
  model: string
  parameters: { total: number; active: number }
}

export interface Speed {
  /** Tokens a second with the engine full. */
  tokensPerSecond: number
  /** Of the card while it works. */
  watts: number
  /** Somebody has measured that model on that card; else it is derived from what was. */
  published: boolean
}

/**
 * What a card may be expected to do, by the name its driver gives it; null: nothing is known about such a card. Where
 * nobody has published the model's figure, it is that of Qwen3 8B times 8.2 B over √(total · active) parameters, which
 * gives the published ones of Qwen3 32 B and 30 B A3B within 50 % (earnings.test.ts). An instance of a divided card
 * gets its sevenths.
 */
export function expectedSpeed(driverName: string, { model, parameters }: Sized): Speed | null {
  const known = yardstickOf(driverName)
  if (!known || parameters.total <= 0) return null
  const part = Number(/\bMIG (\d)g\./.exec(driverName)?.[1] ?? 7) / 7
  const published = known.card?.tokensPerSecond[model]
  const effective = Math.sqrt(parameters.total * parameters.active)
  const tokensPerSecond = published ?? (known.tokensPerSecond * YARDSTICK_PARAMETERS) / effective
  return {
    tokensPerSecond: tokensPerSecond * part,
    watts: known.watts * part,
    published: published !== undefined && part === 1,
  }
}

function yardstickOf(driverName: string) {
  // They share the names of desktop cards, not their speed.
  if (/laptop|max-q|mobile/i.test(driverName)) return null
  const plain = (name: string) => name.toLowerCase().replace(/nvidia|geforce|\s/g, '')
  const fits = (name: string) => plain(driverName).includes(plain(name))
  const card = cards.find(({ name }) => fits(name))
  if (card) return { card, watts: card.watts, tokensPerSecond: card.tokensPerSecond[YARDSTICK] ?? 0 }
  // "RTX 4070 Ti" is also an "RTX 4070".
  const [nearest] = others.filter(([name]) => fits(name)).sort(([a], [b]) => b.length - a.length)
  if (!nearest) return null
  const [, watts, bandwidth, tokensPerBandwidth] = nearest
  return { card: undefined, watts, tokensPerSecond: bandwidth * tokensPerBandwidth }
}

/** What the machine around its cards draws while it is on, where nobody has said otherwise. */
export const MACHINE_WATTS = 70

export interface Night {
  tokensPerSecond: number
  watts: number
  /** Share of the time in which the card works, 0 to 1. */
  busy: number
  hours: number
  /** USD per million output tokens. */
  priceUsd: number
  /** The platform's share, parts per million. */
  feePpm: number
  /** USD. */
  kilowattHourUsd: number
  /** What the machine around the cards draws; default `MACHINE_WATTS`. */
  machineWatts?: number
}

/**
 * What is left of a night, USD: tokens · price · (1 − fee) − (busy · card + machine) · hours · electricity. An estimate
 * and never a posting, hence floating point; below zero the night costs more electricity than it earns.
 */
export function nightUsd(night: Night): { earned: number; electricity: number; net: number } {
  const tokens = night.tokensPerSecond * 3_600 * night.hours * night.busy
  const earned = (tokens / 1e6) * night.priceUsd * (1 - night.feePpm / 1e6)
  const { machineWatts = MACHINE_WATTS } = night
  const electricity = ((night.busy * night.watts + machineWatts) / 1_000) * night.hours * night.kilowattHourUsd
  return { earned, electricity, net: earned - electricity }
}
