// The part of Bun's HTTP server, and of the network between it and one client: a request arrives, the hub answers, its
// words leave as fast as the client reads, and whichever side goes away, the other hears of it late or never. What the
// hub sees of it was measured on Bun 1.4.5: when a client leaves, first the request's signal aborts, then the stream is
// cancelled, then a write that waited resolves; later writes return 0.
import type { Cancel } from '../sdk/env.ts'
import type { Kernel, Process } from './kernel.ts'
import { type DirectController, type DirectSource, directSource } from './trap.ts'

export interface HttpRequest {
  path: string
  headers: Record<string, string>
  body: string
  /** Pieces of the body, and the pauses before each; 0: at once. */
  pauseMs: number
}

/** What a client hears, in order; `closed` last. */
export interface ClientEvents {
  headers(status: number, headers: Headers): void
  text(text: string): void
  /** `complete`: the server ended its answer; else the connection broke, or was refused. */
  closed(complete: boolean): void
}

/** What somebody sees who stands beside the server. */
export interface ServerWitness {
  /** The hub has answered, whether or not the client ever hears it. */
  answered(status: number, headers: Headers, body: string | null): void
  /** The hub gave this to the network. */
  wrote(text: string): void
  /** The hub was made to wait for its client. */
  congested(): void
  ended(): void
  /** The hub has heard that its client is gone. */
  clientGone(): void
  /** The hub's own program closed the connection before all of the answer had left. */
  cutOff(): void
  /** The hub threw instead of answering. */
  threw(error: unknown): void
}

export interface Serving {
  process: Process
  fetch(request: Request): Promise<Response | undefined>
}

export interface Line {
  latencyMs: number
  /** Characters a client reads in a second. */
  charsPerSecond: number
  /** Characters that wait for a client before the hub is told to wait. */
  bufferChars: number
}

/** One request on a connection of its own. */
export class Exchange {
  private readonly controller = new AbortController()
  private source: DirectSource | null = null
  /** The hub's side of the connection. */
  private state: 'open' | 'ended' | 'gone' = 'open'
  private clientLeft = false
  private sink: Sink | null = null
  private upload: ReadableStreamDefaultController<Uint8Array> | null = null
  /** What travels to the client, in order. */
  private readonly travelling: (() => void)[] = []

  constructor(
    private readonly kernel: Kernel,
    private readonly client: Process,
    private readonly server: Serving | null,
    private readonly line: Line,
    private readonly request: HttpRequest,
    private readonly events: ClientEvents,
    private readonly witness: ServerWitness,
  ) {
    if (!server || server.process.dead) this.serverDied()
    server?.process.onDeath(() => this.serverDied())
    server?.process.hears(line.latencyMs, 'request', () => this.arrive())
  }

  /** The client closes its connection; the server hears of it `lateMs` later than it could. */
  leave(lateMs = 0): void {
    if (this.clientLeft) return
    this.clientLeft = true
    this.server?.process.hears(this.line.latencyMs + lateMs, 'client gone', () => this.lose())
  }

  /** Whatever kept the client from reading is over. */
  readOn(): void {
    this.line.charsPerSecond = Number.POSITIVE_INFINITY
    this.sink?.readOn()
  }

  /** Something of it still has to reach its client, or to come from it. */
  get pending(): boolean {
    return this.state === 'open' || (this.state === 'ended' && !this.sink?.empty)
  }

  /** The server closes every connection: its program wants to end. */
  cut(): void {
    if (!this.pending) return
    this.witness.cutOff()
    this.lose()
    this.travel(() => this.closed(false))
  }

  /** Refused, or reset. What an ended answer still has under way belongs to the system, and arrives. */
  private serverDied(): void {
    if (this.state !== 'open') return
    this.state = 'gone'
    this.sink?.abandon()
    this.travel(() => this.closed(false))
  }

  private arrive(): void {
    if (this.state !== 'open') return
    const { path, headers } = this.request
    const init = { method: 'POST', headers, body: this.body(), signal: this.controller.signal, duplex: 'half' }
    const request = new Request(`http://hub.test${path}`, init)
    this.server?.fetch(request).then(
      (response) => this.answer(response ?? new Response(null, { status: 500 })),
      (error: unknown) => this.witness.threw(error),
    )
  }

  private body(): string | ReadableStream<Uint8Array> {
    const { body, pauseMs } = this.request
    if (pauseMs === 0) return body
    const bytes = new TextEncoder().encode(body)
    const half = Math.floor(bytes.length / 2)
    const send = (piece: Uint8Array, last: boolean) => {
      if (this.state !== 'open' || !this.upload) return
      this.upload.enqueue(piece)
      if (last) this.upload.close()
    }
    this.server?.process.hears(pauseMs, 'body', () => send(bytes.subarray(half), true))
    return new ReadableStream({
      start: (controller) => {
        this.upload = controller
        send(bytes.subarray(0, half), false)
      },
      cancel: () => {
        this.upload = null
      },
    })
  }

  private async answer(response: Response): Promise<void> {
    const source = directSource(response.body)
    const text = source ? null : await response.text()
    this.witness.answered(response.status, response.headers, text)
    if (this.state === 'gone') {
      source?.cancel(undefined)
      return
    }
    this.sink = new Sink(this.kernel, this.server!.process, this.line, (piece) =>
      this.travel(() => this.events.text(piece)),
    )
    this.travel(() => this.events.headers(response.status, response.headers))
    if (source) this.open(source)
    else {
      if (text) this.sink.send(text)
      this.end()
    }
  }

  private open(source: DirectSource): void {
    const { sink } = this
    this.source = source
    const controller: DirectController = {
      write: (text) => {
        if (this.state !== 'open' || !sink) return 0
        this.witness.wrote(text)
        const written = sink.write(text)
        if (typeof written !== 'number') this.witness.congested()
        return written
      },
      flush: (wait) => (wait && sink ? sink.drained() : 0),
      end: () => {
        this.end()
        return 0
      },
    }
    // As Bun does, an answer whose source fails is cut short.
    Promise.resolve(source.pull(controller)).then(
      () => this.end(),
      () => this.serverDied(),
    )
  }

  private end(): void {
    if (this.state !== 'open' || !this.sink) return
    this.state = 'ended'
    this.witness.ended()
    this.sink.whenEmpty(() => this.travel(() => this.closed(true)))
  }

  /** The server hears that its client is gone. */
  private lose(): void {
    if (this.state === 'gone') return
    const open = this.state === 'open'
    this.state = 'gone'
    this.witness.clientGone()
    if (open) {
      this.controller.abort()
      this.upload?.error(new Error('aborted'))
      this.source?.cancel(new DOMException('The connection was closed.', 'AbortError'))
    }
    this.sink?.abandon()
  }

  private travel(arrival: () => void): void {
    this.travelling.push(arrival)
    this.client.hears(this.line.latencyMs, 'answer', () => {
      const first = this.travelling.shift()
      if (!this.clientLeft) first?.()
    })
  }

  private closed(complete: boolean): void {
    if (this.clientLeft) return
    this.clientLeft = true
    this.events.closed(complete)
  }
}

/** What waits for a client that reads at its own speed. Once written, it is the system's to deliver. */
class Sink {
  private waiting: string[] = []
  private chars = 0
  private reading: Cancel | null = null
  private whenRead: (() => void)[] = []

  constructor(
    private readonly kernel: Kernel,
    private readonly process: Process,
    private readonly line: Line,
    private readonly pass: (text: string) => void,
  ) {}

  send(text: string): void {
    this.waiting.push(text)
    this.chars += text.length
    this.read()
  }

  write(text: string): number | Promise<number> {
    this.send(text)
    return this.chars <= this.line.bufferChars ? text.length : this.drained().then(() => text.length)
  }

  drained(): Promise<number> {
    return new Promise((resolve) => this.whenEmpty(() => void this.process.hears(0, 'drained', () => resolve(0))))
  }

  get empty(): boolean {
    return this.chars === 0
  }

  whenEmpty(then: () => void): void {
    if (this.empty) then()
    else this.whenRead.push(then)
  }

  /** It reads at once what it was taking its time for. */
  readOn(): void {
    if (!this.reading) return
    this.reading()
    this.reading = null
    this.read()
  }

  /** Nobody reads any more: whoever waited goes on. */
  abandon(): void {
    this.reading?.()
    this.waiting = []
    this.chars = 0
    this.release()
  }

  private read(): void {
    if (this.reading) return
    const text = this.waiting[0]
    if (text === undefined) return this.release()
    const ms = (text.length / this.line.charsPerSecond) * 1_000
    if (ms < 0.01) {
      this.take(text)
      return this.read()
    }
    this.reading = this.kernel.after(ms, 'read', () => {
      this.reading = null
      this.take(text)
      this.read()
    })
  }

  private take(text: string): void {
    this.waiting.shift()
    this.chars -= text.length
    this.pass(text)
  }

  private release(): void {
    for (const then of this.whenRead.splice(0)) then()
  }
}
