// Many histories, one after the other, and what they came to together.
import type { Ground } from './ground.ts'
import { history, type Verdict } from './history.ts'
import type { Plan } from './plan.ts'
import { RARE, type Rare } from './sometimes.ts'

export interface Campaign {
  histories: number
  steps: number
  virtualSeconds: number
  failures: Verdict[]
  /** How many histories came to each rare state. */
  reached: Map<Rare, number>
}

/** Failures that are told; after so many the rest would say the same. */
const MOST_FAILURES = 10

interface Options {
  plans: Iterable<Plan>
  /** Asked before each history. */
  enough: (so: Campaign) => boolean
  each?: (verdict: Verdict, so: Campaign) => void
}

export async function campaign(ground: Ground, { plans, enough, each = () => {} }: Options): Promise<Campaign> {
  const so: Campaign = {
    ...{ histories: 0, steps: 0, virtualSeconds: 0, failures: [] },
    reached: new Map(RARE.map((rare) => [rare, 0])),
  }
  for (const plan of plans) {
    if (enough(so) || so.failures.length >= MOST_FAILURES) break
    const verdict = await live(plan, ground)
    so.histories++
    so.steps += verdict.steps
    so.virtualSeconds += verdict.virtualMs / 1_000
    for (const rare of verdict.reached) so.reached.set(rare, (so.reached.get(rare) ?? 0) + 1)
    if (verdict.broken.length > 0) so.failures.push(verdict)
    each(verdict, so)
  }
  return so
}

/** One history, and the turn of the event loop in which the runtime tells of promises that failed unheard. */
export async function live(plan: Plan, ground: Ground, onNote?: (line: string) => void): Promise<Verdict> {
  const unheard: unknown[] = []
  const hear = (error: unknown) => void unheard.push(error)
  process.on('unhandledRejection', hear)
  const verdict = history(plan, ground, onNote)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('unhandledRejection', hear)
  const broken = unheard.map((error) => ({
    rule: 'no promise fails unheard',
    detail: error instanceof Error ? (error.stack ?? error.message) : String(error),
  }))
  return { ...verdict, broken: [...verdict.broken, ...broken] }
}

/** Rare states that none of them came to. */
export function unseen({ reached }: Campaign): Rare[] {
  return [...reached].filter(([, times]) => times === 0).map(([rare]) => rare)
}
