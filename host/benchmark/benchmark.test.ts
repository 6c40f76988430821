// What is measured of an engine whose speed is known, and what follows from it.
import { afterEach, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemEnv } from '../../sdk/env.ts'
import { benchmark, describeBenchmark } from '../commands/benchmark.ts'
import { homeAt, makeHome } from '../config.ts'
import { openAiEngine } from '../engine/openai.ts'
import { type EmulatorOptions, startEmulator } from '../testing.ts'
import { type Benchmark, checkSpeed, savedBenchmark, slotsFor } from './record.ts'

setDefaultTimeout(60_000)

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean()
})

async function run(emulated: EmulatorOptions, least: number) {
  const emulator = await startEmulator({ model: 'Qwen/Qwen3-8B', ...emulated })
  const folder = mkdtempSync(join(tmpdir(), 'bench-'))
  cleanups.push(
    () => rmSync(folder, { recursive: true, force: true }),
    () => emulator.close(),
  )
  const home = homeAt({ GPUHOST_HOME: folder })
  makeHome(home)
  const about = { variant: 'Qwen/Qwen3-8B', cards: ['RTX 4090'], driver: '580.1' }
  const engine = openAiEngine({
    env: systemEnv,
    url: emulator.url,
    model: 'Qwen/Qwen3-8B',
    slots: 6,
    contextTokens: 4_096,
  })
  const said: string[] = []
  const done = await benchmark({
    ...{ env: systemEnv, home, engine, ...about, minTokensPerSecond: least, soakSeconds: 1 },
    ...{
      cardsNow: async () => ({ celsius: 71, watts: 312 }),
      progress: (text: string) => void said.push(text),
      signal: new AbortController().signal,
    },
  })
  return { done, home, about, said, emulator }
}

test('every answer is counted, at one, a few and all at a time, and kept for the next start', async () => {
  const { done, home, about, said, emulator } = await run({ slots: 6 }, 1)
  const { speeds, soak, firstTokenMs } = done.benchmark
  expect(speeds.map(({ streams }) => streams)).toEqual([1, 4, 6])
  for (const { tokensPerSecond, slowest } of speeds) expect(Math.min(tokensPerSecond, slowest)).toBeGreaterThan(0)
  expect(firstTokenMs.worst).toBeGreaterThanOrEqual(firstTokenMs.median)
  expect(soak).toMatchObject({ hottestCelsius: 71, watts: 312 })
  expect(soak.seconds).toBeGreaterThanOrEqual(1)
  // A token at the start, the warm-up, five firsts, 1 + 4 + 6 answers, and the soak's.
  expect(emulator.tally.finished).toBeGreaterThan(1 + 1 + 5 + 11)
  expect(said).toContain('benchmark: 4 at a time')
  expect(savedBenchmark(home, about)).toEqual(done.benchmark)
  expect(savedBenchmark(home, { ...about, driver: '590.1' })).toBeNull()
  expect(savedBenchmark(home, { ...about, cards: ['RTX 4090', 'RTX 4090'] })).toBeNull()
  writeFileSync(join(home.path, 'benchmark.json'), '{')
  expect(savedBenchmark(home, about)).toBeNull()
  expect(describeBenchmark(done.benchmark).map(([fact]) => fact)).toEqual([
    ...['engine', 'first token', '1 request', '4 requests', '6 requests', 'under load'],
  ])
})

test('an engine that is slower than the model asks fails, and says so', async () => {
  const { done } = await run({ slots: 2, tokensPerSecond: 2_000 }, 10_000)
  const [speed] = done.checks
  expect(speed).toMatchObject({ what: 'speed', ok: false, required: '10000 tokens/s' })
  expect(speed?.remedy).toContain('smaller model')
})

const measured = (speeds: [streams: number, together: number, slowest: number][], kept = 1) => ({
  speeds: speeds.map(([streams, tokensPerSecond, slowest]) => ({ streams, tokensPerSecond, slowest })),
  soak: { seconds: 60, tokensPerSecond: 1, kept, hottestCelsius: 88 },
})

describe('what follows', () => {
  test.each([
    [
      'fast enough for all',
      [
        [1, 90, 90],
        [4, 300, 75],
        [32, 1_600, 50],
      ],
      15,
      32,
    ],
    [
      'not for all at a time',
      [
        [1, 40, 40],
        [4, 120, 30],
        [32, 240, 7.5],
      ],
      15,
      16,
    ],
    [
      'hardly for one',
      [
        [1, 16, 16],
        [4, 20, 5],
      ],
      15,
      1,
    ],
    [
      'where nothing is asked',
      [
        [1, 2, 2],
        [4, 3, 0.7],
      ],
      0,
      4,
    ],
  ] as [string, [number, number, number][], number, number][])('requests at a time, %s', (_, speeds, least, slots) => {
    expect(slotsFor({ ...measured(speeds), minTokensPerSecond: least })).toBe(slots)
  })

  test('a card that slows down under load is told of its heat', () => {
    const hot = { ...measured([[1, 90, 90]], 0.6), minTokensPerSecond: 15 } as unknown as Benchmark
    expect(checkSpeed(hot)).toMatchObject([
      { what: 'speed', ok: true, remedy: null },
      { what: 'speed under load', ok: false, actual: '60 % of it left after 30 s at 88 °C' },
    ])
  })
})
