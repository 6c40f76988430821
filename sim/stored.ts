// Histories that once failed. They are kept as whole plans, not as seeds alone: a seed means another plan as soon as the
// simulator learns a new kind of trouble.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Plan, readPlan } from './plan.ts'

const FILE = join(import.meta.dirname, 'seeds.json')

interface Stored {
  /** What it broke. */
  why: string
  plan: Plan
}

export function storedPlans(): Plan[] {
  return stored().map(({ plan }) => plan)
}

export function storePlan(plan: Plan, why: string): void {
  const known = stored()
  if (known.some((other) => JSON.stringify(other.plan) === JSON.stringify(plan))) return
  writeFileSync(FILE, `${JSON.stringify([...known, { why, plan }], null, 2)}\n`)
}

function stored(): Stored[] {
  const entries = JSON.parse(readFileSync(FILE, 'utf8')) as { why: string; plan: unknown }[]
  return entries.map(({ why, plan }) => ({ why, plan: readPlan(plan) }))
}
