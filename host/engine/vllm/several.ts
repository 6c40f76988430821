// One engine on each group of cards, offered as one: a request goes where the fewest are.
import type { Serving } from '../../../sdk/wire/frames.ts'
import { HostError } from '../../errors.ts'
import type { Engine, EngineAnswer, EngineAsk } from '../engine.ts'

export interface Around {
  /** Before the first start: takes the weights, and removes what an earlier run has left, however many engines that was. */
  before: () => Promise<void>
  /** When all have ended. */
  after: () => void
  /** Requests offered to be taken at a time, by all of them; undefined: as many as they work on. */
  mostSlots?: number
}

export function severalEngines(engines: readonly [Engine, ...Engine[]], around: Around): Engine {
  return new Several(engines, around)
}

class Several implements Engine {
  private readonly busy: Map<Engine, number>
  private readonly restarting = new Set<Engine>()
  private readonly stopped = new AbortController()
  private begun = false

  constructor(
    private readonly engines: readonly [Engine, ...Engine[]],
    private readonly around: Around,
  ) {
    this.busy = new Map(engines.map((engine) => [engine, 0]))
  }

  /** One that works is enough. The others are tried again later. */
  async start(signal: AbortSignal): Promise<void> {
    if (!this.begun) await this.around.before()
    this.begun = true
    const tried = await Promise.allSettled(this.engines.map((engine) => engine.start(signal)))
    if (tried.some(({ status }) => status === 'fulfilled')) return
    throw (tried[0] as PromiseRejectedResult).reason
  }

  serving(): Serving[] {
    const each = this.engines.flatMap((engine) => engine.serving())
    const [first] = each
    if (!first) return []
    return [
      {
        ...first,
        slots: Math.min(
          this.around.mostSlots ?? Number.POSITIVE_INFINITY,
          each.reduce((sum, { slots }) => sum + slots, 0),
        ),
        contextTokens: Math.min(...each.map(({ contextTokens }) => contextTokens)),
        tokenIds: each.every(({ tokenIds }) => tokenIds),
      },
    ]
  }

  starting(): string | null {
    const steps = this.engines.map((engine) => engine.starting?.() ?? null)
    return steps.find((step) => step !== null) ?? null
  }

  async ask(ask: EngineAsk, signal: AbortSignal): Promise<EngineAnswer> {
    const able = this.engines.filter((engine) => engine.serving().length > 0)
    const [engine] = able.toSorted((a, b) => this.count(a) - this.count(b))
    if (!engine) throw new HostError('No engine is running.')
    this.add(engine, 1)
    const over = once(() => this.add(engine, -1))
    try {
      const { status, bytes } = await engine.ask(ask, signal)
      return { status, bytes: watched(bytes, over) }
    } catch (error) {
      over()
      throw error
    }
  }

  /** Those that are gone are started again meanwhile. */
  async alive(signal: AbortSignal): Promise<boolean> {
    const each = await Promise.all(
      this.engines.map(async (engine) => {
        const well = await engine.alive(signal)
        if (!well) this.restart(engine)
        return well
      }),
    )
    return each.some(Boolean)
  }

  async stop(force: AbortSignal): Promise<void> {
    this.stopped.abort()
    await Promise.all(this.engines.map((engine) => engine.stop(force))).finally(this.around.after)
  }

  private restart(engine: Engine): void {
    // With none left the watch starts them all, and says so.
    if (this.engines.length === 1 || this.restarting.has(engine) || this.stopped.signal.aborted) return
    this.restarting.add(engine)
    engine
      .start(this.stopped.signal)
      .catch(() => {})
      .finally(() => this.restarting.delete(engine))
  }

  private count(engine: Engine): number {
    return this.busy.get(engine) ?? 0
  }

  private add(engine: Engine, change: number): void {
    this.busy.set(engine, this.count(engine) + change)
  }
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}

/** The same bytes; `over` is called when they end, break or are left. */
function watched(bytes: ReadableStream<Uint8Array>, over: () => void): ReadableStream<Uint8Array> {
  const reader = bytes.getReader()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          const { done, value } = await reader.read()
          if (value) controller.enqueue(value)
          if (!done) return
          over()
          controller.close()
        } catch (error) {
          over()
          controller.error(error)
        }
      },
      async cancel(why) {
        over()
        await reader.cancel(why)
      },
    },
    { highWaterMark: 0 },
  )
}
