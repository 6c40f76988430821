// What a seed decides before anything happens: how large the world is, and which kinds of trouble it knows.
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { Dice } from './dice.ts'

/** Every kind of trouble. Each seed knows about half of them: what all of them together would hide, some show. */
export const FAULTS = [
  // Between machines.
  'latency',
  'cut',
  'half-open',
  'one-way',
  'clog',
  'partition',
  // Clients.
  'hang-up',
  'late-hang-up',
  'slow-reader',
  'slow-body',
  'burst',
  'low-balance',
  'revoked-key',
  // Hosts.
  'host-crash',
  'host-pause',
  'engine-crash',
  'engine-down',
  'dies',
  'hangs',
  'slow',
  'garbage',
  'empty',
  'refuses',
  'overruns',
  'inflates',
  'deflates',
  'lies-about-ids',
  'clutters',
  'deaf',
  'stutters',
  'skips',
  'goes-on',
  'clone',
  'owner-pause',
  'owner-stop',
  'owner-stop-now',
  'revoked-token',
  // Hubs.
  'hub-crash',
  'crash-at-commit',
  'hub-pause',
  'hub-stop',
  'clock-jump',
  // Their database.
  'slow-disk',
  'failing-disk',
  'forgetful-disk',
] as const
export type Fault = (typeof FAULTS)[number]

export const MOST_CUSTOMERS = 3
export const MOST_MACHINES = 4

const whole = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum })

/** Everything that makes a history the one it is. */
export const Plan = Type.Object({
  seed: whole(0, 2 ** 32 - 1),
  faults: Type.Array(Type.Union(FAULTS.map((fault) => Type.Literal(fault)))),
  /** How long there is trouble. */
  troubleMs: whole(0, 3_600_000),
  visits: whole(0, 1_000),
  hubs: whole(1, 4),
  machines: whole(1, MOST_MACHINES),
  customers: whole(1, MOST_CUSTOMERS),
  /** The models of this world think aloud before they answer. */
  reasons: Type.Boolean(),
})
export type Plan = Static<typeof Plan>

export function planFor(seed: number): Plan {
  const dice = new Dice(seed).for('plan')
  // Some worlds are calm, so that what works without trouble is seen to work.
  const density = dice.pick([0, 0.25, 0.5, 0.5, 0.5])
  const faults = FAULTS.filter(() => dice.chance(density))
  const length = dice.next()
  const plan: Plan = {
    ...{ seed, faults, reasons: dice.chance(0.1) },
    // Mostly short, since most goes wrong at once.
    troubleMs: length < 0.15 ? dice.between(12_000, 25_000) : dice.between(3_000, 10_000),
    visits: dice.between(6, 20),
    hubs: dice.chance(0.2) ? 2 : 1,
    machines: dice.pick([1, 2, 3, 3, 4, 4]),
    customers: dice.between(1, MOST_CUSTOMERS),
  }
  return length < 0.02 ? longPause(plan, dice) : plan
}

/** Two hubs, of which one stands still for longer than the other believes in it. */
function longPause(plan: Plan, dice: Dice): Plan {
  const faults = [...new Set<Fault>([...plan.faults.filter(() => dice.chance(0.3)), 'hub-pause'])]
  return { ...plan, faults, hubs: 2, troubleMs: dice.between(70_000, 90_000) }
}

/** A plan as it was written down. @throws when it is none */
export function readPlan(value: unknown): Plan {
  return Value.Decode(Plan, value)
}
