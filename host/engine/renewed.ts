// An engine that can be ended and started again, each time as a new one: what is free on the card may have changed.
import type { Serving } from '../../sdk/wire/frames.ts'
import type { Engine, EngineAnswer, EngineAsk } from './engine.ts'

/** `make` as often as it is started after an end. */
export function renewedEngine(first: Engine, make: () => Promise<Engine>): Engine {
  return new Renewed(first, make)
}

class Renewed implements Engine {
  private current: Engine | undefined
  /** What it offered last stays known while there is none. */
  private offered: Serving[] = []
  private stopping = false

  constructor(
    first: Engine,
    private readonly make: () => Promise<Engine>,
  ) {
    this.current = first
  }

  async start(signal: AbortSignal): Promise<void> {
    if (!this.current) {
      const made = await this.make()
      signal.throwIfAborted()
      this.current ??= made
    }
    await this.current.start(signal)
  }

  starting(): string | null {
    return this.current?.starting?.() ?? null
  }

  serving(): Serving[] {
    if (this.current && !this.stopping) this.offered = this.current.serving()
    return this.offered
  }

  async ask(ask: EngineAsk, signal: AbortSignal): Promise<EngineAnswer> {
    if (!this.current || this.stopping) throw new Error('the engine rests')
    return this.current.ask(ask, signal)
  }

  async alive(signal: AbortSignal): Promise<boolean> {
    return (await this.current?.alive(signal)) ?? false
  }

  async stop(force: AbortSignal): Promise<void> {
    const { current } = this
    if (!current) return
    this.serving()
    this.stopping = true
    // Whoever asks again while it ends can still hurry it.
    await current.stop(force)
    this.current = undefined
    this.stopping = false
  }
}
