// An owner's machine: an agent, its engine, and what can befall both. Sometimes a second agent with the same identity.
import { Life } from '../host/daemon/life.ts'
import { Stopping } from '../host/daemon/stopping.ts'
import type { Facts } from '../host/log.ts'
import type { Dial } from '../host/tunnel/dial.ts'
import { HubError } from '../hub/errors.ts'
import { newId } from '../sdk/env.ts'
import type { Hardware } from '../sdk/wire/frames.ts'
import { closeCode } from '../sdk/wire/frames.ts'
import type { Dice } from './dice.ts'
import { type Manner, SimEngine } from './engine.ts'
import type { Process } from './kernel.ts'
import type { Owner } from './ground.ts'
import { mannersOf, mischiefOf } from './manners.ts'
import { Connection, type Weather } from './network.ts'
import { honest, type Mischief } from './wire.ts'
import type { World } from './world.ts'

const HARDWARE: Hardware = {
  gpus: [{ name: 'RTX 4090', memoryBytes: 24 * 2 ** 30, computeCapability: '8.9', uuid: null }],
  ...{ driver: null, cpu: 'simulated', cores: 8, memoryBytes: 2 ** 35, os: 'simulated', arch: 'x64', simulated: true },
}

export interface Agent {
  name: string
  process: Process
  life: Life
  engine: SimEngine
  connections: Connection[]
}

export class Machine {
  readonly name: string
  readonly agents: Agent[] = []
  weather: Weather = { latencyMs: 1, jitterMs: 0 }
  /** No packet gets from here to any hub, or back. */
  cutOff = false
  /** Its token was revoked: it never comes back. */
  banished = false
  private lives = 0
  private readonly dice: Dice
  private readonly mischief: Mischief
  /** Answers its engine says it works on at a time. */
  private readonly slots: number
  /** Its engine can be asked by token ids. */
  private readonly tokenIds: boolean
  /** How its engine gives an answer. */
  private readonly manner: (tag: string) => Manner

  constructor(
    private readonly world: World,
    readonly owner: Owner,
  ) {
    this.name = owner.name
    this.dice = world.dice.for(`machine ${this.name}`)
    this.tokenIds = this.dice.chance(0.75)
    this.slots = this.dice.pick([1, 2, 8, 64])
    this.mischief = mischiefOf(world, this.name)
    this.manner = mannersOf(world, this.name)
  }

  /** Agents that run, the first first. */
  get alive(): Agent[] {
    return this.agents.filter(({ process }) => !process.dead)
  }

  /** Starts an agent, whether or not another runs. */
  start(): Agent {
    const { kernel } = this.world
    const process = kernel.process(`${this.name}.${++this.lives}`)
    const engine = new SimEngine(process, this.manner, this.slots, this.tokenIds)
    const connections: Connection[] = []
    const { env, name } = process
    const note =
      (level: string) =>
      (message: string, facts: Facts = {}) => {
        kernel.note(`${name} ${level} ${message} ${JSON.stringify(facts)}`)
        if (message === 'the engine works again') this.world.saw('an engine came back')
      }
    const stopping = new Stopping(env)
    this.world.afterwards.push(() => stopping.ask({ graceMs: 0 }))
    const life = new Life({
      ...{ env, engine, token: this.owner.token, stopping, graceMs: 5_000, outdated: () => false },
      log: { info: note('info'), warn: note('warn'), error: note('error') },
      identity: {
        ...{ agent: 'sim', machine: `machine_${this.name}`, run: newId(env, 'run') },
        ...{ name: this.name, hardware: HARDWARE },
      },
      hub: 'ws://hub.test/hosts/link',
      dial: this.dialFor(process, connections),
    })
    const agent: Agent = { name, process, life, engine, connections }
    this.agents.push(agent)
    life.live().then(
      () => process.kill(),
      (error: unknown) => {
        kernel.note(`${name} gives up: ${String(error)}`)
        process.kill()
        if (this.alive.length > 0) this.world.saw('a clone was sent away')
      },
    )
    return agent
  }

  /** The machine loses its power. */
  crash(): void {
    for (const { process, name } of this.alive) {
      this.world.kernel.note(`${name} dies`)
      process.kill()
    }
  }

  /** Its open connections. */
  connections(): Connection[] {
    return this.alive.flatMap(({ connections }) => connections.filter(({ open }) => open))
  }

  private dialFor(process: Process, connections: Connection[]): Dial {
    return (address, token, events) => {
      const house = this.world.route(new URL(address).hostname, this.dice)
      const hub = house?.process ?? null
      const connection = new Connection(this.world.kernel, this.dice, this.weather, process, hub ?? process)
      const { near, far } = connection
      near.listen(events)
      const { latencyMs } = this.weather
      if (this.cutOff) return near.socket
      if (!house?.hub || !hub || hub.dead) {
        process.hears(2 * latencyMs, 'refused', () => near.lose())
        return near.socket
      }
      connections.push(connection)
      this.world.wire.watch(connection, {
        hub: hub.name,
        machine: process.name,
        mischief: () => (this.world.healed ? honest : this.mischief),
      })
      const { door } = house.hub
      hub.hears(latencyMs, 'dial', () => {
        door.receive(token, far.socket).then(
          (visit) => {
            far.listen(visit)
            process.hears(latencyMs, 'opened', () => near.isOpen && events.opened())
          },
          (error: unknown) => {
            const unknown = error instanceof HubError && error.code === 'invalid_api_key'
            far.socket.close(unknown ? closeCode.badToken : 1006, '')
          },
        )
      })
      return near.socket
    }
  }
}
