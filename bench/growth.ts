// How the cost of a request grows with hosts, models, keys, the prompt and the answer, and the cost of a chunk with
// streams. The hubs of a comparison run at the same time and are asked in turn.
import { join } from 'node:path'
import { compare, type Row, type Started } from './compare.ts'
import { goals, judge } from './goals.ts'
import { startHub } from './hub.ts'
import type { Load } from './load.ts'
import type { Lone } from './lone.ts'
import { cpuNs } from './machine.ts'
import { fit } from './numbers.ts'
import { table } from './report.ts'
import { runLoad, WARM_HUB_MS } from './load.ts'
import type { Bench, Contestant } from './systems/system.ts'
import { makePrompt, makeWorld, MODEL, type World } from './world.ts'

const ROUNDS = 4
const IDLE_MS = 5_000

export const hostGrowth: Lone = {
  name: 'growth: hosts',
  quick: false,
  async run(bench) {
    const counts = [100, 1_000, 10_000]
    const rows = await onHubs(
      bench,
      counts.map((hosts) => ({
        name: `${hosts} hosts`,
        start: () => startHub(bench.programs, bench.world, { name: `grown-${hosts}`, hosts }),
      })),
      wholeLoad(bench.world),
    )
    return judged('hosts', counts, rows, goals.hostGrowth)
  },
}

export const modelGrowth: Lone = {
  name: 'growth: models',
  quick: false,
  async run(bench) {
    const counts = [1, 100, 1_000]
    const program = join(import.meta.dirname, 'systems', 'many-models.ts')
    const rows = await onHubs(
      bench,
      counts.map((count) => ({
        name: `${count} models`,
        start: () =>
          startHub(bench.programs, bench.world, {
            name: `models-${count}`,
            hosts: 32,
            words: [process.execPath, program, String(count)],
            // Every host has the model that is asked for, and its part of the others.
            models: [MODEL, ...Array.from({ length: Math.min(30, count - 1) }, (_, i) => `bench/model-${i}`)],
          }),
      })),
      wholeLoad(bench.world),
    )
    return judged('models', counts, rows, goals.modelGrowth)
  },
}

export const keyGrowth: Lone = {
  name: 'growth: keys',
  quick: false,
  async run(bench) {
    const counts = [100, 10_000, 100_000]
    const worlds = new Map<string, World>()
    for (const keys of counts)
      worlds.set(`${keys} keys`, await makeWorld(join(bench.world.folder, `keys-${keys}`), { keys }))
    const parties = counts.map((keys) => ({
      name: `${keys} keys`,
      start: () => startHub(bench.programs, worlds.get(`${keys} keys`)!, { name: `keys-${keys}`, hosts: 50 }),
    }))
    const rows = await onHubs(bench, parties, wholeLoad(bench.world), worlds)
    const turning = await onHubs(bench, parties.slice(-1), { ...wholeLoad(bench.world), rotateKeys: true }, worlds)
    const finding = judged('keys', counts, rows, goals.keyGrowth)
    const cost = turning[0]?.cpuUs ?? Number.NaN
    finding.lines.push(`100,000 keys, each request with another one: ${cost.toFixed(1)} µs an answer`)
    return { ...finding, figures: { ...finding.figures, rotating: cost } }
  },
}

export const promptGrowth: Lone = {
  name: 'growth: prompt',
  quick: false,
  async run(bench) {
    const sizes = [1, 4, 16, 45, 90]
    const rows = await onOneHub(
      bench,
      sizes.map((kb) => ({
        name: `${kb} KB`,
        load: { ...wholeLoad(bench.world), prompt: makePrompt(bench.world, kb * 1_000) },
      })),
    )
    return slope('prompt', 'KB', sizes, rows)
  },
}

export const answerGrowth: Lone = {
  name: 'growth: answer',
  quick: false,
  async run(bench) {
    const tokens = [1, 10, 90, 300]
    const rows = await onOneHub(
      bench,
      tokens.map((count) => ({
        name: `${count} tokens, an event each`,
        load: { ...wholeLoad(bench.world), tokens: count, each: 1 },
      })),
    )
    return slope('answer', 'token', tokens, rows)
  },
}

function wholeLoad(world: World): Load {
  const prompt = makePrompt(world, 1_024)
  return { connections: 32, stream: false, tokens: 90, each: 90, prompt, warmMs: 250, measureMs: 500 }
}

interface Party {
  name: string
  start(): Promise<Contestant>
}

/** Each hub's row; what it spends on its hosts alone, without a request, is taken off. */
async function onHubs(bench: Bench, parties: Party[], load: Load, worlds?: Map<string, World>): Promise<Row[]> {
  const started: Started = new Map()
  try {
    for (const party of parties) started.set(party.name, await party.start())
    const rows: Row[] = []
    for (const [name, contestant] of started) {
      const world = worlds?.get(name) ?? bench.world
      await runLoad(bench.programs, world, contestant, { ...load, warmMs: 0, measureMs: WARM_HUB_MS })
    }
    await Bun.sleep(1_000)
    const idle = new Map<string, number>()
    for (const [name, { pids }] of started) {
      const before = cpuNs(pids)
      await Bun.sleep(IDLE_MS)
      idle.set(name, (cpuNs(pids) - before) / 1e3 / (IDLE_MS / 1e3))
    }
    const scenario = { name: 'growth', unit: 'answers', load } as const
    if (worlds) {
      for (const [name, contestant] of started)
        rows.push(
          ...(await compare({ ...bench, world: worlds.get(name)! }, new Map([[name, contestant]]), scenario, ROUNDS)),
        )
    } else rows.push(...(await compare(bench, started, scenario, ROUNDS)))
    return rows.map((row) => ({ ...row, cpuUs: row.cpuUs - idle.get(row.system)! / row.perSecond }))
  } finally {
    for (const contestant of started.values()) await contestant.stop()
  }
}

async function onOneHub(bench: Bench, asked: { name: string; load: Load }[]): Promise<Row[]> {
  const hub = await startHub(bench.programs, bench.world, { name: 'growth', hosts: 50 })
  try {
    await runLoad(bench.programs, bench.world, hub, { ...wholeLoad(bench.world), warmMs: 0, measureMs: WARM_HUB_MS })
    await hub.hostStats()
    hub.newRows()
    const rows: Row[] = []
    for (const { name, load } of asked) {
      const started: Started = new Map([[name, { ...hub, hub }]])
      rows.push(...(await compare(bench, started, { name: 'growth', unit: 'answers', load }, 3)))
    }
    return rows
  } finally {
    await hub.stop()
  }
}

function judged(of: string, counts: number[], rows: Row[], goal: Parameters<typeof judge>[0]) {
  const [first, last] = [rows[0], rows.at(-1)]
  const broken = rows.find((row) => row.void)?.void
  const more = first && last && !broken ? (last.cpuUs / first.cpuUs - 1) * 100 : null
  const foreign = Math.max(...rows.map((row) => row.foreign))
  return {
    lines: [costs(rows), `from ${counts[0]} to ${counts.at(-1)} ${of}: ${broken ?? `${more?.toFixed(1)} %`}`],
    judged: [judge(goal, more, foreign, broken ?? '')],
    figures: { rows },
  }
}

function slope(of: string, unit: string, sizes: number[], rows: Row[]) {
  const line = fit(rows.map((row, i) => ({ x: sizes[i]!, y: row.cpuUs })))
  return {
    lines: [costs(rows), `${of}: ${line.base.toFixed(1)} µs and ${line.slope.toFixed(2)} µs a ${unit}`],
    judged: [],
    figures: { rows, ...line },
  }
}

function costs(rows: Row[]): string {
  return table([
    ['', 'answers/s', 'CPU µs/answer', '± rounds', 'RSS MB', 'foreign'],
    ...rows.map((row) =>
      row.void
        ? [row.system, `void: ${row.void}`]
        : [
            row.system,
            row.perSecond.toFixed(0),
            row.cpuUs.toFixed(1),
            `${(row.cpuSpread * 50).toFixed(0)}%`,
            (row.rssBytes / 1e6).toFixed(0),
            `${(row.foreign * 100).toFixed(0)}%`,
          ],
    ),
  ])
}
