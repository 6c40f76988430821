// Ten times what the hosts can do, for a minute: who is let in is served as under full load, who is not is told at once.
import { readConfig } from '../hub/config.ts'
import { roomFor } from '../hub/gateway/share.ts'
import { unaccounted } from './compare.ts'
import { goals, judge } from './goals.ts'
import { type HubUnderTest, startHub } from './hub.ts'
import { flaw, type Load, runLoad, type Seen } from './load.ts'
import type { Lone } from './lone.ts'
import { residentBytes } from './machine.ts'
import type { Bench } from './systems/system.ts'
import { makePrompt } from './world.ts'

const HOSTS = 8
const SLOTS = 8
const TOKENS = 50
const GAP_US = 20_000
/** A slot gives an answer in a second. */
const CAPACITY = (HOSTS * SLOTS) / ((TOKENS * GAP_US) / 1e6)

export const overload: Lone = {
  name: 'overload',
  quick: false,
  async run(bench) {
    const hub = await startHub(bench.programs, bench.world, { name: 'overload', hosts: HOSTS, slots: SLOTS })
    try {
      const begun = await offered(bench, hub, { perSecond: CAPACITY / 2, connections: 1_000, measureMs: 3_000 })
      // Everybody who can be let in is in, or next in line, all the time.
      const { places, waiting } = roomFor(HOSTS * SLOTS, readConfig({}))
      const full = await offered(bench, hub, { connections: places + waiting, measureMs: 15_000 })
      const before = residentBytes(hub.pids)
      const most = watchMemory(hub)
      const over = await offered(bench, hub, { perSecond: CAPACITY * 10, connections: 10_000, measureMs: 60_000 })
      const growth = (most() - before) / 1e6
      const wrong = flaw(full) ?? flaw(over) ?? (await unaccounted(hub, together([begun, full, over])))
      const ratio = over.first.p99 / full.first.p99
      const refusalMs = over.refusal.p99 / 1e3
      const say = (name: string, seen: Seen) =>
        `${name}: ${(seen.sample.firsts / seen.seconds).toFixed(0)} begun a second, first token p50 ${(seen.first.p50 / 1e3).toFixed(1)} ms, p99 ${(seen.first.p99 / 1e3).toFixed(1)} ms; ${(seen.sample.refused / seen.seconds).toFixed(0)} refused a second, p99 ${(seen.refusal.p99 / 1e3).toFixed(1)} ms`
      return {
        lines: [
          `${HOSTS} hosts with ${SLOTS} slots: ${CAPACITY} answers a second at most; ${places} may run and ${waiting} wait`,
          say('full load', full),
          say('ten times that', over),
          `memory: ${growth.toFixed(0)} MB more than before`,
          ...(wrong ? [`void: ${wrong}`] : []),
        ],
        judged: [
          judge(goals.overloadFirst, wrong ? null : ratio, 0, wrong ?? ''),
          judge(
            goals.overloadRefusal,
            wrong || over.refused === 0 ? null : refusalMs,
            0,
            wrong ?? (over.refused === 0 ? 'nothing was refused' : ''),
          ),
        ],
        figures: { full, over, growthMb: growth },
      }
    } finally {
      await hub.stop()
    }
  },
}

function offered(
  { programs, world }: Bench,
  hub: HubUnderTest,
  load: Pick<Load, 'perSecond' | 'connections' | 'measureMs'>,
): Promise<Seen> {
  const prompt = makePrompt(world, 1_024)
  return runLoad(programs, world, hub, {
    ...{ stream: true, tokens: TOKENS, gapUs: GAP_US, prompt, warmMs: 2_000, tailMs: 90_000, rampMs: 1_000 },
    ...load,
  })
}

function together(all: Seen[]): Seen {
  const sum = (of: 'completed' | 'aborted' | 'tokens') => all.reduce((total, seen) => total + seen[of], 0)
  return { ...all[0]!, completed: sum('completed'), aborted: sum('aborted'), tokens: sum('tokens') }
}

function watchMemory(hub: HubUnderTest): () => number {
  let most = 0
  const look = setInterval(() => {
    most = Math.max(most, residentBytes(hub.pids))
  }, 250)
  return () => {
    clearInterval(look)
    return most
  }
}
