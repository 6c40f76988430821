// `bun run bench [--quick] [--json] [--only NAME] [--rounds N] [--first]`: the compiled hub beside what else could stand in its
// place. docs/performance.md says how to read what it prints.
import { appendFileSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { buildPrograms } from '../bin/build.ts'
import { lockFile } from '../db/lock.ts'
import { measureCommit } from './commit.ts'
import { compare, type Row, startAll, type Started } from './compare.ts'
import { compareGoals, type Judged } from './goals.ts'
import { answerGrowth, hostGrowth, keyGrowth, modelGrowth, promptGrowth } from './growth.ts'
import { home } from './home.ts'
import { runLoad, WARM_HUB_MS } from './load.ts'
import type { Lone } from './lone.ts'
import { describeMachine, endAll, LOAD_CORE, goFirst } from './machine.ts'
import { idleHosts, openStreams, slowClients } from './memory.ts'
import { compilePrograms } from './native.ts'
import { overload } from './overload.ts'
import { pages } from './pages.ts'
import { comparison, goalTable, header } from './report.ts'
import { fullPace, quickPace, scenarios } from './scenarios.ts'
import { soak } from './soak.ts'
import { bifrost, litellm, portkey } from './systems/gateways.ts'
import { hubWith, relayOnly } from './systems/hubs.ts'
import { type Bench, startEngine, type System } from './systems/system.ts'
import { bunProxy, direct, haproxy, nginx } from './systems/yardsticks.ts'
import { makeWorld } from './world.ts'

const root = join(import.meta.dirname, '..')
const cache = join(root, '.cache', 'bench')

const everything: System[] = [
  ...[direct, nginx, haproxy, bunProxy],
  ...[hubWith(1), hubWith(50), hubWith(500), relayOnly],
  ...[portkey, litellm, bifrost],
]
const essential: System[] = [direct, nginx, hubWith(1), hubWith(50), portkey]
const quickScenarios = ['whole, 1 connection', 'whole, 32 connections', '32 streams × 50/s', '500 streams × 50/s']
const lone: Lone[] = [
  ...[hostGrowth, modelGrowth, keyGrowth, promptGrowth, answerGrowth],
  ...[idleHosts, openStreams, slowClients, soak, overload, home, pages],
]
/** Longer than any run takes: a bench that hangs must not hold the machine. */
const LONGEST_MS = 45 * 60_000

const { values: options } = parseArgs({
  args: process.argv.slice(2),
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    rounds: { type: 'string' },
    first: { type: 'boolean', default: false },
  },
})

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  process.once(signal, () => void endAll().then(() => process.exit(code)))
}
setTimeout(() => {
  console.error('the bench takes far too long; something hangs')
  void endAll().then(() => process.exit(2))
}, LONGEST_MS).unref()

mkdirSync(cache, { recursive: true, mode: 0o700 })
if (!lockFile(join(cache, 'lock.db'))) {
  console.error('Another bench runs here. Two at a time would measure each other.')
  process.exit(2)
}
const say = (text: string) => (options.json ? console.error(text) : console.log(text))
const code = await main().finally(endAll)
process.exit(code)

async function main(): Promise<number> {
  const { quick, only } = options
  const pace = quick ? quickPace : fullPace
  const rounds = Number(options.rounds ?? pace.rounds)
  if (options.first) goFirst()
  // This program and the compilers belong to the other core, too.
  Bun.spawnSync(['taskset', '-a', '-c', '-p', String(LOAD_CORE), String(process.pid)])
  await buildPrograms(join(root, 'dist'))
  const programs = await compilePrograms(join(cache, 'native'))
  const folder = join(cache, 'world')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const world = await makeWorld(folder)
  const bench: Bench = {
    ...{ programs, world, enginePort: await startEngine({ programs, world }) },
    ...{ peers: join(cache, 'peers'), fetchPeers: !quick },
  }
  const machine = describeMachine()
  say(`${header(machine, quick ? 'Quick.' : `${rounds} rounds.`)}\n`)

  const asked = scenarios(world, pace).filter(({ name }) =>
    only ? name.includes(only) : !quick || quickScenarios.includes(name),
  )
  const absent: Record<string, string> = {}
  const rows: Row[] = []
  const commitUs = measureCommit(world)
  if (asked.length > 0) {
    const started = await startAll(bench, quick ? essential : everything, (name, why) => {
      absent[name] = why
      say(`${name}: absent, ${why}`)
    })
    await warmUp(bench, started, asked[0]!.load.prompt)
    for (const scenario of asked) {
      const found = await compare(bench, started, scenario, rounds)
      say(`${comparison(found)}\n`)
      rows.push(...found)
    }
    for (const contestant of started.values()) await contestant.stop()
  }
  const judged: Judged[] = compareGoals(rows, commitUs)
  const findings: Record<string, unknown> = {}
  for (const each of lone) {
    if (only ? !each.name.includes(only) : quick && !each.quick) continue
    const finding = await each.run(bench, quick)
    say(`${each.name}\n${finding.lines.join('\n')}\n`)
    judged.push(...finding.judged)
    findings[each.name] = finding.figures
  }
  say(`one commit of one row, synchronous=FULL: p50 ${commitUs.toFixed(0)} µs\n`)
  say(goalTable(judged))
  const result = { at: new Date().toISOString(), machine, quick, rounds, commitUs, absent, rows, findings, judged }
  if (options.json) console.log(JSON.stringify(result))
  appendFileSync(join(cache, 'history.jsonl'), `${JSON.stringify(result)}\n`)
  return judged.some(({ verdict }) => verdict === 'miss') ? 1 : 0
}

/** Just-in-time compilers need work before they show what they can: a small proxy a second or two. */
async function warmUp({ programs, world }: Bench, started: Started, prompt: Parameters<typeof runLoad>[3]['prompt']) {
  for (const contestant of started.values()) {
    const measureMs = options.quick ? 800 : contestant.hub ? WARM_HUB_MS : 2_000
    await runLoad(programs, world, contestant, {
      connections: 32,
      stream: false,
      tokens: 90,
      each: 90,
      prompt,
      warmMs: 0,
      measureMs,
    })
    await runLoad(programs, world, contestant, {
      connections: 32,
      stream: true,
      tokens: 20,
      prompt,
      warmMs: 0,
      measureMs: measureMs / 2,
    })
    await contestant.hub?.hostStats()
    contestant.hub?.newRows()
  }
}
