// Server-sent events to one client: written as they come, never faster than the client reads.

import type { Env } from '../../sdk/env.ts'

/** The controller of Bun's `type: "direct"` streams: a write is handed to the socket without a queue in between. */
interface DirectController {
  write(chunk: string): number | Promise<number>
  flush(wait?: boolean): unknown
  end(): unknown
}

/** Text waiting for a client that does not read. Beyond it the client is taken for gone. */
const MAX_WAITING_CHARS = 4 * 1024 * 1024

interface Options {
  env: Pick<Env, 'timer'>
  /** A client that takes nothing for so long is given up. */
  stallMs: number
  /** Called as the last bytes are about to be handed over. */
  ending(): void
}

/** `Item` is what an event stood for: those that were never handed to the network are in `unwritten`. */
export class EventStream<Item> {
  readonly body: ReadableStream
  unwritten: Item[] = []
  private waiting = ''
  private controller: DirectController | null = null
  private congested = false
  private over = false
  private flushing = false
  private takers: (() => void)[] = []
  private readonly pulled = Promise.withResolvers<void>()
  private readonly closed = Promise.withResolvers<void>()

  /** `gone` is called once if the client leaves, or is given up, before `end`. */
  constructor(
    private readonly gone: () => void,
    private readonly options: Options,
  ) {
    const source = {
      type: 'direct',
      pull: (controller: DirectController) => {
        this.controller = controller
        this.pulled.resolve()
        this.flush()
        return this.closed.promise
      },
      cancel: () => this.lose(),
    }
    // The type of direct streams is Bun's own; the standard's knows only pull and push.
    this.body = new ReadableStream(source as unknown as UnderlyingDefaultSource)
  }

  /** Queues one event; `flush` or `flushSoon` hands over what was queued. */
  event(payload: object, item?: Item): void {
    this.json(JSON.stringify(payload), item)
  }

  /** As `event`, for what is JSON already. */
  json(payload: string, item?: Item): void {
    this.waiting += `data: ${payload}\n\n`
    if (item !== undefined) this.unwritten.push(item)
  }

  comment(text: string): void {
    this.waiting += `: ${text}\n\n`
    this.flush()
  }

  /** Hands over what is queued when the present work is done: events that came together leave together. */
  flushSoon(): void {
    if (this.flushing) return
    this.flushing = true
    queueMicrotask(this.flushNow)
  }

  private readonly flushNow = (): void => {
    this.flushing = false
    this.flush()
  }

  flush(): void {
    if (this.over || this.waiting === '') return
    if (this.congested || !this.controller) {
      if (this.waiting.length > MAX_WAITING_CHARS) this.lose(unread())
      return
    }
    const text = this.waiting
    this.waiting = ''
    this.unwritten = []
    const written = this.controller.write(text)
    this.controller.flush()
    // Pending or negative: the bytes are accepted, but the client's side is full.
    if (typeof written !== 'number' || written < 0) void this.drain(written)
    else if (this.takers.length > 0) this.release()
  }

  /** Runs `then` as soon as the client has taken what was written. */
  whenTaken(then: () => void): void {
    if (this.congested || this.waiting !== '') this.takers.push(then)
    else then()
  }

  /** Sends the end of the stream. True when it was handed to the network, false when the client had gone. */
  async end(): Promise<boolean> {
    this.waiting += 'data: [DONE]\n\n'
    await this.pulled.promise
    while (!this.over && this.waiting !== '') {
      this.flush()
      if (this.congested) await new Promise<void>((resolve) => this.takers.push(resolve))
    }
    if (this.over) return false
    this.over = true
    this.options.ending()
    await this.controller?.end()
    this.closed.resolve()
    return true
  }

  /** With a reason the connection is reset; without one it is closed already. */
  private lose(reason?: Error): void {
    if (this.over) return
    this.over = true
    this.pulled.resolve()
    if (reason && this.controller) this.closed.reject(reason)
    else this.closed.resolve()
    this.release()
    this.gone()
  }

  private async drain(written: number | Promise<number>): Promise<void> {
    this.congested = true
    const { env, stallMs } = this.options
    const giveUp = env.timer(stallMs, () => this.lose(unread()))
    try {
      await written
      await this.controller?.flush(true)
    } catch {
      return this.lose()
    } finally {
      giveUp()
    }
    this.congested = false
    if (this.waiting === '') this.release()
    else this.flush()
  }

  private release(): void {
    const takers = this.takers
    this.takers = []
    for (const then of takers) then()
  }
}

function unread(): Error {
  return new Error('the client does not read')
}
