// What customers do while there is trouble: they come, alone or all at once, wait as long as they like, and come back.
import { drawAsk } from './ask.ts'
import type { Dice } from './dice.ts'
import type { Fault } from './plan.ts'
import { type Patience, Visit } from './visit.ts'
import type { World } from './world.ts'

/** As official clients do, twice at most. */
const MOST_RETRIES = 2

export function openDoors(world: World): void {
  const { plan, outside } = world
  const dice = world.dice.for('custom')
  const burst = plan.faults.includes('burst') ? dice.between(4, 12) : 1
  for (let number = 1; number <= plan.visits; ) {
    const at = dice.next() * plan.troubleMs
    const together = dice.chance(0.3) ? burst : 1
    for (let i = 0; i < together && number <= plan.visits; i++, number++) {
      const own = dice.for(`visit ${number}`)
      const tag = String(number)
      outside.after(at, 'comes', () => visit(world, own, tag, 0))
    }
  }
}

function visit(world: World, dice: Dice, number: string, retries: number): void {
  const customer = dice.pick(world.customers)
  // Every try has words of its own, or nobody could tell them apart.
  const tag = retries === 0 ? number : `${number}.${retries}`
  const ask = drawAsk(dice, tag, world.plan.reasons)
  const house = world.route('hub.test', dice)
  const again = (visit: Visit) => {
    if (retries < MOST_RETRIES && !world.healed && mayHelp(visit) && dice.chance(0.7))
      world.outside.after(dice.between(300, 2_000), 'retry', () => void visitAgain())
  }
  const visitAgain = () => visit(world, dice, number, retries + 1)
  world.visits.push(new Visit(world, customer, ask, patience(world, dice), house, again))
}

/** What official clients try again after. */
function mayHelp({ outcome, status }: Visit): boolean {
  if (outcome === 'broken') return true
  return (
    outcome === 'answered' && status !== null && (status === 408 || status === 409 || status === 429 || status >= 500)
  )
}

function patience({ plan, healed }: World, dice: Dice): Patience {
  const has = (fault: Fault, chance: number) => plan.faults.includes(fault) && dice.chance(chance) && !healed
  const leaves = has('hang-up', 0.4)
  const byPieces = dice.chance(0.5)
  const slow = has('slow-reader', 0.4)
  return {
    leavesAfterMs: leaves && !byPieces ? dice.around(800) : null,
    leavesAfterPieces: leaves && byPieces ? dice.between(1, 20) : null,
    lateMs: has('late-hang-up', 0.5) ? dice.around(3_000) : 0,
    line: {
      latencyMs: plan.faults.includes('latency') ? dice.between(1, 80) : 1,
      charsPerSecond: slow ? dice.between(20, 3_000) : Number.POSITIVE_INFINITY,
      bufferChars: slow ? dice.between(100, 4_000) : 64_000,
    },
    pauseMs: has('slow-body', 0.2) ? dice.between(10, 20_000) : 0,
  }
}
