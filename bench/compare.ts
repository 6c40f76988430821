// All systems side by side: the same questions to each in turn, A B C … C B A, so that what disturbs the machine
// disturbs them alike.
import { flaw, type Load, runLoad, type Seen } from './load.ts'
import { residentBytes } from './machine.ts'
import { lowerQuartile, median, spread } from './numbers.ts'
import type { Bench, Contestant, System } from './systems/system.ts'
import type { HubUnderTest } from './hub.ts'

export interface Scenario {
  name: string
  /** What its rate counts. */
  unit: 'answers' | 'chunks'
  load: Load
  /** Only these, where not all make sense. */
  only?: (system: string, contestant: Contestant) => boolean
}

/** One system in one scenario, over all rounds. Times in microseconds. */
export interface Row {
  scenario: string
  system: string
  unit: Scenario['unit']
  rounds: number
  perSecond: number
  /** Of answers (whole) or of the relay delay of chunks (streams). */
  p50: number
  p99: number
  /** Time to the first token. */
  first50: number
  first99: number
  /** Processor time of the system, all its threads. */
  cpuUs: number
  /** (largest − smallest) / median of the processor time over rounds. */
  cpuSpread: number
  rssBytes: number
  /** Others on the measured core, share of the time. */
  foreign: number
  /** The load client's own processor, share of the time. */
  loadCpu: number
  /** Everything on the load client's core, share of the time. */
  loadCore: number
  /** Why these numbers do not count; null: they do. */
  void: string | null
}

export type Started = Map<string, Contestant>

/** Starts what can be had. What cannot is told to `absent`. */
export async function startAll(
  bench: Bench,
  systems: readonly System[],
  absent: (name: string, why: string) => void,
): Promise<Started> {
  const started: Started = new Map()
  for (const system of systems) {
    const contestant = await system.start(bench).catch((error: Error) => ({ absent: error.message.slice(0, 200) }))
    if ('absent' in contestant) absent(system.name, contestant.absent)
    else started.set(system.name, contestant)
  }
  return started
}

interface Sample {
  seen: Seen
  rssBytes: number
  void: string | null
}

export async function compare(bench: Bench, started: Started, scenario: Scenario, rounds: number): Promise<Row[]> {
  const parties = [...started].filter(([name, contestant]) => scenario.only?.(name, contestant) ?? true)
  const samples = new Map<string, Sample[]>(parties.map(([name]) => [name, []]))
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? parties : parties.toReversed()
    for (const [name, contestant] of order) samples.get(name)!.push(await sample(bench, contestant, scenario.load))
  }
  return parties.map(([name]) => rowOf(scenario, name, samples.get(name)!))
}

async function sample({ programs, world }: Bench, contestant: Contestant, load: Load): Promise<Sample> {
  const seen = await runLoad(programs, world, contestant, load)
  const rssBytes = residentBytes(contestant.pids)
  const wrong = flaw(seen) ?? (contestant.hub ? await unaccounted(contestant.hub, seen) : null)
  return { seen, rssBytes, void: wrong }
}

/** Whether the hub's books and its hosts tell the same as the client saw; null: they do. */
export async function unaccounted(hub: HubUnderTest, seen: Seen): Promise<string | null> {
  const expected = { completed: seen.completed, cancelled: seen.aborted }
  let rows = hub.newRows()
  // A client that hung up knows so before the hub does.
  for (let i = 0; i < 40 && rows.completed + rows.cancelled < expected.completed + expected.cancelled; i++) {
    await Bun.sleep(50)
    const more = hub.newRows()
    rows = {
      completed: rows.completed + more.completed,
      cancelled: rows.cancelled + more.cancelled,
      failed: rows.failed + more.failed,
      lost: rows.lost + more.lost,
      tokens: rows.tokens + more.tokens,
    }
  }
  const hosts = await hub.hostStats()
  // Who hangs up when the whole answer is already on its way pays for all of it.
  const enough = seen.aborted > 0 ? rows.completed >= expected.completed : rows.completed === expected.completed
  if (!enough || rows.completed + rows.cancelled !== expected.completed + expected.cancelled)
    return `${expected.completed} answers arrived and ${expected.cancelled} were given up; in the books ${rows.completed} and ${rows.cancelled}`
  if (rows.failed + rows.lost > 0) return `${rows.failed} failed and ${rows.lost} lost requests in the books`
  if (hosts.lost > 0) return `${hosts.lost} hosts lost their link`
  if (seen.aborted === 0 && hosts.answers !== seen.completed)
    return `hosts gave ${hosts.answers} answers, ${seen.completed} arrived`
  if (seen.aborted === 0 && rows.tokens !== seen.tokens)
    return `${seen.tokens} tokens arrived, ${rows.tokens} are in the books`
  return null
}

function rowOf(scenario: Scenario, system: string, samples: readonly Sample[]): Row {
  const all = samples.map(({ seen }) => seen)
  const counted = (seen: Seen) => (scenario.unit === 'chunks' ? seen.sample.chunks : seen.sample.answers)
  const cpu = all.map((seen) => seen.sample.sutNs / 1e3 / counted(seen))
  const timed = (seen: Seen) => (scenario.load.stream ? seen.delay : seen.latency)
  const share = (of: (sample: Seen['sample']) => number) =>
    median(all.map((seen) => of(seen.sample) / seen.seconds / 1e9))
  return {
    scenario: scenario.name,
    system,
    unit: scenario.unit,
    rounds: samples.length,
    perSecond: median(all.map((seen) => counted(seen) / seen.seconds)),
    p50: lowerQuartile(all.map((seen) => timed(seen).p50)),
    p99: lowerQuartile(all.map((seen) => timed(seen).p99)),
    first50: lowerQuartile(all.map((seen) => seen.first.p50)),
    first99: lowerQuartile(all.map((seen) => seen.first.p99)),
    cpuUs: median(cpu),
    cpuSpread: spread(cpu),
    rssBytes: median(samples.map(({ rssBytes }) => rssBytes)),
    foreign: share((s) => Math.max(0, s.sutCoreBusyNs - s.sutNs)),
    loadCpu: share((s) => s.loadNs),
    loadCore: share((s) => s.loadCoreBusyNs),
    void: samples.find((each) => each.void !== null)?.void ?? null,
  }
}
