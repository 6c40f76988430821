// Where a hub lives: a place on the network and a database, and one process after another that makes use of them.
import { type Config, readConfig } from '../hub/config.ts'
import { type Hub, openHub } from '../hub/hub.ts'
import type { LogFields } from '../hub/log.ts'
import { sleep } from '../sdk/env.ts'
import type { Process } from './kernel.ts'
import type { Exchange, Serving } from './server.ts'
import type { World } from './world.ts'

const LAST_BYTES_MS = 5_000
const SECRET = 'a secret that only simulated hubs know'

export class HubHouse {
  process: Process
  hub: Hub | null = null
  openedAt = 0
  /** What its process was asked. */
  readonly exchanges = new Set<Exchange>()
  /** Takes connections: not while it starts, stops, or lies dead. */
  private listening = false
  private lives = 0
  private readonly config: Config

  constructor(
    private readonly world: World,
    readonly name: string,
  ) {
    this.process = world.kernel.process(`${name}.0`)
    this.process.kill()
    this.config = {
      ...readConfig({ GPUHUB_ALLOW_SIMULATED: '1' }),
      ...{ firstTokenSeconds: 12, streamMinutes: 1, keyConcurrency: 8 },
      selfUrl: world.plan.hubs > 1 ? `http://${name}.test` : '',
    }
  }

  get open(): boolean {
    return this.listening && !this.process.dead
  }

  serving(): Serving | null {
    const { hub, process } = this
    if (!hub || !this.open) return null
    // What the runtime's server offers a handler.
    const server = { timeout() {}, requestIP: () => ({ address: '10.0.0.1', port: 1, family: 'IPv4' }) }
    return { process, fetch: (request) => hub.fetch(request, server as unknown as Parameters<Hub['fetch']>[1]) }
  }

  start(): void {
    if (!this.process.dead) return
    const { kernel, disk, plan } = this.world
    const process = kernel.process(`${this.name}.${++this.lives}`)
    this.process = process
    this.exchanges.clear()
    const { env, name } = process
    const log = this.log(name)
    kernel.note(`${name} starts`)
    disk
      .openFor(process)
      .then((db) =>
        openHub({
          ...{ env, config: this.config, db, log, secret: SECRET, version: 'sim', url: () => 'http://hub.test' },
          ...{ writer: 'inline', alone: plan.hubs === 1 },
        }),
      )
      .then(
        (hub) => {
          if (process.dead) return
          this.hub = hub
          this.listening = true
          this.openedAt = kernel.now
          kernel.note(`${name} is open`)
        },
        (error: unknown) => {
          kernel.note(`${name} cannot start: ${String(error)}`)
          this.die()
          kernel.after(2_000, 'supervisor', () => this.start())
        },
      )
  }

  /** The process is gone, in the middle of whatever it did. */
  die(): void {
    if (this.process.dead) return
    this.world.kernel.note(`${this.process.name} dies`)
    this.world.crashed.add(this.process.name)
    if (this.hub && this.hub.platform.running.size > 0) this.world.saw('a hub died with requests under way')
    this.end()
  }

  private end(): void {
    this.process.kill()
    this.world.wire.hubDied(this.process.name)
    this.hub = null
    this.listening = false
  }

  /** Takes nothing new, lets answers end, leaves. `then` is called when its process is gone. */
  stop(graceMs: number, then: () => void): void {
    const { hub, process } = this
    if (!hub || !this.open) return then()
    this.listening = false
    this.world.kernel.note(`${process.name} stops`)
    process.onDeath(then)
    process.hears(0, 'SIGTERM', () => {
      void hub
        .drain(graceMs)
        .then((left) => {
          this.world.saw(left > 0 ? 'a hub drained in vain' : 'a hub drained to the end')
          return this.deliver(process)
        })
        .then(() => hub.close())
        .then(
          () => {
            if (process.dead) return
            this.world.kernel.note(`${process.name} has left`)
            this.end()
          },
          (error: unknown) => {
            this.world.kernel.note(`${process.name} cannot leave: ${String(error)}`)
            this.die()
          },
        )
    })
  }

  /** As bin/gpuhub/serve.ts does: the last bytes may leave, then whoever is still connected is cut off. */
  private async deliver({ env }: Process): Promise<void> {
    const until = env.mono() + LAST_BYTES_MS
    const pending = () => [...this.exchanges].some((exchange) => exchange.pending)
    while (pending() && env.mono() < until) await sleep(env, 10)
    for (const exchange of this.exchanges) exchange.cut()
  }

  private log(name: string) {
    const say =
      (level: string) =>
      (event: string, fields: LogFields = {}) => {
        // Of an error its first line: the rest names places in files, which are not the same everywhere.
        const facts = JSON.stringify(fields, (_, value) => (typeof value === 'string' ? value.split('\n')[0] : value))
        if (level !== 'debug') this.world.kernel.note(`${name} ${level} ${event} ${facts}`)
        this.world.logged(this, level, event, fields)
      }
    return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') }
  }
}
