// An answer as server-sent events, each sent as it comes.
import { type Cancel, Halt, sleep } from '../../sdk/env.ts'
import { asHubError, errorBody } from '../errors.ts'
import { Cancelled } from './attempts.ts'
import type { Call } from './complete.ts'
import { IDLE_SECONDS } from './connection.ts'
import type { Piece } from './engine.ts'
import { EventStream } from './event-stream.ts'
import type { Gateway } from './gateway.ts'
import { answerHeaders } from './headers.ts'
import { logInternal } from './log-internal.ts'
import type { Bill, Run } from './run.ts'
import { type Frame, frameOf } from './shape.ts'

/** Headers wait for the first token, so that a failure before it still has a status of its own; but never longer. */
const HEADERS_AT_LATEST_MS = 5_000
/** Proxies and clients take silence for death. */
const KEEP_ALIVE_MS = 10_000

export async function streamed(hub: Gateway, call: Call, run: Run): Promise<Response> {
  const stream = new EventStream<Piece>(() => run.abort(), {
    env: hub.env,
    stallMs: hub.config.stallSeconds * 1_000,
    ending: () => call.connection.quietFor(IDLE_SECONDS),
  })
  const writer = new Writer(run, stream)
  const ended = settleAnswer(hub, call, run, writer)

  const waited = new Halt()
  await Promise.race([writer.begun, ended, sleep(hub.env, HEADERS_AT_LATEST_MS, waited)])
  waited.abort()
  if (writer.failedEarly) {
    await run.giveUp(writer.failedEarly, [])
    hub.env.soon(() => hub.live.leave(run))
    throw writer.failedEarly
  }

  const stopKeepAlive = keepAlive(hub, stream)
  void ended.then(async (failure) => {
    stopKeepAlive()
    if (failure === null) return
    await sayFailure(hub, call, run, stream, failure)
    hub.live.leave(run)
  })
  writer.open()
  const headers = {
    ...answerHeaders(call, run),
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  }
  return new Response(stream.body, { headers })
}

/** Runs to the end of the answer; resolves to what went wrong, or null. The end is sent once the cost is settled. */
async function settleAnswer(hub: Gateway, call: Call, run: Run, writer: Writer): Promise<unknown> {
  try {
    const finisher = await run.run(writer)
    const bill = await run.complete(finisher)
    await call.first?.keep(null)
    void writer.end(bill).then((handed) => {
      // Who leaves before the last words has all the others; whom the hub cuts off pays nothing.
      if (handed || !hub.live.ended) hub.ledger.delivered(call.requestId)
      else hub.ledger.refund(call.requestId)
      hub.live.leave(run)
    })
    return null
  } catch (error) {
    writer.fail(error)
    return error
  }
}

async function sayFailure(
  hub: Gateway,
  call: Call,
  run: Run,
  stream: EventStream<Piece>,
  failure: unknown,
): Promise<void> {
  await run
    .giveUp(failure, stream.unwritten)
    .catch((error) => hub.log.error('a request could not be closed', { request: call.requestId, error: String(error) }))
  if (failure instanceof Cancelled) return
  const error = asHubError(failure)
  logInternal(hub.log, call.requestId, error)
  stream.event(errorBody(error, call.requestId))
  await stream.end()
}

/** Puts an answer into its client's format, piece by piece. */
class Writer {
  readonly begun: Promise<void>
  /** What went wrong while no header had been sent. */
  failedEarly: unknown = null
  private readonly firstPiece = Promise.withResolvers<void>()
  private readonly greeted = new Set<number>()
  private readonly frames: Frame[] = []
  private opened = false

  constructor(
    private readonly run: Run,
    private readonly stream: EventStream<Piece>,
  ) {
    this.begun = this.firstPiece.promise
  }

  piece(piece: Piece): void {
    this.firstPiece.resolve()
    this.greet(piece.index)
    if (!piece.content && !piece.reasoning && !piece.toolCalls) return
    // Nearly all pieces: only the text in it is new.
    if (!piece.reasoning && !piece.toolCalls && !piece.logprobs) {
      const { before, after } = this.frame(piece.index)
      this.stream.json(before + JSON.stringify(piece.content) + after, piece)
    } else this.stream.event(this.run.shape.piece(this.run.head, piece), piece)
    this.stream.flushSoon()
  }

  private frame(index: number): Frame {
    return (this.frames[index] ??= frameOf(this.run.shape, this.run.head, index))
  }

  whenTaken(then: () => void): void {
    // Asked for once all pieces of a frame have been passed on: they need not wait for those of other streams.
    this.stream.flush()
    this.stream.whenTaken(then)
  }

  /** The headers are on their way. */
  open(): void {
    this.opened = true
  }

  fail(error: unknown): void {
    if (!this.opened) this.failedEarly = error
  }

  end({ usage, facts }: Bill): Promise<boolean> {
    const { run, stream } = this
    const last = run.choices.length - 1
    for (const [index, { finish }] of run.choices.entries()) {
      this.greet(index)
      stream.event(run.shape.finish(run.head, index, finish ?? 'stop', index === last ? facts : null))
    }
    if (run.includeUsage) stream.event(run.shape.usage(run.head, usage))
    return stream.end()
  }

  /** The role comes once per choice, whoever answers. */
  private greet(index: number): void {
    if (this.greeted.has(index)) return
    this.greeted.add(index)
    const opening = this.run.shape.opening(this.run.head, index)
    if (opening) this.stream.event(opening)
  }
}

function keepAlive(hub: Gateway, stream: EventStream<Piece>): Cancel {
  let cancel: Cancel = () => {}
  const again = () => {
    cancel = hub.env.timer(KEEP_ALIVE_MS, () => {
      stream.comment('keep-alive')
      again()
    })
  }
  again()
  return () => cancel()
}
