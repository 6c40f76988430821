// The whole chain with the real gpuhost: beside the hub, and at the far end of a home's line.
import { join } from 'node:path'
import { readFileSync } from 'node:fs'
import { goals, judge } from './goals.ts'
import { startLine } from './home-line.ts'
import { type HubUnderTest, startHub } from './hub.ts'
import { flaw, type Load, runLoad, type Seen } from './load.ts'
import type { Lone } from './lone.ts'
import { LOAD_CORE, startProgram } from './machine.ts'
import type { Bench } from './systems/system.ts'
import { makePrompt, MODEL } from './world.ts'

const ROUND_TRIP_MS = 40
const UP_BITS = 20e6
const DOWN_BITS = 100e6
const READY_MS = 30_000

export const home: Lone = {
  name: 'home line',
  quick: false,
  async run(bench) {
    const prompt = makePrompt(bench.world, 1_024)
    const streams: Load = {
      connections: 8,
      stream: true,
      tokens: 200,
      gapUs: 10_000,
      prompt,
      // As clients come: one after another, over the length of a stream.
      rampMs: 2_000,
      warmMs: 2_500,
      measureMs: 6_000,
    }
    const single: Load = {
      connections: 1,
      stream: false,
      tokens: 90,
      each: 90,
      prompt,
      warmMs: 1_000,
      measureMs: 1_500,
    }
    const engine = { port: bench.enginePort, pids: [] }
    const near = await withHost(bench, null, (hub) => both(bench, hub, single, streams))
    const far = await withHost(bench, ROUND_TRIP_MS, (hub) => both(bench, hub, single, streams))
    const itself = await both(bench, engine, single, streams)
    const wrong = [near, far, itself].flatMap(({ one, many }) => [flaw(one), flaw(many)]).find(Boolean) ?? null
    const addedMs = (far.many.first.p50 - itself.many.first.p50) / 1e3 - ROUND_TRIP_MS
    const rate = tokensPerSecond(far.many) / tokensPerSecond(itself.many)
    const say = (name: string, { one, many }: Both) =>
      `${name}: first token p50 ${(many.first.p50 / 1e3).toFixed(1)} ms, p99 ${(many.first.p99 / 1e3).toFixed(1)} ms; ${tokensPerSecond(many).toFixed(1)} tokens/s a stream; a whole answer alone p50 ${(one.latency.p50 / 1e3).toFixed(2)} ms`
    return {
      lines: [
        say('the engine itself', itself),
        say('hub and gpuhost beside it', near),
        say(`hub and gpuhost, ${ROUND_TRIP_MS} ms and 20 Mbit/s apart`, far),
        ...(wrong ? [`void: ${wrong}`] : []),
      ],
      judged: [
        judge(goals.homeFirst, wrong ? null : addedMs, 0, wrong ?? ''),
        judge(goals.homeRate, wrong ? null : rate, 0, wrong ?? ''),
      ],
      figures: { itself, near, far },
    }
  },
}

interface Both {
  one: Seen
  many: Seen
}

async function both(
  { programs, world }: Bench,
  target: Pick<HubUnderTest, 'port' | 'pids'>,
  single: Load,
  streams: Load,
): Promise<Both> {
  const { prompt } = single
  // What compiles while it runs needs some hundreds of answers before it shows what it can.
  const warm: Load = { connections: 16, stream: true, tokens: 20, gapUs: 2_000, prompt, warmMs: 0, measureMs: 3_000 }
  await runLoad(programs, world, target, warm)
  return { one: await runLoad(programs, world, target, single), many: await runLoad(programs, world, target, streams) }
}

/** From a stream's first token to its end. */
function tokensPerSecond({ latency, first }: Seen): number {
  return 200 / ((latency.p50 - first.p50) / 1e6)
}

/** A hub with one real gpuhost, at the end of a line where a round trip is given. */
async function withHost<T>(
  bench: Bench,
  roundTripMs: number | null,
  work: (hub: HubUnderTest) => Promise<T>,
): Promise<T> {
  const name = roundTripMs === null ? 'near' : 'far'
  const hub = await startHub(bench.programs, bench.world, { name, hosts: 0 })
  const line =
    roundTripMs === null ? null : startLine({ to: hub.port, roundTripMs, upBits: UP_BITS, downBits: DOWN_BITS })
  const [token = ''] = readFileSync(bench.world.tokens, 'utf8').split('\n')
  const gpuhost = join(import.meta.dirname, '..', 'dist', 'gpuhost')
  const words = ['--hub', `http://127.0.0.1:${line?.port ?? hub.port}`, '--model', MODEL, '--engine', 'openai']
  const host = startProgram(
    [
      gpuhost,
      'start',
      '--foreground',
      ...words,
      '--engine-url',
      `http://127.0.0.1:${bench.enginePort}`,
      '--slots',
      '64',
      '--simulate-gpu',
      'RTX 4090',
    ],
    {
      core: LOAD_CORE,
      cwd: hub.data,
      env: { GPUHOST_TOKEN: token, GPUHOST_HOME: join(hub.data, 'host') },
      log: join(hub.data, 'host.log'),
    },
  )
  try {
    await untilServed(bench, hub)
    return await work(hub)
  } finally {
    await host.end('SIGKILL')
    line?.stop()
    await hub.stop()
  }
}

async function untilServed({ programs, world }: Bench, hub: HubUnderTest): Promise<void> {
  const prompt = makePrompt(world, 1_024)
  for (const until = performance.now() + READY_MS; performance.now() < until; await Bun.sleep(200)) {
    const seen = await runLoad(programs, world, hub, {
      connections: 1,
      stream: false,
      tokens: 1,
      prompt,
      requests: 1,
      warmMs: 0,
      measureMs: 2_000,
    })
    if (seen.completed === 1) return
  }
  throw new Error('gpuhost did not get ready')
}
