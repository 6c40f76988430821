// One attempt: one host asked once, and listened to until its answer is complete, it fails, or nobody wants more.
import type { Cancel, Halting } from '../../sdk/env.ts'
import { WINDOW_BYTES } from '../../sdk/wire/frames.ts'
import type { Patience } from '../routing/health.ts'
import type { Seat } from '../routing/turns.ts'
import type { Awake } from '../tunnel/awake.ts'
import type { Attempt, AttemptEvents, Failure } from '../tunnel/link.ts'
import { blamesRequest, type Claim, EngineError, EngineReader, type Piece } from './engine.ts'
import { Gaps } from './gaps.ts'
import type { Question } from './question.ts'

export interface Ear {
  awake: Awake
  /** Aborted when the client is gone or the hub has to stop. */
  signal: Halting
  patience: Patience
  /** By the awake clock: when the request's time to a first token, and its whole time, are over. */
  firstTokenBy: number
  endBy: number
  /** Another host could be asked instead. Where none can, a slow one is waited for as long as the request's time allows. */
  couldMove(): boolean
  /** The first piece comes. */
  begun(): void
  /** @throws EngineError */
  piece(piece: Piece): void
  /** The answer has all it may have: the rest is not wanted. */
  enough(): boolean
  /** Calls back as soon as the client has taken what was passed on: only then may the host send more. */
  whenTaken(then: () => void): void
}

export interface Timing {
  firstTokenMs: number
  gapsMs: readonly number[]
}

export type Outcome = { tokens: number } & (
  | { kind: 'complete'; claim: Claim; timing: Timing }
  /** The engine refused the request itself. */
  | { kind: 'blamed'; status: number }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'stopped' }
)

/** Asks `seat`. Never rejects. */
export function attemptOn(seat: Seat, number: number, question: Question, ear: Ear): Promise<Outcome> {
  return new Promise((resolve) => new Hearing(seat, number, question, ear, resolve))
}

type Ending = Outcome extends infer O ? (O extends Outcome ? Omit<O, 'tokens'> : never) : never

class Hearing implements AttemptEvents {
  private readonly reader: EngineReader
  private readonly attempt: Attempt
  private readonly gaps = new Gaps()
  private statusCode = 0
  private tokens = 0
  private readonly askedAt: number
  private firstTokenMs: number | null = null
  /** When the host last brought the answer further, by the awake clock. */
  private heardAt: number
  private owedBytes = 0
  /** For the client to take what was passed on. */
  private waiting = false
  private clientIsBehind = false
  private over = false
  private stopWatching: Cancel = () => {}

  constructor(
    private readonly seat: Seat,
    number: number,
    question: Question,
    private readonly ear: Ear,
    private readonly resolve: (outcome: Outcome) => void,
  ) {
    this.askedAt = ear.awake.mono()
    this.heardAt = this.askedAt
    this.reader = new EngineReader(question.reads, (piece) =>
      this.hear(question.raw ? question.raw.read(piece) : piece),
    )
    this.attempt = seat.link.ask({ ...question.ask, model: seat.name, attempt: number }, this)
    this.watchIn(this.patienceMs())
    ear.signal.addEventListener('abort', this.stopped)
    if (ear.signal.aborted) this.stopped()
  }

  status(code: number): void {
    this.statusCode = code
  }

  data(bytes: Uint8Array): void {
    if (this.over) return
    if (this.statusCode === 200) this.read(() => this.reader.push(bytes))
    this.owedBytes += bytes.length
    if (this.waiting || this.over) return
    this.waiting = true
    this.ear.whenTaken(this.taken)
    // Nearly always it has taken everything already.
    this.clientIsBehind = this.waiting
  }

  end(): void {
    if (this.statusCode === 200) {
      return this.read(() => {
        this.reader.end()
        this.complete()
      })
    }
    if (blamesRequest(this.statusCode)) return this.finish({ kind: 'blamed', status: this.statusCode })
    this.fail({ class: 'engine', code: `status_${this.statusCode}`, message: 'The engine answered with an error.' })
  }

  quiet(): void {
    if (!this.over && this.ear.couldMove())
      this.giveUp({ class: 'network', code: 'quiet', message: 'The host does not answer.' })
  }

  failed(failure: Failure): void {
    this.fail(failure)
  }

  private read(work: () => void): void {
    try {
      work()
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      if (error.status !== null && this.firstTokenMs === null) return this.refused(error.status)
      this.giveUp({ class: 'engine', code: error.code, message: error.message })
    }
  }

  private hear(piece: Piece): void {
    if (this.over || !hasSubstance(piece)) return
    // The link has just looked at the clock.
    const now = this.seat.link.heardAt
    if (this.firstTokenMs === null) {
      this.firstTokenMs = now - this.askedAt
      this.stopWatching()
      this.watchIn(this.ear.patience.gapMs)
      this.ear.begun()
    } else this.gaps.add(now - this.heardAt)
    this.heardAt = now
    this.tokens += piece.ids?.length ?? 1
    this.ear.piece(piece)
    if (!this.ear.enough()) return
    this.complete()
    this.attempt.cancel()
  }

  private complete(): void {
    const timing = { firstTokenMs: this.firstTokenMs ?? 0, gapsMs: this.gaps.values }
    this.finish({ kind: 'complete', claim: this.reader.claim, timing })
  }

  private readonly taken = (): void => {
    this.waiting = false
    if (this.clientIsBehind) {
      this.clientIsBehind = false
      this.heardAt = this.ear.awake.mono()
    }
    if (this.over || this.owedBytes < WINDOW_BYTES / 4) return
    this.attempt.credit(this.owedBytes)
    this.owedBytes = 0
  }

  private readonly stopped = (): void => {
    this.finish({ kind: 'stopped' })
    this.attempt.cancel()
  }

  /** One timer for all of it, looked at now and then: a chunk only has to say that it came. */
  private watchIn(delayMs: number): void {
    this.stopWatching = this.ear.awake.timer(delayMs, () => this.look())
  }

  private look(): void {
    const now = this.ear.awake.mono()
    if (now >= this.ear.endBy) {
      return this.giveUp({ class: 'host', code: 'too_long', message: 'The answer took longer than any may.' })
    }
    const patienceMs = this.patienceMs()
    const leftMs = this.heardAt + patienceMs - now
    if (this.clientIsBehind) return this.watchIn(patienceMs)
    if (leftMs > 0) return this.watchIn(leftMs)
    if (this.mayWaitOn(now)) return this.watchIn(patienceMs)
    this.giveUp(
      this.firstTokenMs === null
        ? { class: 'host', code: 'first_token_timeout', message: 'No first token came in time.' }
        : { class: 'host', code: 'gap_timeout', message: 'No further token came in time.' },
    )
  }

  private patienceMs(): number {
    const { patience, firstTokenBy, awake } = this.ear
    if (this.firstTokenMs !== null) return patience.gapMs
    return Math.max(1, Math.min(patience.firstTokenMs, firstTokenBy - awake.mono()))
  }

  private mayWaitOn(now: number): boolean {
    if (this.ear.couldMove()) return false
    return now < (this.firstTokenMs === null ? this.ear.firstTokenBy : this.heardAt + MOST_GAP_MS)
  }

  private refused(status: number): void {
    this.finish({ kind: 'blamed', status })
    this.attempt.cancel()
  }

  private giveUp(failure: Failure): void {
    this.fail(failure)
    this.attempt.cancel()
  }

  private fail(failure: Failure): void {
    // Whatever happens after the last finish_reason, the answer is all there.
    if (this.reader.complete) this.complete()
    else this.finish({ kind: 'failed', failure })
  }

  private finish(ending: Ending): void {
    if (this.over) return
    this.over = true
    this.stopWatching()
    this.ear.signal.removeEventListener('abort', this.stopped)
    this.resolve({ ...ending, tokens: this.tokens })
  }
}

/** Where nobody else could go on, a host that fell silent in the middle gets this long. */
const MOST_GAP_MS = 30_000

/** Some engines greet with an empty role chunk long before their first token, or send one to keep a line open. */
function hasSubstance({ content, reasoning, toolCalls, ids, finish }: Piece): boolean {
  return content !== '' || reasoning !== '' || toolCalls !== null || (ids?.length ?? 0) > 0 || finish !== null
}
