// Fifty thousand streams, a fifth of them given up in the middle: memory must not grow once it is warm, nothing may be
// left open, and every answer must be in the books.
import { unaccounted } from './compare.ts'
import { goals, judge } from './goals.ts'
import { startHub } from './hub.ts'
import { flaw, runLoad } from './load.ts'
import type { Lone } from './lone.ts'
import { residentBytes } from './machine.ts'
import { median } from './numbers.ts'
import { makePrompt } from './world.ts'

const STREAMS = 50_000

export const soak: Lone = {
  name: 'soak',
  quick: false,
  async run({ programs, world }) {
    const hub = await startHub(programs, world, { name: 'soak', hosts: 50 })
    try {
      const prompt = makePrompt(world, 1_024)
      const looks: number[] = []
      const look = setInterval(() => looks.push(residentBytes(hub.pids)), 250)
      const seen = await runLoad(programs, world, hub, {
        ...{ connections: 64, stream: true, tokens: 10, gapUs: 2_000, prompt },
        ...{ requests: STREAMS, abortEvery: 5, warmMs: 0, measureMs: 300_000, tailMs: 20_000 },
      }).finally(() => clearInterval(look))
      const wrong = flaw(seen) ?? (await unaccounted(hub, seen))
      const part = (from: number, to: number) => median(looks.slice(looks.length * from, looks.length * to))
      const growth = (part(0.8, 1) / part(0.25, 0.45) - 1) * 100
      const hosts = await hub.hostStats()
      const done = seen.completed + seen.aborted
      const enough = done >= STREAMS * 0.99 ? wrong : `only ${done} streams within five minutes`
      return {
        lines: [
          `${seen.completed} completed, ${seen.aborted} given up in ${(looks.length / 4).toFixed(0)} s; RSS ${(part(0.25, 0.45) / 1e6).toFixed(0)} → ${(part(0.8, 1) / 1e6).toFixed(0)} MB`,
          ...(wrong ? [`void: ${wrong}`] : []),
        ],
        judged: [judge(goals.soak, enough ? null : growth, 0, enough ?? '')],
        figures: { seen, looks, hosts },
      }
    } finally {
      await hub.stop()
    }
  },
}
