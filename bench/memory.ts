// What memory holds: idle hosts, open streams, clients that read slowly or never; and what hosts cost that do nothing.
import { goals, judge } from './goals.ts'
import { type HubUnderTest, startHub } from './hub.ts'
import { flaw, type Load, runLoad } from './load.ts'
import type { Lone } from './lone.ts'
import { cpuNs, residentBytes } from './machine.ts'
import { fit, median } from './numbers.ts'
import type { Bench, Contestant } from './systems/system.ts'
import { nginx } from './systems/yardsticks.ts'
import { makePrompt } from './world.ts'

const SETTLE_MS = 12_000
/** By itself the collector lets hundreds of megabytes lie; here it is told to be quick, so that what is left is held. */
const collecting = {
  BUN_JSC_forceRAMSize: String(64 * 1024 * 1024),
  BUN_JSC_smallHeapGrowthFactor: '1.05',
  BUN_JSC_mediumHeapGrowthFactor: '1.05',
  BUN_JSC_largeHeapGrowthFactor: '1.05',
}

export const idleHosts: Lone = {
  name: 'memory: idle hosts',
  quick: false,
  async run({ programs, world }) {
    const count = 10_000
    const hub = await startHub(programs, world, { name: 'idle-hosts', hosts: 0, settings: collecting })
    try {
      // The first hosts bring what all hosts share: code, statements, pages of the database.
      await hub.addHosts(200)
      await Bun.sleep(SETTLE_MS)
      const before = await settled(hub, SETTLE_MS)
      await hub.addHosts(count)
      await Bun.sleep(SETTLE_MS)
      // Beats leave garbage: the lowest over some collections is what is held.
      const each = ((await settled(hub, 3 * SETTLE_MS)) - before) / count / 1_024
      const ranBefore = cpuNs(hub.pids)
      await Bun.sleep(10_000)
      const share = (cpuNs(hub.pids) - ranBefore) / 10e9
      const { lost } = await hub.hostStats()
      const note = lost > 0 ? `${lost} hosts were lost` : ''
      return {
        lines: [`an idle host: ${each.toFixed(2)} KB; beats of ${count}: ${(share * 100).toFixed(1)} % of a core`],
        judged: [judge(goals.idleHost, lost > 0 ? null : each, 0, note)],
        figures: { idleHostKb: each, beatsShare: share },
      }
    } finally {
      await hub.stop()
    }
  },
}

export const openStreams: Lone = {
  name: 'memory: open streams',
  quick: false,
  async run(bench) {
    const hub = await startHub(bench.programs, bench.world, { name: 'open-streams', hosts: 50, settings: collecting })
    const yardstick = await nginx.start(bench)
    try {
      const ours = await ofStreams(bench, hub, hub)
      const theirs = 'absent' in yardstick ? [] : await ofStreams(bench, yardstick)
      const at = (points: Point[], streams: number) => points.find((point) => point.streams === streams)
      const most = at(ours, 5_000)
      const broken = ours.find((point) => point.void)?.void ?? ''
      const say = (name: string, points: Point[]) =>
        points.map(
          (p) =>
            `${name}, ${p.streams} streams: ${p.void ? `void: ${p.void}` : `${p.kb.toFixed(1)} KB a stream, ${p.cpuUs.toFixed(1)} µs a chunk; after the end ${(p.leftBytes / 1e6).toFixed(0)} MB more than before`}`,
        )
      return {
        lines: [...say('hub', ours), ...say('nginx', theirs)],
        judged: [judge(goals.openStream, broken ? null : (most?.kb ?? null), 0, broken)],
        figures: { hub: ours, nginx: theirs },
      }
    } finally {
      await hub.stop()
      if (!('absent' in yardstick)) await yardstick.stop()
    }
  },
}

interface Point {
  streams: number
  kb: number
  cpuUs: number
  leftBytes: number
  void: string | null
}

async function ofStreams({ programs, world }: Bench, target: Contestant, hub?: HubUnderTest): Promise<Point[]> {
  const prompt = makePrompt(world, 1_024)
  const points: Point[] = []
  await runLoad(programs, world, target, {
    connections: 64,
    stream: true,
    tokens: 20,
    prompt,
    warmMs: 0,
    measureMs: 3_000,
  })
  for (const streams of [100, 1_000, 5_000]) {
    const before = await settled(target, SETTLE_MS)
    // A token a second: it is memory that is looked at, over some collections.
    const rampMs = Math.max(500, streams * 2)
    const holdMs = 2.5 * SETTLE_MS
    const load: Load = {
      ...{
        connections: streams,
        stream: true,
        gapUs: 1_000_000,
        tokens: Math.ceil((rampMs + holdMs) / 1_000) + 3,
        prompt,
      },
      ...{ rampMs, warmMs: rampMs + holdMs / 2, measureMs: holdMs / 2, tailMs: rampMs + 30_000 },
    }
    const running = runLoad(programs, world, target, load)
    await Bun.sleep(rampMs)
    const during = await settled(target, holdMs)
    const seen = await running
    points.push({
      streams,
      kb: (during - before) / streams / 1_024,
      cpuUs: seen.sample.sutNs / 1e3 / seen.sample.chunks,
      leftBytes: (await settled(target, SETTLE_MS)) - before,
      void: flaw(seen),
    })
    await hub?.hostStats()
  }
  return points
}

/** How long a client may read nothing: as the default says. */
const STALL_S = 60

export const slowClients: Lone = {
  name: 'memory: slow clients',
  quick: false,
  async run(bench) {
    const settings = { ...collecting, GPUHUB_STALL_SECONDS: String(STALL_S) }
    const hub = await startHub(bench.programs, bench.world, { name: 'slow-clients', hosts: 50, settings })
    try {
      const slow = await withReaders(bench, hub, { connections: 8, readBytesPerSecond: 20_000 }, SLOW_MS)
      const never = await withReaders(bench, hub, { connections: 50, readBytesPerSecond: 0 }, NEVER_MS)
      const line = (name: string, { growthBytes, mbPerMinute, kernelBytes, fullAfterS }: Watched) =>
        `${name}: ${(growthBytes / 1e6).toFixed(1)} MB while the kernel took ${(kernelBytes / 1e6).toFixed(1)} MB in ${fullAfterS.toFixed(0)} s, then ${mbPerMinute.toFixed(2)} MB a minute`
      // A client is silent from when the kernel takes no more for it.
      const cutS = never.goneAfterS === null ? null : never.goneAfterS - never.fullAfterS
      return {
        lines: [
          line('8 clients at 20 KB/s', slow),
          line('50 clients that never read', never),
          `all 50 were cut off ${cutS === null ? 'too late' : `${cutS.toFixed(1)} s after that`}; ${STALL_S} s were allowed`,
        ],
        judged: [
          judge(goals.slowClient, Math.max(0, slow.mbPerMinute, never.mbPerMinute), 0),
          judge(goals.neverReads, (cutS ?? Number.POSITIVE_INFINITY) - STALL_S, 0),
        ],
        figures: { slow, never },
      }
    } finally {
      await hub.stop()
    }
  },
}

/** The kernel's buffers are full by then, and over what is left there are some collections. */
const SLOW_MS = 120_000
/** Long enough to fill them for all who never read, also on a busy machine, and to have these cut off. */
const NEVER_MS = 240_000
/** Long enough for a collection, also where little happens. */
const FLOOR_S = 25

/** The lowest of every so many seconds, as far as they are whole. */
function floors(points: { x: number; y: number }[]): { x: number; y: number }[] {
  const [first, last] = [points[0]?.x ?? 0, points.at(-1)?.x ?? 0]
  const lowest = new Map<number, { x: number; y: number }>()
  for (const point of points) {
    const window = Math.floor((point.x - first) / FLOOR_S)
    const before = lowest.get(window)
    if (!before || point.y < before.y) lowest.set(window, point)
  }
  return [...lowest].flatMap(([window, point]) => (first + (window + 1) * FLOOR_S <= last + 1 ? [point] : []))
}

interface Watched {
  /** Until the kernel held all it takes for those who do not read. */
  growthBytes: number
  /** After that, as long as none was cut off: what is settled then brings garbage of its own. */
  mbPerMinute: number
  fullAfterS: number
  kernelBytes: number
  /** When the last of the requests was ended by the hub; null: it was not. */
  goneAfterS: number | null
}

async function withReaders(
  { programs, world }: Bench,
  hub: HubUnderTest,
  readers: Pick<Load, 'connections' | 'readBytesPerSecond'>,
  watchMs: number,
): Promise<Watched> {
  const prompt = makePrompt(world, 1_024)
  const warm: Load = { connections: 32, stream: true, tokens: 1_000, prompt, warmMs: 0, measureMs: 4_000 }
  await runLoad(programs, world, hub, warm)
  // Answers as long as these bring the worker that counts them, which the hub then keeps.
  const long: Load = { connections: 4, stream: true, tokens: 8_000, each: 80, prompt, warmMs: 0, measureMs: 4_000 }
  await runLoad(programs, world, hub, long)
  const before = await settled(hub, SETTLE_MS)
  hub.newRows()
  const kernelBefore = await kernelBytes()
  // More than the kernel takes for a client that does not read.
  const answer = { stream: true, tokens: 8_000, choices: 4, prompt } as const
  const load: Load = { ...readers, ...answer, warmMs: 100, measureMs: watchMs, tailMs: 500 }
  const running = runLoad(programs, world, hub, load)
  const startedAt = performance.now()
  const points: { x: number; y: number; kernel: number; ended: number }[] = []
  let ended = 0
  let goneAfterS: number | null = null
  const seconds = () => (performance.now() - startedAt) / 1_000
  while (seconds() < watchMs / 1_000) {
    const { cancelled, completed } = hub.newRows()
    ended += cancelled + completed
    points.push({ x: seconds(), y: residentBytes(hub.pids), kernel: (await kernelBytes()) - kernelBefore, ended })
    if (ended >= readers.connections) goneAfterS ??= seconds()
    await Bun.sleep(500)
  }
  await running
  const most = Math.max(...points.map(({ kernel }) => kernel))
  const full = points.findIndex(({ kernel }) => kernel >= most * 0.9)
  const after = points.slice(full).filter((point) => point.ended === 0)
  return {
    growthBytes: median(after.slice(0, 12).map(({ y }) => y)) - before,
    mbPerMinute: (fit(floors(after)).slope * 60) / 1e6,
    fullAfterS: points[full]?.x ?? 0,
    kernelBytes: most,
    goneAfterS,
  }
}

/** The lowest of many looks: what the collector has not fetched yet is nobody's. */
async function settled({ pids }: Pick<Contestant, 'pids'>, forMs = 3_000): Promise<number> {
  let lowest = Number.POSITIVE_INFINITY
  for (const until = performance.now() + forMs; performance.now() < until; await Bun.sleep(250))
    lowest = Math.min(lowest, residentBytes(pids))
  return lowest
}

/** What the kernel holds for TCP, all sockets of the machine. */
async function kernelBytes(): Promise<number> {
  const [, pages = '0'] = /^TCP:.* mem (\d+)/m.exec(await Bun.file('/proc/net/sockstat').text()) ?? []
  return Number(pages) * 4_096
}
