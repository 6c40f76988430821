// What befalls a world while it is in trouble, each kind of it at its own rate, and how everything is well again.
import { revokeHostToken } from '../hub/fleet/token.ts'
import { revokeKey } from '../hub/identity/keys.ts'
import type { Dice } from './dice.ts'
import { type Condition, healthy } from './disk.ts'
import type { HubHouse } from './house.ts'
import { settled } from './kernel.ts'
import type { Agent, Machine } from './machine.ts'
import type { Connection } from './network.ts'
import { give } from './people.ts'
import type { Fault } from './plan.ts'
import type { World } from './world.ts'

const HOUR_MS = 3_600_000
/** Longer than hubs believe in one that says nothing. */
const LONG_PAUSE_MS = 50_000

type Trouble = (world: World, dice: Dice) => void

const crash = (world: World, dice: Dice, house: HubHouse) => {
  house.die()
  world.kernel.after(dice.around(400), 'supervisor', () => house.start())
}

/** Once, before anything else happens. */
const FROM_THE_START: Partial<Record<Fault, Trouble>> = {
  latency: ({ machines }, dice) => {
    for (const machine of machines) machine.weather = { latencyMs: dice.between(1, 120), jitterMs: dice.between(0, 60) }
  },
  'slow-disk': ({ disk }, dice) => {
    disk.condition = { ...disk.condition, slowMs: dice.pick([0.3, 3, 30, 200]) }
  },
  'crash-at-commit': (world, dice) => {
    const chance = dice.pick([0.003, 0.02])
    world.disk.onCommit = (process) => {
      const house = world.houses.find((each) => each.process === process)
      if (house && !world.healed && dice.chance(chance)) crash(world, dice, house)
    }
  },
  'forgetful-disk': ({ disk }, dice) => {
    disk.condition = { ...disk.condition, forgets: dice.pick([0.01, 0.05, 0.3]) }
  },
}

/** Again and again. */
const NOW_AND_THEN: Partial<Record<Fault, Trouble>> = {
  cut: (world, dice) => withConnection(world, dice, (connection) => connection.cut()),
  'half-open': (world, dice) => withConnection(world, dice, (connection) => connection.freeze()),
  'one-way': (world, dice) =>
    withConnection(world, dice, (connection) => {
      connection.freeze(dice.pick(['near', 'far'] as const))
      world.kernel.after(dice.around(5_000), 'thaw', () => connection.thaw())
    }),
  clog: (world, dice) =>
    withConnection(world, dice, (connection) => {
      connection.freeze()
      world.kernel.after(dice.around(2_500), 'thaw', () => connection.thaw())
    }),
  partition: (world, dice) => {
    const machine = dice.pick(world.machines)
    const connections = machine.connections()
    machine.cutOff = true
    for (const connection of connections) connection.freeze()
    world.kernel.after(dice.around(6_000), 'rejoin', () => {
      machine.cutOff = false
      for (const connection of connections) if (dice.chance(0.5)) connection.thaw()
    })
  },
  'host-crash': (world, dice) => {
    const machine = dice.pick(world.machines)
    machine.crash()
    world.kernel.after(dice.around(2_000), 'power', () => keepAlive(machine))
  },
  'host-pause': (world, dice) => withAgent(world, dice, ({ process }) => process.standStill(dice.around(6_000))),
  'engine-crash': (world, dice) => withAgent(world, dice, ({ engine }) => engine.crash()),
  'engine-down': (world, dice) =>
    withAgent(world, dice, ({ engine }) => {
      engine.down = true
      engine.crash()
      world.kernel.after(dice.around(8_000), 'engine up', () => {
        engine.down = false
      })
    }),
  clone: ({ machines }, dice) => void dice.pick(machines).start(),
  'owner-pause': (world, dice) =>
    withAgent(world, dice, ({ life }) => {
      life.offer.hold('owner', 'its owner plays')
      world.kernel.after(dice.around(2_500), 'owner back', () => life.offer.hold('owner', null))
    }),
  'owner-stop': (world, dice) => withAgent(world, dice, (agent) => stop(world, dice, agent, 5_000)),
  'owner-stop-now': (world, dice) => withAgent(world, dice, (agent) => stop(world, dice, agent, 0)),
  'revoked-token': (world, dice) => {
    const machine = dice.pick(world.machines)
    // One is left, or there is nothing more to see.
    if (world.machines.filter(({ banished }) => !banished).length <= 1 || machine.banished) return
    machine.banished = true
    world.revokedAt.set(machine.owner.tokenId, world.kernel.now)
    settled(revokeHostToken(world.outside.env, world.ground.db, { id: machine.owner.tokenId }))
  },
  'revoked-key': (world, dice) => {
    const customer = dice.pick(world.customers)
    if (!world.revokedAt.has(customer.keyId)) world.revokedAt.set(customer.keyId, world.kernel.now)
    settled(revokeKey(world.outside.env, world.ground.db, { id: customer.keyId }))
  },
  'low-balance': (world, dice) => give(world, dice.pick(world.customers).account, BigInt(dice.between(1, 50_000))),
  'hub-crash': (world, dice) => crash(world, dice, dice.pick(world.houses)),
  'hub-pause': ({ houses, plan }, dice) => {
    const long = plan.hubs > 1 && plan.troubleMs > LONG_PAUSE_MS && dice.chance(0.3)
    dice.pick(houses).process.standStill(long ? LONG_PAUSE_MS : dice.around(3_000))
  },
  'hub-stop': (world, dice) => {
    const house = dice.pick(world.houses)
    house.stop(dice.pick([0, 300, 3_000]), () =>
      world.kernel.after(dice.around(1_000), 'supervisor', () => house.start()),
    )
  },
  'clock-jump': (world, dice) => {
    const processes = [...world.houses, ...world.machines.flatMap(({ alive }) => alive)].map(({ process }) => process)
    dice.pick(processes).jump(dice.between(-HOUR_MS, HOUR_MS))
  },
  'failing-disk': ({ disk, kernel }, dice) => {
    const code = dice.pick(['SQLITE_BUSY', 'SQLITE_FULL', 'SQLITE_IOERR'])
    disk.condition = { ...disk.condition, refuses: { code, chance: dice.pick([0.2, 1]) } }
    kernel.after(dice.chance(0.3) ? 15_000 : dice.around(2_000), 'disk well', () => {
      disk.condition = { ...disk.condition, refuses: null }
    })
  },
}

/** Mean time between two of a kind: of those after which little goes on for a while, there are fewer. */
const SELDOM: Partial<Record<Fault, readonly number[]>> = {
  partition: [4_000, 10_000],
  clone: [6_000, 15_000],
  'revoked-token': [10_000],
  'revoked-key': [10_000],
  'hub-crash': [5_000, 12_000],
  'hub-pause': [5_000, 12_000],
  'hub-stop': [5_000, 12_000],
}

export function bringTrouble(world: World): void {
  for (const fault of world.plan.faults) {
    const dice = world.dice.for(`trouble ${fault}`)
    FROM_THE_START[fault]?.(world, dice)
    const trouble = NOW_AND_THEN[fault]
    if (trouble) recur(world, dice, fault, trouble, dice.pick(SELDOM[fault] ?? [1_500, 4_000, 10_000]))
  }
}

/** No more trouble: what is broken for good is replaced, and everybody who should be there comes back. */
export function heal(world: World): void {
  const well: Condition = healthy
  world.healed = true
  world.disk.condition = well
  for (const machine of world.machines) {
    machine.cutOff = false
    machine.weather = { latencyMs: 1, jitterMs: 0 }
    for (const { process, engine, life } of machine.alive) {
      process.goOn()
      engine.down = false
      life.offer.hold('owner', null)
    }
    // Their supervisors see to it that each runs once.
    keepAlive(machine)
  }
  for (const house of world.houses) house.process.goOn()
  for (const visit of world.visits) visit.readOn()
}

/** A machine's supervisor: an agent that ended for good is started again, unless another runs. */
export function keepAlive(machine: Machine): void {
  if (machine.alive.length === 0 && !machine.banished) machine.start()
}

function recur(world: World, dice: Dice, fault: Fault, trouble: Trouble, meanMs: number): void {
  world.kernel.after(dice.around(meanMs), fault, () => {
    if (world.healed) return
    world.kernel.note(`trouble: ${fault}`)
    trouble(world, dice)
    recur(world, dice, fault, trouble, meanMs)
  })
}

function withConnection(world: World, dice: Dice, work: (connection: Connection) => void): void {
  const connections = world.machines.flatMap((machine) => machine.connections())
  if (connections.length > 0) work(dice.pick(connections))
}

function withAgent(world: World, dice: Dice, work: (agent: Agent) => void): void {
  const agents = world.machines.flatMap(({ alive }) => alive)
  if (agents.length > 0) work(dice.pick(agents))
}

function stop(world: World, dice: Dice, { life, process }: Agent, graceMs: number): void {
  life.stop(graceMs)
  const machine = world.machines.find(({ agents }) => agents.some((agent) => agent.life === life))
  process.onDeath(() => {
    if (machine) world.kernel.after(dice.around(2_000), 'started again', () => keepAlive(machine))
  })
}
