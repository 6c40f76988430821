import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'
import { layGround } from './ground.ts'
import { history } from './history.ts'
import { planFor } from './plan.ts'
import { shrink } from './shrink.ts'
import { storedPlans } from './stored.ts'
import { sealed } from './trap.ts'

const ground = await layGround()

/** Other sources live through other histories, and the same ones through the same, wherever they are tested. */
function seedOfSources(): string {
  const root = join(import.meta.dirname, '..')
  const paths = [...new Glob('{sim,hub,host,db,sdk}/**/*.ts').scanSync({ cwd: root })]
  const own = paths.filter((path) => !/(^|\/)(node_modules|dist)\//.test(path)).sort()
  return String(own.reduce((hash, path) => Bun.hash.crc32(readFileSync(join(root, path)), hash), 0))
}

/** Its output and exit code, from a process of its own: nothing of the tests' runtime is in it. */
function simulate(...args: string[]) {
  const { stdout, stderr, exitCode } = Bun.spawnSync(['bun', join(import.meta.dirname, 'run.ts'), ...args])
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode }
}

test(
  'the same plan makes the same history, to the last event',
  () => {
    for (let seed = 1; seed <= 12; seed++) {
      const [once, again] = [history(planFor(seed), ground), history(planFor(seed), ground)]
      expect(again.fingerprint).toBe(once.fingerprint)
      expect(again.lastNotes).toEqual(once.lastNotes)
    }
    const other = history(planFor(2), ground).fingerprint
    expect(history(planFor(1), ground).fingerprint).not.toBe(other)
  },
  2 * 60_000,
)

test('every history is the same in another process', () => {
  const traced = simulate('--seeds', '1', '--seed', '7', '--trace')
  expect(traced.exitCode).toBe(0)
  expect(traced.stdout.trim().split('\n').at(-1)).toBe(history(planFor(7), ground).fingerprint)
})

test('what reaches for the real world in a history is found, and nothing is left behind', () => {
  const before = [Date.now, Math.random, setTimeout, fetch, ReadableStream]
  const reaches: (() => unknown)[] = [
    () => Date.now(),
    () => Math.random(),
    () => setTimeout(() => {}, 1),
    () => fetch('http://x'),
  ]
  for (const reach of reaches) expect(() => sealed(reach)).toThrow('take it from Env')
  history(planFor(3), ground)
  expect([Date.now, Math.random, setTimeout, fetch, ReadableStream]).toEqual(before)
})

describe('stored histories', () => {
  test.each(storedPlans().map((plan) => [plan.seed, plan] as const))('seed %d', (_, plan) => {
    expect(history(plan, ground).broken).toEqual([])
  })
})

test(
  'random histories break no rule, and come to every rare state',
  () => {
    const { stdout, stderr, exitCode } = simulate(
      '--seed',
      seedOfSources(),
      '--seeds',
      '1000000',
      '--minutes',
      '1',
      '--least',
      '300',
      '--json',
    )
    if (exitCode !== 0) console.error(stderr)
    const { first, failures, blind, histories } = JSON.parse(stdout)
    // To run them again: bun run sim --seed FIRST --seeds HISTORIES
    console.info(`${histories} histories, the random ones from seed ${first}`)
    expect(failures).toEqual([])
    expect(blind).toEqual([])
    expect(histories).toBeGreaterThanOrEqual(300)
  },
  10 * 60_000,
)

test('a plan shrinks to what it takes', () => {
  const plan = planFor(4)
  const needs = new Set(['cut', 'hang-up'])
  const fails = ({ faults, visits }: typeof plan) =>
    [...needs].every((need) => faults.includes(need as 'cut')) && visits >= 3
  const large = { ...plan, faults: [...new Set([...plan.faults, 'cut', 'hang-up'] as const)], visits: 20, hubs: 2 }
  expect(shrink(large, fails)).toMatchObject({ faults: expect.arrayContaining([...needs]), visits: 3, hubs: 1 })
  expect(shrink(large, fails).faults).toHaveLength(2)
})
