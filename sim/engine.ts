// An engine in a simulated machine. Its words are the emulator's own; what differs is that it speaks when the kernel
// says so, and that it has no port.
import type { Engine, EngineAnswer, EngineAsk } from '../host/engine/engine.ts'
import { type Conduct, goodConduct } from '../host/emulator/conduct.ts'
import { EngineError, type Order, type Path, readOrder } from '../host/emulator/order.ts'
import { DEFAULT_CONTEXT_TOKENS, DEFAULT_SEED } from '../host/emulator/oracle.ts'
import { type Outlet, Run } from '../host/emulator/run.ts'
import { errorBody } from '../host/emulator/shape.ts'
import { HostError } from '../host/errors.ts'
import type { Cancel } from '../sdk/env.ts'
import type { Serving } from '../sdk/wire/frames.ts'
import { decode, EMULATED_MODEL } from '../sdk/wire/vocabulary.ts'
import { tagIn } from './ask.ts'
import type { Process } from './kernel.ts'

/** How one answer is given. */
export interface Manner extends Partial<Conduct> {
  firstMs: number
  /** Between chunks. */
  chunkMs: number
  /** Goes on though told to stop: its work is for nobody. */
  deaf?: boolean
}

const utf8 = new TextEncoder()

export class SimEngine implements Engine {
  /** Refuses connections, as one that ran out of memory does. */
  down = false
  private readonly working = new Set<Work>()
  private answers = 0

  constructor(
    private readonly process: Process,
    /** How it answers the request under a tag. */
    private readonly mannerFor: (tag: string) => Manner,
    private readonly slots: number,
    private readonly tokenIds: boolean,
  ) {}

  /** Answers it is working on, those apart that it was told to stop and did not. */
  get busy(): number {
    return [...this.working].filter(({ deaf }) => !deaf).length
  }

  async start(): Promise<void> {
    if (this.down) throw new HostError('no engine answers')
  }

  serving(): Serving[] {
    const engine = { name: 'emulator', version: null }
    return [
      {
        model: EMULATED_MODEL,
        engine,
        contextTokens: DEFAULT_CONTEXT_TOKENS,
        slots: this.slots,
        tokenIds: this.tokenIds,
      },
    ]
  }

  async alive(): Promise<boolean> {
    return !this.down
  }

  async stop(): Promise<void> {
    this.crash()
  }

  /** Whatever it was saying is cut. */
  crash(): void {
    for (const work of [...this.working]) work.cut()
  }

  async ask({ path, body }: EngineAsk, signal: AbortSignal): Promise<EngineAnswer> {
    if (this.down) throw new Error('connection refused')
    const asked: unknown = { ...JSON.parse(new TextDecoder().decode(body)), model: EMULATED_MODEL }
    try {
      const order = readOrder(path, asked, { model: EMULATED_MODEL, contextTokens: DEFAULT_CONTEXT_TOKENS })
      return this.answer(path, asked, order, signal)
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      return whole(error.status, errorBody(error.status, error.message, error.param))
    }
  }

  private answer(path: Path, body: unknown, order: Order, signal: AbortSignal): EngineAnswer {
    const manner = this.mannerFor(tagIn(decode(order.prompt)) ?? '')
    const { refuseStatus } = manner
    if (refuseStatus) return whole(refuseStatus, errorBody(refuseStatus, 'refused because it was told to'))
    const id = `cmpl-${(++this.answers).toString(16).padStart(32, '0')}`
    const work = new Work(this.process, { id, path, body, order, manner }, () => this.working.delete(work))
    this.working.add(work)
    signal.addEventListener('abort', () => work.toldToStop())
    return { status: 200, bytes: work.bytes }
  }
}

/** One answer being given. */
class Work {
  readonly bytes: ReadableStream<Uint8Array>
  readonly deaf: boolean
  private controller!: ReadableStreamDefaultController<Uint8Array>
  private text = ''
  private next: Cancel
  private readonly run: Run

  constructor(
    process: Process,
    what: { id: string; path: Path; body: unknown; order: Order; manner: Manner },
    private readonly over: () => void,
  ) {
    const { id, path, body, order, manner } = what
    this.deaf = manner.deaf ?? false
    this.bytes = new ReadableStream({
      start: (controller) => {
        this.controller = controller
      },
      cancel: () => this.toldToStop(),
    })
    const outlet: Outlet = {
      write: (text) => void (this.text += text),
      flush: () => this.flush(),
      end: () => this.end(),
      cut: () => this.cut(),
    }
    const record = { id, path, body, state: 'running' as const, promptTokens: order.prompt.length, tokens: 0 }
    const head = { id, created: Math.floor(process.env.now() / 1_000), model: EMULATED_MODEL }
    const conduct: Conduct = { ...goodConduct, ...manner }
    this.run = new Run(record, head, order, () => conduct, DEFAULT_SEED, outlet, process.env.mono())
    const speak = () => {
      const due = this.run.due(process.env.mono(), conduct.chunkTokens)
      if (due === null) return
      if (this.run.speak(due)) this.stop()
      else this.next = process.after(manner.chunkMs, 'engine', speak)
    }
    this.next = process.after(manner.firstMs, 'engine', speak)
  }

  toldToStop(): void {
    if (!this.deaf) this.stop()
  }

  /** Its work ends; nobody is told. */
  private stop(): void {
    this.next()
    this.over()
  }

  cut(): void {
    this.stop()
    this.close((controller) => controller.error(new Error('connection reset')))
  }

  private end(): void {
    this.close((controller) => controller.close())
  }

  private flush(): void {
    const bytes = utf8.encode(this.text)
    this.text = ''
    if (bytes.length > 0) this.close((controller) => controller.enqueue(bytes))
  }

  /** Does `what` unless the reader has gone. */
  private close(what: (controller: ReadableStreamDefaultController<Uint8Array>) => void): void {
    try {
      what(this.controller)
    } catch {
      // Cancelled by its reader: nobody listens any more.
    }
  }
}

function whole(status: number, body: object): EngineAnswer {
  const bytes = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(utf8.encode(JSON.stringify(body)))
      controller.close()
    },
  })
  return { status, bytes }
}
