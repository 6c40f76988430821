// From a history that fails to the smallest that fails in the same way: what is left is what a person has to read.
import type { Plan } from './plan.ts'

/** Tries that may be made; each is a history. */
const MOST_TRIES = 150

/** `fails` says whether a plan still breaks the rule. */
export function shrink(plan: Plan, fails: (plan: Plan) => boolean): Plan {
  let smallest = plan
  let tries = 0
  const keep = (smaller: Plan) => {
    if (tries >= MOST_TRIES || same(smaller, smallest)) return false
    tries++
    if (!fails(smaller)) return false
    smallest = smaller
    return true
  }
  for (let before: Plan | null = null; before !== smallest && tries < MOST_TRIES; ) {
    before = smallest
    for (const fault of smallest.faults)
      keep({ ...smallest, faults: smallest.faults.filter((other) => other !== fault) })
    for (const key of ['hubs', 'machines', 'customers'] as const)
      while (keep({ ...smallest, [key]: Math.max(1, smallest[key] - 1) }));
    while (keep({ ...smallest, visits: Math.ceil(smallest.visits / 2) }));
    while (keep({ ...smallest, visits: Math.max(1, smallest.visits - 1) }));
    while (keep({ ...smallest, troubleMs: Math.ceil(smallest.troubleMs / 2) }));
    if (smallest.reasons) keep({ ...smallest, reasons: false })
  }
  return smallest
}

function same(a: Plan, b: Plan): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
