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

/** What the machine around a card draws while it is on. */
const MACHINE_WATTS = 70

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
}

/**
 * What is left of a night, USD: tokens · price · (1 − fee) − (busy · card + machine) · hours · electricity. An estimate
 * and never a posting, hence floating point; below zero the night costs more electricity than it earns.
 */
export function nightUsd(night: Night): { earned: number; electricity: number; net: number } {
  const tokens = night.tokensPerSecond * 3_600 * night.hours * night.busy
  const earned = (tokens / 1e6) * night.priceUsd * (1 - night.feePpm / 1e6)
  const electricity = ((night.busy * night.watts + MACHINE_WATTS) / 1_000) * night.hours * night.kilowattHourUsd
  return { earned, electricity, net: earned - electricity }
}
