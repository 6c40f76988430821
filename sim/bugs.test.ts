import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { BUGS } from './bugs.ts'
import { layGround } from './ground.ts'
import { history } from './history.ts'
import { planFor } from './plan.ts'

const ground = await layGround()

test.each(BUGS.map((bug) => [bug.name, bug] as const))(
  'found: %s',
  (name, { breaks, seed }) => {
    const { stdout, stderr, exitCode } = Bun.spawnSync(['bun', join(import.meta.dirname, 'plant.ts'), name])
    if (exitCode !== 0) console.error(stderr.toString())
    expect(JSON.parse(stdout.toString())).toMatchObject({ found: { rule: breaks } })
    // And nothing is found where nothing is planted.
    expect(history(planFor(seed), ground).broken).toEqual([])
  },
  5 * 60_000,
)
