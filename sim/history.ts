// One seed, one history: a world in trouble, then a world at peace, in which everything must come to its end.
import { openDoors } from './custom.ts'
import { listHosts } from '../hub/fleet/list.ts'
import type { Ground } from './ground.ts'
import { judge } from './judge.ts'
import { settled } from './kernel.ts'
import { settleIn } from './people.ts'
import type { Plan } from './plan.ts'
import type { Rare } from './sometimes.ts'
import { sealed } from './trap.ts'
import { bringTrouble, heal, keepAlive } from './troubles.ts'
import { Watch } from './watch.ts'
import { type Broken, World } from './world.ts'

/** By then every request has ended (none lives longer than a minute here), and every host is back. */
const PEACE_MS = 75_000
const LOOK_EVERY_MS = 500
const MOST_STEPS = 300_000
/** How long a hub may take to leave. */
const LEAVE_MS = 40_000

export interface Verdict {
  plan: Plan
  /** Empty: all is well. */
  broken: Broken[]
  reached: ReadonlySet<Rare>
  /** The same for the same plan, always. */
  fingerprint: string
  steps: number
  virtualMs: number
  lastNotes: string[]
}

/** `onNote` hears everything worth reading as it happens. */
export function history(plan: Plan, ground: Ground, onNote?: (line: string) => void): Verdict {
  ground.clear()
  return sealed(() => {
    const world = new World(plan, ground, onNote)
    const watch = new Watch(world)
    const live = (until: () => boolean) => {
      while (world.brokenRules.length === 0 && !until()) {
        if (!world.kernel.step()) return world.broken('a world goes on', 'nothing is left to happen')
        if (world.kernel.steps > MOST_STEPS) return world.broken('a world comes to rest', 'it never does')
        watch.look()
      }
    }
    settleIn(world)
    for (const house of world.houses) house.start()
    for (const machine of world.machines) machine.start()
    bringTrouble(world)
    openDoors(world)
    live(after(world, plan.troubleMs))
    heal(world)
    live(atRest(world))
    live(closed(world))
    if (world.brokenRules.length === 0) judge(world)
    const verdict = {
      ...{ plan, broken: world.brokenRules, reached: world.reached },
      ...{ fingerprint: world.kernel.fingerprint(), steps: world.kernel.steps, virtualMs: world.kernel.now },
      lastNotes: world.kernel.lastNotes(),
    }
    world.kernel.hush()
    for (const letGo of world.afterwards) letGo()
    return verdict
  })
}

function after(world: World, ms: number): () => boolean {
  let over = false
  world.kernel.after(ms, 'the end of trouble', () => {
    over = true
  })
  return () => over
}

/** Nothing runs, nothing is held, and everybody who should be there is. */
function atRest(world: World): () => boolean {
  const { kernel } = world
  const healedAt = kernel.now
  let rest = false
  const look = () => {
    for (const machine of world.machines) {
      if (isLocked(world, machine.name)) machine.banished = true
      keepAlive(machine)
    }
    const restless = unrest(world)
    if (restless === null) rest = true
    else if (kernel.now >= Math.max(healedAt, ...world.houses.map(({ openedAt }) => openedAt)) + PEACE_MS)
      world.broken('all comes to rest', restless)
    else kernel.after(LOOK_EVERY_MS, 'look', look)
  }
  kernel.after(LOOK_EVERY_MS, 'look', look)
  return () => rest
}

/** Why a world is not at rest; null: it is. */
function unrest({ visits, houses, machines, disk, outside, ground, plan }: World): string | null {
  const waiting = visits.find(({ outcome }) => outcome === 'running')
  if (waiting) return `request ${waiting.ask.tag} has not ended`
  for (const { hub, name, process } of houses) {
    if (!hub || process.dead) return `${name} is not back`
    const { running, ledger } = hub.platform
    if (running.size > 0) return `${name} still works on ${running.size} requests`
    if (ledger.openHolds() > 0) return `${name} still holds for ${ledger.openHolds()} requests`
  }
  for (const { name, alive, banished } of machines) {
    if (banished) continue
    if (!alive.some(({ life }) => life.status().state === 'serving')) return `${name} is not back`
    const linked = alive.flatMap(({ life }) => life.status().hubs.filter(({ state }) => state === 'linked'))
    if (linked.length < houses.length) return `${name} is linked to ${linked.length} of ${houses.length} hubs`
    const idle = alive.find(({ engine }) => engine.busy > 0)
    if (idle) return `the engine of ${idle.name} works for nobody`
  }
  const { n } = disk.client.query('select count(*) as n from grants').get() as { n: bigint }
  if (n > 0n) return `${n} grants are left`
  // Whose clock is wrong is listed wrongly: who is here is told by time.
  if (plan.faults.includes('clock-jump')) return null
  const listed = settled(listHosts(outside.env, ground.db))
  const here = (name: string) => listed.find((host) => host.name === name)?.state ?? 'gone'
  const missing = machines.find(({ name, banished }) => !banished && !['ready', 'tripped'].includes(here(name)))
  return missing ? `${missing.name} is listed as ${here(missing.name)}` : null
}

/** Two machines were this one: its owner has to do something first. */
function isLocked({ disk }: World, name: string): boolean {
  const locked = 'select 1 from host_locks join hosts on hosts.id = host_locks.host_id where hosts.name = ?'
  return disk.client.query(locked).get(name) !== null
}

function closed(world: World): () => boolean {
  const { kernel, houses } = world
  for (const house of houses) house.stop(1_000, () => {})
  kernel.after(LEAVE_MS, 'too late', () => {
    for (const { process } of houses) if (!process.dead) world.broken('a hub leaves in time', process.name)
  })
  return () => houses.every(({ process }) => process.dead)
}
