// A host's life on its machine's terms: the engine works, hubs are linked, requests served, and at the end everything
// is given back in order. What the operating system adds (one agent per home, a control socket) is in run.ts.
import { type Env, sleep } from '../../sdk/env.ts'
import type { Engine } from '../engine/engine.ts'
import { EngineWatch } from '../engine/watch.ts'
import { HostError } from '../errors.ts'
import type { Log } from '../log.ts'
import { Offer } from '../offer.ts'
import type { Dial } from '../tunnel/dial.ts'
import { Hubs } from '../tunnel/hubs.ts'
import type { Identity } from '../tunnel/session.ts'
import type { Control } from './control.ts'
import type { DaemonState, Status } from './status.ts'
import { aborted, type Stopping } from './stopping.ts'

export interface Machine {
  env: Env
  log: Log
  identity: Identity
  engine: Engine
  /** The hub's link address. */
  hub: string
  token: string
  dial: Dial
  /** How long running requests may take to finish on a polite stop. */
  drainMs: number
  stopping: Stopping
}

export class Life implements Control {
  readonly offer: Offer
  private readonly startedAt: number
  private hubs: Hubs | undefined
  private watch: EngineWatch | undefined
  private leaving = false

  constructor(private readonly machine: Machine) {
    this.startedAt = machine.env.mono()
    this.offer = new Offer(machine.engine)
  }

  /**
   * From the engine's start to its stop. Resolves when the owner's wish to stop is done.
   * @throws HostError when the engine cannot start, or when no hub will have this host
   */
  async live(): Promise<void> {
    const { log, identity, engine, stopping } = this.machine
    try {
      log.info('starting', { machine: identity.machine })
      if (!(await started(engine, stopping.soon))) return
      await Promise.race([this.link(), aborted(stopping.soon)])
      await this.drain()
    } finally {
      this.watch?.stop()
      void this.hubs?.close('the host has failed')
      await engine.stop()
    }
  }

  status(): Status {
    const { identity, env } = this.machine
    const { agent, machine, name, hardware } = identity
    return {
      state: this.state(),
      why: this.offer.whyIdle(),
      pid: process.pid,
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

  stop(how: 'soon' | 'now'): void {
    this.machine.stopping.ask(how)
  }

  /** Links to every hub; the promise only ever rejects, when no hub will have this host. */
  private link(): Promise<never> {
    const { env, log, engine, hub, dial, token, identity } = this.machine
    const watch = new EngineWatch(env, log, engine, this.offer)
    const world = { env, dial, token, identity, offer: this.offer, engineTrouble: () => watch.doubt() }
    this.watch = watch
    return new Promise((_, reject) => {
      this.hubs = new Hubs(hub, world, log, (why, code) =>
        reject(new HostError(why, code === 'simulated_not_allowed' ? 3 : 1)),
      )
    })
  }

  /** Hubs learn of it first, so that nothing new comes; what runs may finish, then what is left is handed back. */
  private async drain(): Promise<void> {
    const { env, log, drainMs, stopping } = this.machine
    this.leaving = true
    this.offer.hold('owner', 'its owner is stopping it')
    log.info('draining', { requests: this.offer.requests() })
    const over = new AbortController()
    const late = sleep(env, drainMs, AbortSignal.any([over.signal, stopping.now]))
    await Promise.race([this.offer.idle(), late])
    over.abort()
    this.hubs?.handBack()
    await this.hubs?.close('the host is stopping')
  }

  private state(): DaemonState {
    if (this.leaving) return 'draining'
    if (!this.hubs) return 'starting'
    if (!this.hubs.linked()) return 'linking'
    return this.offer.whyIdle() === null ? 'serving' : 'paused'
  }
}

/** False: the owner wanted to stop before it was ready. */
async function started(engine: Engine, stop: AbortSignal): Promise<boolean> {
  try {
    await engine.start(stop)
  } catch (error) {
    if (!stop.aborted) throw error
  }
  return !stop.aborted
}
