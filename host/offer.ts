// What this machine offers to all hubs together, and whether it takes new requests. The one place that knows.
import type { Engine } from './engine/engine.ts'
import { rests } from './owner/rest.ts'
import type { HostState, Serving } from '../sdk/wire/frames.ts'

/** Requests taken at a time, over all hubs; a hub that sends more is told to go elsewhere. */
export const MOST_REQUESTS = 1_024

/** Who can have a reason why nothing new is taken. The owner's word stands above all others, and no hub can take it back. */
export const reasons = ['owner', ...rests, 'engine', 'hub'] as const
export type Reason = (typeof reasons)[number]

export class Offer {
  /** False: the card rests, and there is no engine. */
  working = true
  private count = 0
  /** Of what the engine can take at a time. */
  private share = 1
  private inEngine = 0
  private readonly queue = new Set<() => void>()
  private readonly held = new Map<Reason, string>()
  /** What was on offer when somebody last looked. */
  private offered = ''
  private readonly listeners = new Set<() => void>()
  private readonly waiting: (() => void)[] = []

  constructor(private readonly engine: Engine) {}

  serving(): Serving[] {
    const { share } = this
    return this.engine.serving().map((each) => ({ ...each, slots: Math.max(1, Math.floor(each.slots * share)) }))
  }

  /** Only so much of what the engine can take at a time is given to it from now on; 1: all. */
  limit(share: number): void {
    if (share === this.share) return
    this.share = share
    this.nextTurns()
    if (this.whyIdle() === null) this.tell()
  }

  /**
   * Resolves when one more request may be the engine's: at once, unless there is a limit. Call what it gives, once, when
   * the engine is done with it.
   */
  async turn(signal: AbortSignal): Promise<() => void> {
    if (!this.atLimit()) this.inEngine++
    else if (!(await this.granted(signal))) return () => {}
    return () => {
      this.inEngine--
      this.nextTurns()
    }
  }

  private granted(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      if (signal.aborted) return resolve(false)
      const grant = () => resolve(true)
      this.queue.add(grant)
      signal.addEventListener('abort', () => (this.queue.delete(grant), resolve(false)), { once: true })
    })
  }

  private nextTurns(): void {
    for (const grant of this.queue) {
      if (this.atLimit()) return
      this.queue.delete(grant)
      this.inEngine++
      grant()
    }
  }

  private atLimit(): boolean {
    return this.share < 1 && this.inEngine >= this.slots()
  }

  private slots(): number {
    return this.serving().reduce((sum, { slots }) => sum + slots, 0)
  }

  state(): HostState {
    return this.whyIdle() === null ? 'ready' : 'draining'
  }

  whyIdle(): string | null {
    const first = this.first()
    return first === null ? null : (this.held.get(first) ?? null)
  }

  /** Whose reason it is: what hubs are told of it. */
  first(): Reason | null {
    return reasons.find((who) => this.held.has(who)) ?? null
  }

  /** The engine cannot take anything: what a hub sends is refused even if it could not know yet. */
  broken(): boolean {
    return !this.working || this.held.has('engine')
  }

  /** Sets or clears (null) one party's reason. */
  hold(who: Reason, why: string | null): void {
    const before = this.whyIdle()
    if (why === null) this.held.delete(who)
    else this.held.set(who, why)
    if (this.whyIdle() !== before) this.tell()
  }

  /** Tells those who listen where the engine offers something else than before: of several, one may be gone. */
  compare(): void {
    const now = JSON.stringify(this.engine.serving())
    const changed = this.offered !== '' && this.offered !== now
    this.offered = now
    if (changed && this.whyIdle() === null) this.tell()
  }

  private tell(): void {
    for (const listener of this.listeners) listener()
  }

  /** Hubs ask by variant (`Qwen/Qwen3-8B:bf16`), also where a bare model id was offered: they know its default. */
  engineFor(variant: string): Engine | undefined {
    const [model] = variant.split(':')
    const offered = this.engine.serving().some((serving) => serving.model === variant || serving.model === model)
    return offered ? this.engine : undefined
  }

  /** Requests here, for all hubs: those in the engine's hands, and those it has not got to yet. */
  load(): { running: number; waiting: number } {
    const running = Math.min(this.count, this.slots())
    return { running, waiting: this.count - running }
  }

  requests(): number {
    return this.count
  }

  full(): boolean {
    return this.count >= MOST_REQUESTS
  }

  /** Counts one request in; call what it returns, once, when the request is over. */
  begin(): () => void {
    this.count++
    return () => {
      this.count--
      if (this.count === 0) for (const resolve of this.waiting.splice(0)) resolve()
    }
  }

  /** Resolves when no request is left. */
  idle(): Promise<void> {
    return new Promise((resolve) => (this.count === 0 ? resolve() : void this.waiting.push(resolve)))
  }

  /** Calls `listener` when new requests are taken again, or no longer, or for another reason. */
  onChange(listener: () => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}
