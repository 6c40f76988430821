// One host's machine: the compiled `gpuhost` in a home of its own, started, killed, frozen and stopped as its owner, its
// power line or its supervisor would.
import { cpSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { homeAt } from '../host/config.ts'
import type { Status } from '../host/daemon/status.ts'
import { EMULATED_MODEL } from '../sdk/wire/vocabulary.ts'

export type Spawn = (options: {
  program: 'gpuhub' | 'gpuhost'
  words: string[]
  env: Record<string, string>
  log: string
}) => Bun.Subprocess

export interface MachineOptions {
  name: string
  /** The hub's address, or that of a wire before it. */
  hub: string
  engineUrl: string
  token: string
  graceSeconds?: number
  /** Else the emulator's, and more slots than any test fills. */
  model?: string
  slots?: number
  /** Instead of an engine that somebody else runs: what `start` is told, and what the agent finds around it. */
  own?: { words: string[]; env: Record<string, string> }
}

const READY_MS = 60_000

export class Machine {
  process: Bun.Subprocess | null = null
  readonly home: string

  constructor(
    private readonly folder: string,
    private readonly spawn: Spawn,
    private readonly options: MachineOptions,
  ) {
    this.home = join(folder, options.name)
    mkdirSync(this.home, { recursive: true })
  }

  get name(): string {
    return this.options.name
  }

  get running(): boolean {
    return this.process !== null && this.process.exitCode === null && this.process.signalCode === null
  }

  /** Resolves once it is linked to a hub. */
  async start(): Promise<void> {
    this.launch()
    await this.back()
  }

  /** Waits until it is linked to that many hubs. */
  async back(hubs = 1): Promise<void> {
    const deadline = performance.now() + READY_MS
    while ((await this.links()) < hubs) {
      if (!this.running) throw new Error(`${this.name} ended with ${this.process?.exitCode}: see ${this.name}.log`)
      if (performance.now() > deadline) throw new Error(`${this.name} was not linked within ${READY_MS} ms`)
      await Bun.sleep(15)
    }
  }

  launch(): void {
    const { name, hub, engineUrl, token, graceSeconds, model = EMULATED_MODEL, slots = 512, own } = this.options
    const flags = { hub, model, name, grace: String(graceSeconds ?? 120) }
    const engine = { engine: 'openai', 'engine-url': engineUrl, 'simulate-gpu': 'RTX 4090', slots: String(slots) }
    const words = Object.entries({ ...flags, ...(own ? {} : engine) }).flatMap(([flag, value]) => [`--${flag}`, value])
    this.process = this.spawn({
      program: 'gpuhost',
      words: ['start', '--foreground', ...words, ...(own?.words ?? [])],
      env: { ...own?.env, GPUHOST_TOKEN: token, GPUHOST_HOME: this.home },
      log: `${name}.log`,
    })
  }

  /** The power goes out. */
  async kill(): Promise<void> {
    this.process?.kill('SIGKILL')
    await this.process?.exited
  }

  /** Its process stands still, its connections stay open. */
  pause(): void {
    this.process?.kill('SIGSTOP')
  }

  resume(): void {
    this.process?.kill('SIGCONT')
  }

  /** `gpuhost stop`, as its owner types it. @returns how long it took until the process was gone, in ms */
  async stop(how: 'soon' | 'now'): Promise<number> {
    const from = performance.now()
    const child = this.spawn({
      program: 'gpuhost',
      words: how === 'now' ? ['stop', '--now'] : ['stop'],
      env: { GPUHOST_HOME: this.home },
      log: `${this.name}.log`,
    })
    const code = await child.exited
    if (code !== 0) throw new Error(`gpuhost stop of ${this.name} ended with ${code}`)
    await this.process?.exited
    return performance.now() - from
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    const late = Bun.sleep(READY_MS).then(() => Promise.reject(new Error(`${this.name} does not end`)))
    await Promise.race([this.process?.exited, late])
  }

  /** Another machine with this one's home: a disk image that was copied, its identity included. */
  clone(name: string): Machine {
    const clone = new Machine(this.folder, this.spawn, { ...this.options, name })
    cpSync(join(this.home, 'machine'), join(clone.home, 'machine'))
    return clone
  }

  /** Hubs it is linked to. */
  async links(): Promise<number> {
    const status = await this.status()
    return status?.hubs.filter(({ state }) => state === 'linked').length ?? 0
  }

  /** What the agent says of itself; null when it does not answer. */
  async status(): Promise<Status | null> {
    const { controlPath } = homeAt({ GPUHOST_HOME: this.home })
    const answer = await fetch('http://gpuhost/status', {
      unix: controlPath,
      signal: AbortSignal.timeout(5_000),
    }).catch(() => null)
    return answer?.ok ? ((await answer.json()) as Status) : null
  }
}
