// One attempt of one request: its body comes in, the engine is asked, the engine's bytes go out as far as the hub
// has allowed. Nothing is read from the engine that cannot be sent.
import type { Cancel, Env } from '../../sdk/env.ts'
import { encodeData, encodeJson } from '../../sdk/wire/codec.ts'
import { type Ask, type Fail, kind, MAX_PAYLOAD_BYTES, WireError } from '../../sdk/wire/frames.ts'
import { type EngineAnswer, type Engine, EngineRefusal } from '../engine/engine.ts'
import { reason } from '../errors.ts'

const MAX_DATA_BYTES = MAX_PAYLOAD_BYTES - 4
/** No hub needs more under way on one stream. */
const MAX_WINDOW_BYTES = 16 * 1024 * 1024
/** A body that is not all here by then is given up. */
const BODY_MS = 30_000
/** While the network is this far behind, the engine waits; a socket says when it has caught up only if asked. */
const BEHIND_BYTES = 4 * 1024 * 1024
const BEHIND_MS = 20

export interface StreamLink {
  env: Env
  send(frame: Uint8Array): void
  backlog(): number
  /** As `Offer.turn`. */
  turn(signal: AbortSignal): Promise<() => void>
  /** The engine has the body now. */
  bodyComplete(stream: number): void
  /** The stream is over; the hub may be told nothing more about it. */
  over(stream: number): void
  /** The engine could not be reached: worth a look at its health. */
  engineTrouble(): void
}

export class Stream {
  private readonly body: Uint8Array
  private received = 0
  private credit: number
  private answered = false
  private frames = 0
  private readonly stopped = new AbortController()
  private readonly bodyDeadline: Cancel
  private mayGoOn: (() => void) | undefined

  constructor(
    readonly id: number,
    private readonly ask: Ask,
    private readonly engine: Engine,
    private readonly link: StreamLink,
  ) {
    this.body = new Uint8Array(ask.bodyBytes)
    this.credit = Math.min(ask.windowBytes, MAX_WINDOW_BYTES)
    this.bodyDeadline = link.env.timer(BODY_MS, () => this.fail('refused', 'body_timeout', 'The body did not arrive.'))
    if (ask.bodyBytes === 0) this.start()
  }

  /** @throws WireError when more comes than was announced */
  addBody(bytes: Uint8Array): void {
    if (bytes.length > this.body.length - this.received) throw new WireError('a body is longer than announced')
    if (bytes.length === 0) return
    this.body.set(bytes, this.received)
    this.received += bytes.length
    if (this.received === this.body.length) this.start()
  }

  addCredit(bytes: number): void {
    this.credit = Math.min(this.credit + bytes, MAX_WINDOW_BYTES)
    this.mayGoOn?.()
  }

  /** Stops the engine's work and says nothing more. */
  stop(): void {
    this.bodyDeadline()
    this.stopped.abort()
    this.mayGoOn?.()
  }

  /** Gives the attempt back to the hub, which moves the request to another host. */
  fail(whose: Fail['class'], code: string, message: string): void {
    if (this.stopped.signal.aborted) return
    const failure: Fail = { attempt: this.ask.attempt, class: whose, code, message }
    this.link.send(encodeJson(this.id, kind.fail, failure))
    this.stop()
    this.link.over(this.id)
  }

  /** Before its answer begins a request can be refused; after that it can only break. */
  handBack(): void {
    if (!this.answered) this.fail('refused', 'draining', 'This host is stopping.')
    else this.fail('host', 'stopping', 'This host is stopping.')
  }

  private start(): void {
    this.bodyDeadline()
    this.link.bodyComplete(this.id)
    this.run().catch((error: unknown) => this.explain(error))
  }

  private async run(): Promise<void> {
    const { path, model, attempt } = this.ask
    const { signal } = this.stopped
    const done = await this.link.turn(signal)
    try {
      if (!signal.aborted) await this.answer(await this.engine.ask({ path, model, body: this.body }, signal), attempt)
    } finally {
      done()
    }
  }

  private async answer(answer: EngineAnswer, attempt: number): Promise<void> {
    if (this.stopped.signal.aborted) return answer.bytes.cancel()
    this.answered = true
    this.link.send(encodeJson(this.id, kind.answer, { attempt, status: answer.status }))
    await this.relay(answer)
    if (this.stopped.signal.aborted) return
    this.link.send(encodeJson(this.id, kind.end, { attempt, frames: this.frames }))
    this.stop()
    this.link.over(this.id)
  }

  private async relay(answer: EngineAnswer): Promise<void> {
    const reader = answer.bytes.getReader()
    const giveUp = () => void reader.cancel().catch(() => {})
    this.stopped.signal.addEventListener('abort', giveUp)
    while (await this.allowed()) {
      const { done, value } = await reader.read()
      if (done) return
      for (let at = 0; at < value.length && (await this.allowed()); ) {
        const length = Math.min(value.length - at, this.credit, MAX_DATA_BYTES)
        this.link.send(encodeData(this.id, this.frames++, value.subarray(at, at + length)))
        this.credit -= length
        at += length
      }
    }
  }

  /** Waits until there is credit and the network keeps up. False: the stream was stopped meanwhile. */
  private async allowed(): Promise<boolean> {
    while (!this.stopped.signal.aborted) {
      const behind = this.link.backlog() > BEHIND_BYTES
      if (this.credit > 0 && !behind) return true
      await new Promise<void>((resolve) => {
        const cancel = behind ? this.link.env.timer(BEHIND_MS, resolve) : undefined
        this.mayGoOn = () => {
          cancel?.()
          resolve()
        }
      })
      this.mayGoOn = undefined
    }
    return false
  }

  private explain(error: unknown): void {
    if (this.stopped.signal.aborted) return
    if (error instanceof EngineRefusal) return this.fail('refused', error.code, error.message)
    this.link.engineTrouble()
    this.fail('engine', this.answered ? 'cut' : 'unreachable', reason(error))
  }
}
