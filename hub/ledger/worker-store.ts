// SQLite on a thread of its own.
import { assert } from '../errors.ts'
import type { Applied, Batch } from './items.ts'
import { StatementError, type Store } from './store.ts'
import type { Answer, Ask } from './writer.worker.ts'

interface Waiting {
  resolve: (applied: Applied) => void
  reject: (error: Error) => void
}

export class WorkerStore implements Store {
  private worker: Worker | null = null
  private waiting: Waiting | null = null
  private closed: (() => void) | null = null

  constructor(private readonly path: string) {}

  apply(batch: Batch): Promise<Applied> {
    assert(this.waiting === null, 'one batch at a time')
    const { promise, resolve, reject } = Promise.withResolvers<Applied>()
    this.waiting = { resolve, reject }
    this.ask({ batch })
    return promise
  }

  /** A thread that waits for the disk cannot be hurried; SQLite's own busy timeout bounds its wait for others. */
  abort(): void {}

  async close(): Promise<void> {
    if (!this.worker) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.closed = resolve
    this.ask({ close: true })
    await promise
    this.worker?.terminate()
    this.worker = null
  }

  private ask(message: Ask): void {
    this.worker ??= this.start()
    this.worker.postMessage(message)
  }

  private start(): Worker {
    const worker = new Worker(new URL('./writer.worker.ts', import.meta.url))
    worker.onmessage = ({ data }: MessageEvent<Answer>) => this.answered(data)
    // A thread that died took its transaction with it; the next batch starts another.
    const died = (reason: string) => {
      if (this.worker !== worker) return
      this.worker = null
      this.closed?.()
      this.take()?.reject(new Error(`the ledger's writer died: ${reason}`))
    }
    worker.onerror = (event) => died(event.message)
    worker.addEventListener('close', () => died('it ended'))
    worker.postMessage({ open: this.path } satisfies Ask)
    return worker
  }

  private answered(answer: Answer): void {
    if ('applied' in answer) this.take()?.resolve(answer.applied)
    else if ('closed' in answer) this.closed?.()
    else if (answer.statement) this.take()?.reject(new StatementError(answer.failed))
    else this.take()?.reject(Object.assign(new Error(answer.failed), { code: answer.code }))
  }

  private take(): Waiting | null {
    const { waiting } = this
    this.waiting = null
    return waiting
  }
}
