// The goals, and whether a run met them.
import type { Row } from './compare.ts'

export type Verdict = 'pass' | 'miss' | 'noisy' | 'not run'

export interface Goal {
  name: string
  unit: string
  /** Whether more is better. */
  atLeast: boolean
  goal: number
  /** What we would like. */
  aim?: number
}

export interface Judged extends Goal {
  /** null: not run, for the reason in `note`. */
  value: number | null
  verdict: Verdict
  note: string
}

/** A miss by less than this, while others used the machine, may be theirs. */
const NOISE_MARGIN = 0.1
const NOISY_ABOVE = 0.1

/** `foreign` is the share of the measured core that others used meanwhile. */
export function judge(goal: Goal, value: number | null, foreign: number, note = ''): Judged {
  if (value === null || Number.isNaN(value)) return { ...goal, value: null, verdict: 'not run', note }
  const met = goal.atLeast ? value >= goal.goal : value <= goal.goal
  const near = goal.atLeast ? value >= goal.goal * (1 - NOISE_MARGIN) : value <= goal.goal * (1 + NOISE_MARGIN)
  const verdict = met ? 'pass' : near && foreign > NOISY_ABOVE ? 'noisy' : 'miss'
  return { ...goal, value, verdict, note }
}

const atLeast = (name: string, goal: number, aim?: number, unit = '×'): Goal => ({
  name,
  unit,
  atLeast: true,
  goal,
  aim,
})
const atMost = (name: string, goal: number, aim?: number, unit = '×'): Goal => ({
  name,
  unit,
  atLeast: false,
  goal,
  aim,
})

export const goals = {
  rate1: atLeast('whole answers/s ÷ nginx, 32 connections, 1 host', 0.35, 0.6),
  rate50: atLeast('whole answers/s ÷ nginx, 32 connections, 50 hosts', 0.3, 0.5),
  portkey: atLeast('whole answers/s ÷ Portkey', 15, 20),
  cpu: atMost('CPU a request ÷ nginx, 1 host', 3, 1.7),
  added: atMost('added p50, 1 connection, beyond one commit', 150, undefined, 'µs'),
  first: atMost('added time to first token p50, 32 streams', 400, 150, 'µs'),
  delay50: atMost('added chunk delay p50, 32 streams', 25, 10, 'µs'),
  delay99: atMost('added chunk delay p99, 32 streams', 300, 100, 'µs'),
  chunk500: atMost('CPU a chunk ÷ nginx, 500 streams', 1.4, 1),
  chunk1500: atMost('CPU a chunk ÷ nginx, 1,500 streams', 1.15, 0.8),
  idleHost: atMost('memory of an idle host, 10,000 hosts', 4, 2, 'KB'),
  openStream: atMost('memory of an open stream, 5,000 streams', 16, 10, 'KB'),
  slowClient: atMost('slow clients: growth once the kernel holds what it takes', 1, 0, 'MB/min'),
  // Beyond what the kernel holds for them nobody can say when one of them last took something.
  neverReads: atMost('clients that never read: cut off, beyond the stated time', 10, undefined, 's'),
  soak: atMost('50,000 streams, 20 % aborted: growth after warm-up', 5, 0, '%'),
  hostGrowth: atMost('CPU a request, 100 → 10,000 hosts', 10, 0, '%'),
  modelGrowth: atMost('CPU a request, 1 → 1,000 models', 5, 0, '%'),
  keyGrowth: atMost('CPU a request, 100 → 100,000 keys', 5, 0, '%'),
  overloadFirst: atMost('10× overload: time to first token p99 ÷ full load', 2),
  overloadRefusal: atMost('10× overload: refusal p99', 50, undefined, 'ms'),
  page: atMost('server time p95 of the slowest page, a year of requests', 20, 10, 'ms'),
  homeFirst: atMost(
    'home line: time to first token over the engine itself, beyond the round trip',
    20,
    undefined,
    'ms',
  ),
  homeRate: atLeast('home line: tokens/s ÷ the engine itself', 0.97),
} satisfies Record<string, Goal>

/** The goals that rows side by side decide. `commitUs`: one durable commit. */
export function compareGoals(rows: readonly Row[], commitUs: number): Judged[] {
  const row = (scenario: string, system: string) =>
    rows.find((each) => each.scenario === scenario && each.system === system)
  const decide = (
    goal: Goal,
    scenario: string,
    systems: [string, string],
    value: (ours: Row, theirs: Row) => number,
  ) => {
    const [ours, theirs] = [row(scenario, systems[0]), rowNamed(rows, scenario, systems[1])]
    if (!ours || !theirs) return judge(goal, null, 0, !ours ? 'scenario not run' : `${systems[1]} absent`)
    if (ours.void || theirs.void) return judge(goal, null, 0, `void: ${ours.void ?? theirs.void}`)
    return judge(goal, value(ours, theirs), Math.max(ours.foreign, theirs.foreign))
  }
  const [one, fifty] = ['hub, 1 host', 'hub, 50 hosts']
  const rate = (ours: Row, theirs: Row) => ours.perSecond / theirs.perSecond
  const cpu = (ours: Row, theirs: Row) => ours.cpuUs / theirs.cpuUs
  const busy = 'whole, 32 connections'
  const streams = '32 streams × 50/s'
  return [
    decide(goals.rate1, busy, [one, 'nginx'], rate),
    decide(goals.rate50, busy, [fifty, 'nginx'], rate),
    decide(goals.portkey, busy, [fifty, 'Portkey'], rate),
    decide(goals.cpu, busy, [one, 'nginx'], cpu),
    decide(goals.added, 'whole, 1 connection', [one, 'nginx'], (ours, theirs) => ours.p50 - theirs.p50 - commitUs),
    decide(goals.first, streams, [fifty, 'nginx'], (ours, theirs) => ours.first50 - theirs.first50),
    decide(goals.delay50, streams, [fifty, 'nginx'], (ours, theirs) => ours.p50 - theirs.p50),
    decide(goals.delay99, streams, [fifty, 'nginx'], (ours, theirs) => ours.p99 - theirs.p99),
    decide(goals.chunk500, '500 streams × 50/s', [fifty, 'nginx'], cpu),
    decide(goals.chunk1500, '1500 streams × 50/s', [fifty, 'nginx'], cpu),
  ].filter(({ note }) => note !== 'scenario not run')
}

function rowNamed(rows: readonly Row[], scenario: string, prefix: string): Row | undefined {
  return rows.find((each) => each.scenario === scenario && each.system.startsWith(prefix))
}
