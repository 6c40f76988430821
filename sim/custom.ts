// What customers do while there is trouble: they come, alone or all at once, wait as long as they like, and come back.
import { drawAsk } from './ask.ts'
import type { Dice } from './dice.ts'
import type { Customer } from './ground.ts'
import type { Machine } from './machine.ts'
import type { Fault } from './plan.ts'
import { type Errand, type Patience, Visit } from './visit.ts'
import type { World } from './world.ts'

/** As official clients do, twice at most. */
const MOST_RETRIES = 2

/** By then hosts have linked, where nothing keeps them. */
const OPENS_MS = 200
const LATER_MS = 300

export function openDoors(world: World): void {
  const { plan, outside } = world
  const dice = world.dice.for('custom')
  const burst = plan.faults.includes('burst') ? dice.between(4, 12) : 1
  for (let number = 1; number <= plan.visits; ) {
    const at = OPENS_MS + dice.next() * Math.max(0, plan.troubleMs - OPENS_MS)
    const together = dice.chance(0.3) ? burst : 1
    for (let i = 0; i < together && number <= plan.visits; i++, number++) {
      const errands = new Errands(world, dice.for(`errand ${number}`), number)
      outside.after(at, 'comes', () => errands.first())
    }
  }
}

/** One thing a customer wants, and how often it is asked for. */
class Errands {
  private readonly customer: Customer
  private readonly key: string | null
  private readonly failover: boolean
  private errand: Errand | null = null

  constructor(
    private readonly world: World,
    private readonly dice: Dice,
    private readonly number: number,
  ) {
    this.customer = dice.pick(world.customers)
    this.key = dice.chance(0.25) ? `key-${number}` : null
    this.failover = !dice.chance(0.06)
  }

  first(): void {
    this.send(0)
    // Some do not wait before they send it again.
    if (this.key !== null && this.dice.chance(0.2))
      this.world.outside.after(this.dice.around(400), 'twice', () => this.send(MOST_RETRIES))
  }

  private send(retries: number): void {
    const { world, dice } = this
    // Who finds nobody there mostly comes later: there is more to see when somebody is.
    if (!anybody(world) && dice.chance(0.9)) {
      if (!world.healed) world.outside.after(LATER_MS, 'later', () => this.send(retries))
      return
    }
    const again = (visit: Visit) => {
      if (retries < MOST_RETRIES && !world.healed && this.wantsAgain(visit) && dice.chance(0.7))
        world.outside.after(dice.between(300, 2_000), 'retry', () => this.send(retries + 1))
    }
    const house = world.route('hub.test', dice)
    world.visits.push(new Visit(world, this.customer, this.next(retries), patience(world, dice), house, again))
  }

  /** With a key it is the same, word by word; without one it has words of its own, or nobody could tell them apart. */
  private next(retries: number): Errand {
    if (this.errand && this.key !== null) return this.errand
    const tag = retries === 0 ? String(this.number) : `${this.number}.${retries}`
    const ask = drawAsk(this.dice, tag, this.world.plan.reasons)
    this.errand = { ask, key: this.key, failover: this.failover }
    return this.errand
  }

  /** What official clients try again after. With a key, one that lost patience may come back, too. */
  private wantsAgain({ outcome, status }: Visit): boolean {
    if (outcome === 'broken') return true
    if (outcome === 'left') return this.key !== null
    return status !== null && (status === 408 || status === 409 || status === 429 || status >= 500)
  }
}

/** A hub, and a host that serves. */
function anybody({ houses, machines }: World): boolean {
  const serves = ({ alive }: Machine) => alive.some(({ life }) => life.status().state === 'serving')
  return houses.some(({ open }) => open) && machines.some(serves)
}

function patience({ plan, healed }: World, dice: Dice): Patience {
  const has = (fault: Fault, chance: number) => plan.faults.includes(fault) && dice.chance(chance) && !healed
  const leaves = has('hang-up', 0.4)
  const when = dice.pick(['time', 'pieces', 'end'] as const)
  const slow = has('slow-reader', 0.4)
  return {
    leavesAfterMs: leaves && when === 'time' ? dice.around(800) : null,
    leavesAfterPieces: leaves && when === 'pieces' ? dice.between(1, 20) : null,
    leavesAtEnd: leaves && when === 'end' ? dice.around(dice.pick([1, 10, 80])) : null,
    lateMs: has('late-hang-up', 0.5) ? dice.around(3_000) : 0,
    line: {
      latencyMs: plan.faults.includes('latency') ? dice.between(1, 80) : 1,
      charsPerSecond: slow ? dice.between(20, 3_000) : Number.POSITIVE_INFINITY,
      bufferChars: slow ? dice.between(100, 4_000) : 64_000,
    },
    pauseMs: has('slow-body', 0.2) ? dice.between(10, 20_000) : 0,
  }
}
