// A host's life on its machine's terms: the engine works, hubs are linked, requests served, and at the end everything
// is given back in order. What the operating system adds (one agent per home, a control socket) is in run.ts.
import { type Env, sleep } from '../../sdk/env.ts'
import type { Engine } from '../engine/engine.ts'
import { HostError } from '../errors.ts'
import type { Log } from '../log.ts'
import { Offer } from '../offer.ts'
import { noFacts, type Owner } from '../owner/owner.ts'
import type { Dial } from '../tunnel/dial.ts'
import { Hubs } from '../tunnel/hubs.ts'
import type { Identity } from '../tunnel/session.ts'
import type { Control } from './control.ts'
import { LineWatch, type Probe } from './line-watch.ts'
import { freeTheGpu } from './free-gpu.ts'
import type { DaemonState, Status } from './status.ts'
import { aborted, type Afterwards, type Stopping } from './stopping.ts'
import { Turns } from './turns.ts'
import { UpdateWatch, type Updates } from './update-watch.ts'

export interface Machine {
  env: Env
  log: Log
  identity: Identity
  engine: Engine
  /** What it offers of it; default all. */
  offer?: Offer
  /** The hub's link address. */
  hub: string
  token: string
  dial: Dial
  /** How long running requests may take to finish on a stop, where whoever asks for it does not say. */
  graceMs: number
  stopping: Stopping
  /** Who may want the card back while the agent runs. */
  owner?: Owner
  /** Whether the program on disk is no longer the one that runs. */
  outdated: () => boolean
  /** Where the program looks after itself: what it does about newer ones. */
  updates?: Updates
  /** How its hub measures its line; absent: it does not. */
  probe?: Probe
  /** The process that keeps this one running, if there is one. */
  launcher?: number
}

/** For every hub to say that it sends nothing new. One that is gone or hangs is not waited for any longer. */
const UNREGISTER_MS = 2_000

export class Life implements Control {
  readonly offer: Offer
  private readonly startedAt: number
  private hubs: Hubs | undefined
  private readonly turns: Turns
  private readonly updateWatch: UpdateWatch | undefined
  private readonly lineWatch: LineWatch | undefined
  private leaving = false

  constructor(private readonly machine: Machine) {
    this.startedAt = machine.env.mono()
    this.offer = machine.offer ?? new Offer(machine.engine)
    const { env, log, updates, engine, owner, graceMs, probe } = machine
    this.turns = new Turns({
      ...{ env, log, engine, owner, graceMs, offer: this.offer },
      unregistered: (over) => this.unregistered(over),
      handBack: () => this.hubs?.handBack(),
    })
    this.lineWatch = probe && new LineWatch(env, log, probe, () => this.linked())
    this.updateWatch = updates && new UpdateWatch(env, log, updates, () => this.renew())
  }

  /**
   * Starts the engine, links to the hub, serves until asked to stop; then takes nothing new, lets requests finish,
   * says goodbye and stops the engine. Resolves to what is to follow.
   * @throws HostError when the engine cannot start, or when no hub will have this host
   */
  async live(): Promise<Afterwards> {
    const { log, identity, stopping } = this.machine
    try {
      log.info('starting', { machine: identity.machine })
      this.updateWatch?.starting()
      const ready = Promise.withResolvers<void>()
      const turns = this.turns.run(stopping.soon, ready.resolve)
      await Promise.race([ready.promise, turns])
      if (stopping.soon.aborted) return stopping.afterwards
      await Promise.race([this.link(), aborted(stopping.soon)])
      await this.drain()
      return stopping.afterwards
    } finally {
      this.turns.stop()
      this.updateWatch?.stop()
      this.lineWatch?.stop()
      void this.hubs?.close('the host has failed')
      if (!(await freeTheGpu(this.machine, stopping.now))) log.error('the agent ends without its engine')
      stopping.over()
    }
  }

  status(): Status {
    const { identity, env } = this.machine
    const { agent, machine, name, hardware } = identity
    return {
      state: this.state(),
      why: this.offer.whyIdle(),
      owner: this.machine.owner?.facts() ?? noFacts,
      starting: this.machine.engine.starting?.() ?? null,
      pid: process.pid,
      launcher: this.machine.launcher ?? null,
      version: agent,
      name,
      machine,
      uptimeSeconds: Math.floor((env.mono() - this.startedAt) / 1_000),
      hubs: this.hubs?.states() ?? [],
      serving: this.offer.serving(),
      requests: this.offer.requests(),
      gpus: hardware.gpus,
      simulated: hardware.simulated,
    }
  }

  stop(graceMs: number | undefined): void {
    this.machine.stopping.ask({ graceMs: graceMs ?? this.machine.graceMs })
  }

  /** Links to every hub; the promise only ever rejects, when no hub will have this host. */
  private link(): Promise<never> {
    const { env, log, hub, dial, token, identity } = this.machine
    const world = { env, dial, token, identity, offer: this.offer, engineTrouble: () => this.turns.doubt() }
    this.updateWatch?.linking()
    return new Promise((_, reject) => {
      this.hubs = new Hubs(hub, world, log, {
        ended: (why, code) => reject(new HostError(why, code === 'simulated_not_allowed' ? 3 : 1)),
        linked: () => {
          this.updateWatch?.linked()
          this.lineWatch?.start()
        },
        update: () => (this.updateWatch ? this.updateWatch.soon() : void this.renew()),
      })
    })
  }

  private linked(): { address: string; host: string } | null {
    for (const hub of this.hubs?.states() ?? []) if (hub.state === 'linked') return hub
    return null
  }

  /** Hubs learn of it first, so that nothing new comes; what runs may finish, then what is left is handed back. */
  private async drain(): Promise<void> {
    const { log, stopping } = this.machine
    this.leaving = true
    this.offer.hold('owner', 'its owner is stopping it')
    log.info('draining', { requests: this.offer.requests() })
    await this.unregistered(stopping.now)
    await Promise.race([this.offer.idle(), aborted(stopping.now)])
    this.hubs?.handBack()
    await this.hubs?.close('the host is stopping')
  }

  private async unregistered(now: AbortSignal): Promise<void> {
    const over = new AbortController()
    const shortly = sleep(this.machine.env, UNREGISTER_MS, AbortSignal.any([over.signal, now]))
    await Promise.race([this.hubs?.unregistered(), shortly])
    over.abort()
  }

  /** Whoever put a newer program in place, it is started once what runs has ended. False: there is none. */
  renew(): boolean {
    const { log, stopping, graceMs, outdated } = this.machine
    if (!outdated()) {
      log.info('this is the newest program here; gpuhost update looks for a newer one')
      return false
    }
    log.info('a newer program is here: draining, then starting it')
    stopping.ask({ graceMs, afterwards: 'restart' })
    return true
  }

  private state(): DaemonState {
    if (this.leaving) return 'draining'
    if (!this.hubs) return 'starting'
    if (!this.hubs.linked()) return 'linking'
    return this.offer.whyIdle() === null ? 'serving' : 'paused'
  }
}
