// The one attempt loop: asks a host, and another when it fails, until an answer is complete or nobody is left who could
// go on with it. What the client sees of a failure is a pause.
import { type Env, type Halting, sleep } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Evidence, Health } from '../routing/health.ts'
import type { Seat } from '../routing/turns.ts'
import type { Awake } from '../tunnel/awake.ts'
import type { Failure, Link } from '../tunnel/link.ts'
import type { Answer } from './answer.ts'
import { attemptOn, type Outcome } from './attempt.ts'
import type { Course, Turn } from './course.ts'
import { Doubt, failureOf, type Saying } from './doubt.ts'
import type { Claim } from './engine.ts'
import { clientsFault, noFirstToken, tookTooLong, unanswered } from './unanswered.ts'

export interface Attempts {
  env: Env
  awake: Awake
  log: Log
  health: Health
  requestId: string
  course: Course
  answer: Answer
  limits: { attempts: number; firstTokenMs: number; lifetimeMs: number }
  /** Aborted when the client is gone; with a `HubError` as its reason when the hub must stop. */
  signal: Halting
  /** Who is answering: a seat from its first piece on, nobody between two. */
  answering: (seat: Seat | null, attempt: number) => void
  whenTaken: (then: () => void) => void
}

export interface Finisher {
  seat: Seat
  attempts: number
  /** How often the answer went on elsewhere after it had begun. */
  resumed: number
  claim: Claim
}

/** The client hung up. Not an error: the caller knows what was passed on, and that is what is paid. */
export class Cancelled extends Error {
  override name = 'Cancelled'
}

/** Hosts that may vanish under one request, on top of engines that fail it: no request asks more than this. */
const MOST_ATTEMPTS = 8
/** A host that lost its link is usually back within a second, one whose engine broke asked again after a few. */
const RETURN_MS = 8_000
const LOOK_MS = 250

/** Resolves when the answer is complete. @throws HubError, or Cancelled. */
export function answer(attempts: Attempts): Promise<Finisher> {
  return new Loop(attempts).run()
}

class Loop {
  private readonly startedAt: number
  private readonly tried = new Map<string, Link>()
  private readonly doubt: Doubt
  private attempt = 0
  private resumed = 0
  /** Failures that the request itself may be the cause of. */
  private strikes = 0
  private somebodyLost = false
  private onlyBusy = true
  /** Who spoke last. */
  private speaker: Seat | null = null
  /** To be asked once more, in another way. */
  private again: Seat | null = null

  constructor(private readonly on: Attempts) {
    this.startedAt = on.awake.mono()
    this.doubt = new Doubt(on.health)
  }

  async run(): Promise<Finisher> {
    for (;;) {
      const turn = await this.nextTurn()
      if (turn === 'finish') return this.finisher(this.speaker!, { prompt: null, completion: null })
      const outcome = await this.ask(turn)
      if (outcome.kind === 'stopped') throw this.stopped()
      if (outcome.kind === 'complete' && this.believes(turn, outcome)) {
        this.on.health.answered(turn.seat, outcome.timing)
        return this.finisher(turn.seat, counted(turn, outcome.claim))
      }
      this.on.answer.lost()
      this.on.answering(null, this.attempt)
      if (outcome.kind === 'failed') this.failed(turn.seat, outcome.failure, outcome.tokens)
      if (outcome.kind === 'blamed') this.blamed(turn, outcome.status)
      this.goOnOrRefuse()
    }
  }

  /** Waits a little where a host that is gone may come back. @throws HubError when nobody can go on. */
  private async nextTurn(): Promise<Turn | 'finish'> {
    const { env, awake, course, signal } = this.on
    const until = awake.mono() + RETURN_MS
    for (;;) {
      if (signal.aborted) throw this.stopped()
      const next = await course.next(this.tried, this.again)
      this.again = null
      if (next !== 'nobody' && next !== 'cannot') return next
      const mayReturn = this.somebodyLost || !course.anybody()
      if (!mayReturn || awake.mono() >= until) throw this.nobodyLeft(next)
      await sleep(env, LOOK_MS, signal)
    }
  }

  private ask(turn: Turn): Promise<Outcome> {
    const { awake, health, signal, answer, course, limits, answering, whenTaken } = this.on
    const { seat } = turn
    this.attempt++
    this.tried.set(seat.hostId, seat.link)
    if (turn.way !== 'restart') this.noteMove(turn)
    return attemptOn(seat, this.attempt, turn.question, {
      awake,
      signal,
      patience: health.patience(seat),
      firstTokenBy: (this.speaker ? awake.mono() : this.startedAt) + limits.firstTokenMs,
      endBy: this.startedAt + limits.lifetimeMs,
      couldMove: () => this.mayAskOneMore() && course.couldMove(this.tried),
      begun: () => {
        this.speaker = seat
        if (turn.way !== 'restart') this.resumed++
        answering(seat, this.attempt)
      },
      piece: (piece) => answer.take(piece),
      enough: () => answer.cut && answer.finished,
      whenTaken,
    })
  }

  private believes({ seat }: Turn, { tokens }: Outcome): boolean {
    if (!this.on.answer.mute) {
      this.doubt.settle('engine')
      return true
    }
    if (this.doubted('blank', seat, tokens)) return true
    if (!this.on.answer.stopped || this.on.course.couldMove(this.tried)) return false
    // Nobody is there to contradict.
    this.doubt.settle('client')
    return true
  }

  /** @throws HubError when a second host refuses it too. */
  private blamed({ seat, way }: Turn, status: number): void {
    if (way === 'restart') {
      if (this.doubted(status, seat, 0)) throw clientsFault(status)
      return
    }
    const failure: Failure = { class: 'hub', code: 'cannot_go_on', message: `The engine cannot go on by ${way}.` }
    this.noteFailure(seat, failure)
    this.on.health.failed(seat, failure, this.evidence(failure, 0))
    this.on.course.refuse(seat, way)
    this.again = seat
  }

  private doubted(saying: Saying, seat: Seat, tokens: number): boolean {
    const failure = failureOf(saying)
    this.onlyBusy = false
    this.noteFailure(seat, failure)
    return this.doubt.raise(saying, seat, this.evidence(failure, tokens))
  }

  private failed(seat: Seat, failure: Failure, tokens: number): void {
    this.somebodyLost ||= failure.class === 'network'
    this.onlyBusy &&= failure.code.startsWith('refused:')
    if (!isGone(failure)) this.strikes++
    this.noteFailure(seat, failure)
    this.on.health.failed(seat, failure, this.evidence(failure, tokens))
  }

  /** @throws HubError when the request has had its chances. */
  private goOnOrRefuse(): void {
    const { limits, awake } = this.on
    const spentMs = awake.mono() - this.startedAt
    if (spentMs >= limits.lifetimeMs) throw tookTooLong()
    if (!this.speaker && spentMs >= limits.firstTokenMs) throw noFirstToken()
    if (this.strikes >= limits.attempts || this.attempt >= MOST_ATTEMPTS) throw this.nobodyLeft('nobody')
  }

  /** Whether another could still be asked if the one that is asked now were given up. */
  private mayAskOneMore(): boolean {
    return this.strikes + 1 < this.on.limits.attempts && this.attempt < MOST_ATTEMPTS
  }

  private nobodyLeft(why: 'nobody' | 'cannot'): HubError {
    const { refusal } = this.doubt
    this.doubt.settle(refusal === null ? 'engine' : 'client')
    if (refusal !== null) return clientsFault(refusal)
    return unanswered({
      attempts: this.attempt,
      onlyBusy: this.onlyBusy,
      visible: this.on.answer.visible,
      cannot: why === 'cannot',
    })
  }

  private finisher(seat: Seat, claim: Claim): Finisher {
    return { seat, attempts: this.attempt, resumed: this.resumed, claim }
  }

  private stopped(): Error {
    const reason: unknown = this.on.signal.reason
    return reason instanceof HubError ? reason : new Cancelled()
  }

  private evidence({ message }: Failure, tokens: number): Evidence {
    return { requestId: this.on.requestId, attempt: this.attempt, tokens, message }
  }

  private noteFailure({ hostId: host }: Seat, { class: whose, code, message }: Failure): void {
    const { log, requestId: request } = this.on
    log.warn('attempt failed', { request, host, attempt: this.attempt, class: whose, code, message })
  }

  private noteMove({ seat: { hostId: host }, way: by, baseTokens: tokens }: Turn): void {
    const { log, requestId: request } = this.on
    log.info('answer goes on elsewhere', { request, host, attempt: this.attempt, by, tokens })
  }
}

/** The host itself went away, was busy, or was not asked at all: no sign that the request is one that breaks engines. */
function isGone({ class: whose, code }: Failure): boolean {
  return whose === 'network' || whose === 'hub' || code === 'stopping' || code.startsWith('refused:')
}

/** What the finisher claims, with what was there before it. */
function counted({ way, baseTokens }: Turn, claim: Claim): Claim {
  if (way === 'restart') return claim
  return { prompt: null, completion: claim.completion === null ? null : baseTokens + claim.completion }
}
