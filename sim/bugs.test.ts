import { expect, test } from 'bun:test'
import { BUGS, planIn } from './bugs.ts'
import { layGround } from './ground.ts'
import { history } from './history.ts'
import { hunt } from './hunt.ts'

const ground = await layGround()

test.each(BUGS.map((bug) => [bug.name, bug] as const))(
  'found: %s',
  async (name, { breaks, seed, faults }) => {
    expect(await hunt(name)).toMatchObject({ found: { rule: breaks } })
    // And nothing is found where nothing is planted.
    expect(history(planIn({ faults }, seed), ground).broken).toEqual([])
  },
  5 * 60_000,
)
