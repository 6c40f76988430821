// How fast this machine serves a model: what it is told a hub of, and whether that is enough.
import { type Env, sleep } from '../../sdk/env.ts'
import type { Engine } from '../engine/engine.ts'
import type { Speed, Measured } from './record.ts'
import { type Timed, timed } from './stream.ts'

export interface Measuring {
  env: Env
  /** Started. */
  engine: Engine
  model: string
  /** How long all slots are kept busy at the end. */
  soakSeconds: number
  /** The hottest card, °C, and what all draw together; null: nobody knows. */
  cards: () => Promise<{ celsius: number | null; watts: number | null }>
  progress: (text: string) => void
  signal: AbortSignal
}

const SHORT = { words: 64, tokens: 128 }
/** About a thousand tokens. */
const LONG = { words: 400, tokens: 1 }
const FIRSTS = 5
const FEW = 4
const LOOK_MS = 5_000

/** @throws HostError where the engine does not answer */
export async function measure(measuring: Measuring): Promise<Measured> {
  const { env, engine, model, progress, signal } = measuring
  const slots = engine.serving()[0]?.slots ?? 1
  const one = (kind: { words: number; tokens: number }) => timed(env, engine, { model, ...kind }, signal)
  progress('warming up')
  await one(SHORT)
  progress('time to the first token')
  const firsts: number[] = []
  for (let at = 0; at < FIRSTS; at++) firsts.push((await one(LONG)).firstMs)
  const speeds: Speed[] = []
  for (const streams of [...new Set([1, Math.min(FEW, slots), slots])]) {
    progress(`${streams} at a time`)
    const began = env.mono()
    const answers = await Promise.all(Array.from({ length: streams }, () => one(SHORT)))
    speeds.push(speedOf(answers, env.mono() - began))
  }
  progress('all it can do at a time, for a while')
  const soak = await soaked(measuring, slots)
  const sorted = firsts.toSorted((a, b) => a - b)
  return {
    firstTokenMs: { median: rounded(sorted[Math.floor(sorted.length / 2)] ?? 0), worst: rounded(sorted.at(-1) ?? 0) },
    ...{ speeds, soak },
  }
}

function speedOf(answers: readonly Timed[], tookMs: number): Speed {
  const tokens = answers.reduce((sum, answer) => sum + answer.tokens, 0)
  const each = answers.map(({ tokens, restMs }) => perSecond(tokens - 1, restMs)).toSorted((a, b) => a - b)
  return {
    streams: answers.length,
    tokensPerSecond: rounded(perSecond(tokens, tookMs)),
    slowest: rounded(each[0] ?? 0),
  }
}

/** All slots busy for a while: a card that grows hot, or is slowed down, shows it by then. */
async function soaked(measuring: Measuring, slots: number): Promise<Measured['soak']> {
  const { env, engine, model, soakSeconds, cards, signal } = measuring
  const began = env.mono()
  const soakMs = soakSeconds * 1_000
  const over = new AbortController()
  /** When how many tokens had been made. */
  const made: { at: number; tokens: number }[] = []
  const work = async () => {
    while (env.mono() - began < soakMs) {
      const { tokens } = await timed(env, engine, { model, ...SHORT }, signal)
      made.push({ at: env.mono() - began, tokens })
    }
  }
  let hottest: number | null = null
  const drawn: number[] = []
  const watching = (async () => {
    while (!over.signal.aborted) {
      const now = await cards().catch(() => null)
      if (now && now.celsius !== null) hottest = Math.max(hottest ?? now.celsius, now.celsius)
      if (now && now.watts !== null) drawn.push(now.watts)
      await sleep(env, LOOK_MS, over.signal)
    }
  })()
  try {
    await Promise.all(Array.from({ length: slots }, work))
  } finally {
    over.abort()
    await watching
  }
  const took = env.mono() - began
  const tokens = made.reduce((sum, each) => sum + each.tokens, 0)
  const half = (from: number, to: number) =>
    made.filter(({ at }) => at >= from && at < to).reduce((sum, each) => sum + each.tokens, 0)
  const before = half(0, took / 2)
  return {
    seconds: rounded(took / 1_000),
    tokensPerSecond: rounded(perSecond(tokens, took)),
    kept: before === 0 ? 1 : Math.min(1, Math.round((100 * half(took / 2, Number.POSITIVE_INFINITY)) / before) / 100),
    hottestCelsius: hottest,
    watts: drawn.length === 0 ? null : rounded(drawn.reduce((sum, watts) => sum + watts, 0) / drawn.length),
  }
}

const perSecond = (tokens: number, ms: number) => (ms <= 0 ? 0 : (tokens * 1_000) / ms)
const rounded = (value: number) => Math.round(value * 10) / 10
