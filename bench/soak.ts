// Fifty thousand streams, a fifth of them given up in the middle: memory must not grow once it is warm, nothing may be
// left open, and every answer must be in the books.
import { unaccounted } from './compare.ts'
import { goals, judge } from './goals.ts'
import { type HubUnderTest, startHub } from './hub.ts'
import { flaw, runLoad, type Seen } from './load.ts'
import type { Lone } from './lone.ts'
import { residentBytes } from './machine.ts'
import type { Bench } from './systems/system.ts'
import { makePrompt } from './world.ts'

const WARM_STREAMS = 10_000
const STREAMS = 50_000
/** Long enough for a collection when nothing is asked. */
const REST_MS = 15_000

export const soak: Lone = {
  name: 'soak',
  quick: false,
  async run(bench) {
    const hub = await startHub(bench.programs, bench.world, { name: 'soak', hosts: 50 })
    try {
      const warm = await streams(bench, hub, WARM_STREAMS)
      const warmBytes = await restingBytes(hub)
      const looks: number[] = []
      const look = setInterval(() => looks.push(residentBytes(hub.pids)), 250)
      const seen = await streams(bench, hub, STREAMS).finally(() => clearInterval(look))
      const restBytes = await restingBytes(hub)
      const wrong = flaw(warm) ?? flaw(seen) ?? (await unaccounted(hub, both(warm, seen)))
      const done = seen.completed + seen.aborted
      const why = done < STREAMS * 0.99 ? `only ${done} streams within five minutes` : wrong
      const growth = (restBytes / warmBytes - 1) * 100
      const mb = (bytes: number) => (bytes / 1e6).toFixed(0)
      return {
        lines: [
          `${seen.completed} completed, ${seen.aborted} given up in ${(looks.length / 4).toFixed(0)} s`,
          `RSS at rest after ${WARM_STREAMS} streams ${mb(warmBytes)} MB, after ${STREAMS} more ${mb(restBytes)} MB; the most meanwhile ${mb(Math.max(...looks))} MB`,
          ...(why ? [`void: ${why}`] : []),
        ],
        judged: [judge(goals.soak, why ? null : growth, 0, why ?? '')],
        figures: { warmBytes, restBytes, looks, seen },
      }
    } finally {
      await hub.stop()
    }
  },
}

function streams({ programs, world }: Bench, hub: HubUnderTest, requests: number): Promise<Seen> {
  return runLoad(programs, world, hub, {
    ...{ connections: 64, stream: true, tokens: 10, gapUs: 2_000, prompt: makePrompt(world, 1_024) },
    ...{ requests, abortEvery: 5, warmMs: 0, measureMs: 300_000, tailMs: 20_000 },
  })
}

async function restingBytes(hub: HubUnderTest): Promise<number> {
  await Bun.sleep(REST_MS)
  let lowest = Number.POSITIVE_INFINITY
  for (let i = 0; i < 20; i++) {
    lowest = Math.min(lowest, residentBytes(hub.pids))
    await Bun.sleep(250)
  }
  return lowest
}

function both(a: Seen, b: Seen): Seen {
  return { ...b, completed: a.completed + b.completed, aborted: a.aborted + b.aborted, tokens: a.tokens + b.tokens }
}
