// `bun run sim`: the stored histories, then random ones, until so many are done or the time is over.
import { command } from '../bin/command.ts'
import { main } from '../bin/main.ts'
import { BUGS } from './bugs.ts'
import { type Campaign, campaign, live, unseen } from './campaign.ts'
import { type Ground, layGround } from './ground.ts'
import { history, type Verdict } from './history.ts'
import { type Hunt, hunt } from './hunt.ts'
import { type Plan, planFor } from './plan.ts'
import { shrink } from './shrink.ts'
import { RARE, type Rare } from './sometimes.ts'
import { storedPlans, storePlan } from './stored.ts'

/** Fewer say nothing about what is never reached. */
const ENOUGH_TO_SEE = 300
const TELL_EVERY_MS = 10_000

const simulate = command({
  name: 'sim',
  summary: 'Runs histories of a simulated deployment, and says which of them broke a rule.',
  options: {
    seeds: { type: 'integer', value: 'N', help: 'Random histories, at most.', default: 1_000, min: 0, max: 1e9 },
    minutes: { type: 'integer', value: 'M', help: 'Time, at most.', default: 10, min: 1, max: 10_000 },
    least: { type: 'integer', value: 'N', help: 'Histories, whatever the time.', default: 0, min: 0, max: 1e9 },
    seed: {
      type: 'integer',
      value: 'S',
      help: 'The first seed; drawn when it is not given.',
      min: 0,
      max: 2 ** 32 - 1,
    },
    trace: { type: 'boolean', help: 'With one seed: prints everything that happens in it.' },
    find: {
      type: 'string',
      value: 'STATE',
      help: 'Runs until a rare state is reached, and shrinks that.',
      choices: RARE,
    },
    planted: {
      type: 'boolean',
      help: 'Plants one bug after the other, and says how many histories it took to find each.',
    },
    keep: { type: 'boolean', help: 'Stores what fails, or was found, shrunk, as a test for ever.' },
  },
  notes: ['One history: bun run sim --seeds 1 --seed S --trace', 'What it does and how: docs/simulation.md'],
  async run({ options, world, out, say }) {
    const { seeds, minutes, least, seed: given, trace } = options
    if (options.planted) return searchAll(out)
    const first = given ?? crypto.getRandomValues(new Uint32Array(1))[0]!
    const ground = await layGround()
    if (options.find) return find(options.find as Rare, plansFrom(first, seeds), ground, { keep: options.keep, say })
    if (trace) return (await traced(planFor(first), ground, (line) => world.stdout(`${line}\n`))) ? 0 : 1

    const startedAt = performance.now()
    const until = startedAt + minutes * 60_000
    say(`first seed ${first}`)
    const so = await campaign(ground, {
      plans: storedThen(plansFrom(first, seeds)),
      enough: ({ histories }) => histories >= least && performance.now() > until,
      each: progress(say),
    })
    const seconds = (performance.now() - startedAt) / 1_000
    const failures = so.failures.map((verdict) => told(verdict, ground, say))
    if (options.keep) for (const { plan, broken } of failures) storePlan(plan, broken[0]?.rule ?? '')
    const blind = so.histories >= ENOUGH_TO_SEE ? unseen(so) : []
    const summary = {
      first,
      seconds,
      ...numbers(so, seconds),
      reached: Object.fromEntries(so.reached),
      blind,
      failures,
    }
    out(summary, lines(so, seconds, blind))
    return failures.length > 0 || blind.length > 0 ? 1 : 0
  },
})

/** Whether the simulator sees what it is there to see. */
async function searchAll(out: (data: unknown, lines: string[]) => void): Promise<0 | 1> {
  const hunts: (Hunt & { bug: string })[] = []
  for (const { name: bug } of BUGS) hunts.push({ bug, ...(await hunt(bug, { search: true })) })
  const line = ({ bug, histories, found }: (typeof hunts)[number]) =>
    `${String(histories).padStart(5)}  ${bug}${found ? '' : ': NOT FOUND'}`
  out(hunts, ['histories until it was found', ...hunts.map(line)])
  return hunts.every(({ found }) => found) ? 0 : 1
}

/** A state that few histories come to is stored, so that every run sees it. */
function find(
  state: Rare,
  plans: Iterable<Plan>,
  ground: Ground,
  { keep, say }: { keep: boolean; say: (line: string) => void },
): 0 | 1 {
  const reaches = (plan: Plan) => {
    const { broken, reached } = history(plan, ground)
    return broken.length === 0 && reached.has(state)
  }
  for (const plan of plans) {
    if (!reaches(plan)) continue
    const smallest = shrink(plan, reaches)
    say(`seed ${plan.seed}; the smallest plan that comes to it:\n  ${JSON.stringify(smallest)}`)
    if (keep) storePlan(smallest, `comes to: ${state}`)
    return 0
  }
  say('None of them came to it.')
  return 1
}

function* storedThen(others: Iterable<Plan>): Generator<Plan> {
  yield* storedPlans()
  yield* others
}

function* plansFrom(first: number, seeds: number): Generator<Plan> {
  for (let i = 0; i < seeds; i++) yield planFor((first + i) >>> 0)
}

async function traced(plan: Plan, ground: Ground, print: (line: string) => void): Promise<boolean> {
  print(JSON.stringify(plan))
  const { broken, fingerprint } = await live(plan, ground, print)
  print(fingerprint)
  return broken.length === 0
}

function progress(say: (line: string) => void): (verdict: Verdict, so: Campaign) => void {
  let toldAt = performance.now()
  return (verdict, so) => {
    for (const { rule, detail } of verdict.broken.slice(0, 3)) say(`seed ${verdict.plan.seed}: ${rule}: ${detail}`)
    if (performance.now() - toldAt < TELL_EVERY_MS) return
    toldAt = performance.now()
    say(`${so.histories} histories, ${so.failures.length} failed, ${unseen(so).length} rare states not seen yet`)
  }
}

/** Says all of a failure, and makes it small. */
function told({ plan, broken, lastNotes }: Verdict, ground: Ground, say: (line: string) => void) {
  const rule = broken[0]?.rule
  const fails = (smaller: Plan) => history(smaller, ground).broken[0]?.rule === rule
  const smallest = shrink(plan, fails)
  say(`\nseed ${plan.seed} broke a rule: ${rule}\n  ${broken[0]?.detail}`)
  say(`faults: ${plan.faults.join(' ')}\nlast events:`)
  for (const note of lastNotes) say(note.slice(0, 300))
  say(`smallest plan that still does:\n  ${JSON.stringify(smallest)}`)
  say(`all of it: bun run sim --seeds 1 --seed ${plan.seed} --trace`)
  return { plan: smallest, broken }
}

function numbers({ histories, steps, virtualSeconds, failures }: Campaign, seconds: number) {
  return { histories, failed: failures.length, perSecond: histories / seconds, steps, virtualSeconds }
}

function lines(so: Campaign, seconds: number, blind: readonly string[]): string[] {
  const { histories, failed, perSecond, virtualSeconds } = numbers(so, seconds)
  return [
    `${histories} histories (${failed} failed) in ${seconds.toFixed(1)} s: ${perSecond.toFixed(1)} a second, ${(virtualSeconds / seconds).toFixed(0)} times as fast as time`,
    ...[...so.reached].map(([rare, times]) => `${String(times).padStart(7)}  ${rare}`),
    ...blind.map((rare) => `NEVER SEEN: ${rare}`),
  ]
}

await main(
  { name: 'bun run', summary: 'The deterministic simulator.', commands: [simulate] },
  { argv: ['sim', ...process.argv.slice(2)] },
)
