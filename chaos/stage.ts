// Where a scenario plays: hubs, a fleet, clients that ask without a pause, and everything that has to be put away after.
import type OpenAI from 'openai'
import type { TestServer } from '../bin/postgres.ts'
import type { Conduct } from '../host/testing.ts'
import { ask, clientOf, type Outcome } from './client.ts'
import { Dice } from './dice.ts'
import { type Engines, startEngines } from './engines.ts'
import { Logbook } from './logbook.ts'
import type { Machine, MachineOptions } from './machine.ts'
import type { Database, HubProcess, World, WorldOptions } from './processes.ts'
import { startWire, type Wire } from './proxy.ts'
import { MIX, type Mix, type Plan, question } from './question.ts'
import type { SmallDisk } from './small-disk.ts'

export interface Order {
  database: Database
  seed: number
  /** How long faults are made, where the scenario goes by time; how many streams or rounds, where it goes by number. */
  seconds: number
  count: number
  /** False: this machine has other work, and how long things take says nothing. */
  timed: boolean
  /** Also when every promise was kept. */
  keepLogs?: boolean
  say: (line: string) => void
}

/** What a world stands on when that is not the usual. */
export interface Ground extends WorldOptions {
  server?: TestServer
  /** What it lies on, where that can be filled up. */
  disk?: SmallDisk
  close(): Promise<void>
}

export interface Host {
  machine: Machine
  /** Its engine alone, or one process for the whole fleet. */
  engines: Engines
  /** Which of `engines` is its own. */
  at: number
  wire: Wire | null
}

interface FleetOptions {
  hosts: number
  /** Each engine a process of its own, so that it can be killed alone. */
  apart?: boolean
  /** Each link through a wire of its own. */
  wired?: boolean
  conduct?: Partial<Conduct>
  /** Requests each offers to take at a time, which is what turns are counted by; by default more than any test fills. */
  slots?: number
}

interface LoadOptions {
  clients: number
  mix?: Mix
  /** Percent of requests that ask for a stream. */
  streamed?: number
  /** Asks this many in all, then ends by itself. */
  total?: number
  /** Whom to ask next. */
  openai: () => OpenAI
}

export interface Load {
  /** Everybody's last answer has ended. */
  done: Promise<void>
  /** No new questions; resolves when those asked have ended. */
  stop(): Promise<void>
}

const CREDIT_USD = '100.00'
/** A client that was refused comes back after a moment. */
const BREATH_MS = 100
const BEGIN_MS = 700

export class Stage {
  readonly logbook = new Logbook()
  readonly dice: Dice
  /** Said by the scenario, shown in the certificate: largest values of what it measured, in ms. */
  readonly measured = new Map<string, number>()
  /** When an answer that was held for it lost its host: by the question's number. */
  readonly lostAt = new Map<number, number>()
  private readonly hubs = new Map<number, HubProcess>()
  private readonly hosts: Host[] = []
  private readonly apart = new Map<string, Machine>()
  private readonly background: Promise<unknown>[] = []
  private asked = 0

  constructor(
    readonly world: World,
    readonly order: Order,
    readonly ground: Ground | undefined,
  ) {
    this.dice = new Dice(order.seed)
  }

  async hub(port?: number): Promise<HubProcess> {
    const hub = await this.world.startHub(port)
    this.hubs.set(hub.port, hub)
    return hub
  }

  /** Hosts `h0`, `h1`, … linked to `hub`, which tells them of every other hub. */
  async fleet(
    hub: HubProcess,
    { hosts, apart = false, wired = false, conduct = {}, slots }: FleetOptions,
  ): Promise<Host[]> {
    const shared = apart ? null : await startEngines(hosts)
    const fleet = await Promise.all(
      Array.from({ length: hosts }, async (_, index): Promise<Host> => {
        const engines = shared ?? (await startEngines(1))
        const at = apart ? 0 : index
        engines.set(at, conduct)
        const wire = wired ? await startWire(hub.port) : null
        const address = wire ? `http://127.0.0.1:${wire.port}` : hub.url
        const name = `h${index}`
        const offers = slots === undefined ? {} : { slots }
        const machine = await this.world.machine('fleet', {
          ...{ name, hub: address, engineUrl: engines.urls[at]! },
          ...offers,
        })
        return { machine, engines, at, wire }
      }),
    )
    // Remembered first: what has been started is put away even when the rest does not start.
    this.hosts.push(...fleet)
    await Promise.all(fleet.map(({ machine }) => machine.start()))
    return fleet
  }

  /** A machine of its own kind, not started yet. */
  async machine(owner: string, options: Omit<MachineOptions, 'token'>): Promise<Machine> {
    const machine = await this.world.machine(owner, options)
    this.apart.set(options.name, machine)
    return machine
  }

  /** Its agent ends now, and with it what it has running. */
  async leave(name: string): Promise<void> {
    const machine = this.apart.get(name)
    this.apart.delete(name)
    if (machine?.running) await machine.stop('now')
  }

  /** Waits until it is so. @throws Error when it is not in `withinMs` */
  async until(what: string, withinMs: number, holds: () => Promise<boolean>): Promise<void> {
    const deadline = performance.now() + withinMs
    while (!(await holds())) {
      if (performance.now() > deadline) throw new Error(`waited ${withinMs} ms in vain until ${what}`)
      await Bun.sleep(20)
    }
  }

  /** A client with credit, asking at `hub`. */
  async client(hub: Pick<HubProcess, 'url'>, options: { retries?: number } = {}): Promise<OpenAI> {
    return clientOf(hub.url, await this.key(), options)
  }

  async key(): Promise<string> {
    return (await this.world.client(CREDIT_USD)).key
  }

  load({ clients, mix = MIX, streamed = 100, total, openai }: LoadOptions): Load {
    this.logbook.begin()
    let stopped = false
    const left = () => !stopped && (total === undefined || this.asked < total)
    const one = async () => {
      while (left()) {
        const asked = question(++this.asked, this.dice, mix)
        const outcome = await ask(openai(), asked, { streamed: this.dice.chance(streamed), lostAt: this.lostAt })
        this.logbook.add(outcome)
        if (asked.plan) this.logbook.fault(lossOf(asked.plan, outcome))
        if (outcome.failure) await Bun.sleep(BREATH_MS)
      }
    }
    const done = Promise.all(Array.from({ length: clients }, one)).then(() => {})
    return {
      done,
      stop() {
        stopped = true
        return done
      },
    }
  }

  /** Does `fault` again and again, `everyMs` apart, until the scenario's time is over. */
  async during(everyMs: number, fault: (round: number) => void | Promise<void>): Promise<void> {
    // Nothing is proven about answers that have not begun.
    await Bun.sleep(BEGIN_MS)
    const until = performance.now() + this.order.seconds * 1_000
    for (let round = 0, next = performance.now(); next < until; round++, next += everyMs) {
      await Bun.sleep(Math.max(0, next - performance.now()))
      await fault(round)
      // One that took longer than its time is followed by the next at once, not by all it has held up.
      next = Math.max(next, performance.now() - everyMs)
    }
    await Bun.sleep(Math.max(0, until - performance.now()))
  }

  /** Goes on beside the scenario; `settled` waits for it, and fails when it did. */
  beside(work: Promise<unknown>): void {
    this.background.push(work)
    // Not unhandled: `settled` throws it.
    work.catch(() => {})
  }

  async settled(): Promise<void> {
    await Promise.all(this.background.splice(0))
  }

  measure(what: string, ms: number): void {
    this.measured.set(what, Math.max(this.measured.get(what) ?? 0, Math.round(ms)))
  }

  /** Every hub leaves in order, so that the books are whole. */
  async hubsLeave(): Promise<void> {
    for (const hub of this.hubs.values())
      if (hub.process.exitCode === null && hub.process.signalCode === null) await hub.stop()
  }

  async close(): Promise<void> {
    this.logbook.close()
    for (const name of [...this.apart.keys()]) await this.leave(name)
    for (const { engines, wire, machine } of this.hosts) {
      machine.resume()
      await machine.kill()
      await engines.kill()
      await wire?.close()
    }
  }
}

function lossOf({ loss }: Plan, { failure, attempts }: Outcome): string {
  return !failure && attempts < 2 ? 'answer kept its host' : `answer lost by ${loss}`
}
