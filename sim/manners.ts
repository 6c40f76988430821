// How the engine of one machine gives its answers: well, or with the kinds of trouble this world knows.
import type { Conduct } from '../host/emulator/conduct.ts'
import type { Dice } from './dice.ts'
import type { Manner } from './engine.ts'
import type { Fault } from './plan.ts'
import { honest, type Mischief } from './wire.ts'
import type { World } from './world.ts'

type Trouble = (dice: Dice) => Partial<Manner>

/** What each kind of trouble does to one answer. */
const TROUBLES: Partial<Record<Fault, Trouble>> = {
  dies: (dice) => ({ death: { afterTokens: afterTokens(dice), how: dice.pick(['cut', 'eof', 'error'] as const) } }),
  hangs: (dice) => ({ hangAfterTokens: afterTokens(dice) }),
  slow: (dice) => ({ firstMs: dice.around(2_000), chunkMs: dice.around(1_000) }),
  garbage: (dice) => ({ garbageAfterTokens: afterTokens(dice) }),
  empty: () => ({ emptyAnswer: true }),
  refuses: (dice) => ({ refuseStatus: dice.pick([400, 400, 422, 429, 500, 503]) }),
  overruns: (dice) => ({ overGenerateTokens: dice.between(1, 60) }),
  inflates: (dice) => ({ claimFactor: dice.between(2, 50) }),
  deflates: () => ({ claimFactor: 0.4 }),
  'lies-about-ids': (dice) => ({ tokenIds: dice.pick(['bytes', 'wrong', 'none'] as const) }),
  clutters: (dice) => ({ unknownFields: true, oversizeChunkBytes: dice.chance(0.2) ? 20_000 : null }),
  deaf: () => ({ deaf: true }),
}

/** After these a request may cost less, or its answer be shorter, than the truth. */
const LIES: readonly Fault[] = ['empty', 'overruns', 'deflates', 'lies-about-ids']

export function mannersOf(world: World, machine: string): (tag: string) => Manner {
  const dice = world.dice.for(`manners of ${machine}`)
  const pace = { firstMs: dice.between(2, 200), chunkMs: dice.between(2, 50), chunkTokens: dice.between(1, 4) }
  const troubles = [...world.plan.faults].flatMap((fault) => {
    const trouble = TROUBLES[fault]
    const own = dice.for(`${fault} of ${machine}`)
    // Not every machine has every trouble, or nothing would ever go well.
    return trouble && own.chance(0.6) ? [{ fault, trouble, dice: own, chance: 0.05 + 0.5 * own.next() }] : []
  })
  return (tag) => {
    const manner: Manner & Partial<Conduct> = { ...pace, reasons: world.plan.reasons }
    if (world.healed) return manner
    for (const { fault, trouble, dice: own, chance } of troubles) {
      if (!own.chance(chance)) continue
      // Without its ids nobody knows what an engine had held back for a stop string: no other can say the same.
      if (fault === 'lies-about-ids' && world.askOf(tag)?.body.stop) continue
      Object.assign(manner, trouble(own))
      if (LIES.includes(fault)) world.liedAbout.add(tag)
      world.kernel.note(`${machine} ${fault} at ${tag}`)
    }
    return manner
  }
}

export function mischiefOf(world: World, machine: string): Mischief {
  const dice = world.dice.for(`mischief of ${machine}`)
  const drawn = (fault: Fault, most: number) =>
    world.plan.faults.includes(fault) && dice.chance(0.5) ? most * dice.next() : 0
  return { ...honest, stutters: drawn('stutters', 0.05), skips: drawn('skips', 0.05), goesOn: drawn('goes-on', 1) }
}

/** The first and the last tokens are where most goes wrong. */
function afterTokens(dice: Dice): number {
  return dice.chance(0.3) ? dice.between(0, 1) : dice.between(0, 40)
}
