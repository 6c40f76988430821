// The one attempt loop: asks a host, and another when it fails, until an answer is complete or nobody is left who could
// go on with it. What the client sees of a failure is a pause.
import { type Env, sleep } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Evidence, Health } from '../routing/health.ts'
import type { Seat } from '../routing/turns.ts'
import type { Awake } from '../tunnel/awake.ts'
import type { Failure, Link } from '../tunnel/link.ts'
import type { Answer } from './answer.ts'
import { attemptOn, type Outcome } from './attempt.ts'
import type { Course, Turn } from './course.ts'
import type { Claim } from './engine.ts'

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
  signal: AbortSignal
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
const LOOK_MS = 100

/** Resolves when the answer is complete. @throws HubError, or Cancelled. */
export function answer(attempts: Attempts): Promise<Finisher> {
  return new Loop(attempts).run()
}

/** What one host said alone, and may be wrong about: that the request is at fault, or that there is nothing to say. */
interface Doubt {
  seat: Seat
  /** The engine's status; null: it said nothing, and that this was all. */
  status: number | null
  evidence: Evidence
}

class Loop {
  private readonly startedAt: number
  private readonly tried = new Map<string, Link>()
  private attempt = 0
  private resumed = 0
  private strikes = 0
  private lastFailure: Failure | null = null
  /** Who spoke last. */
  private speaker: Seat | null = null
  /** Two hosts that say the same are believed. */
  private doubt: Doubt | null = null
  /** To be asked once more, in another way. */
  private again: Seat | null = null

  constructor(private readonly on: Attempts) {
    this.startedAt = on.awake.mono()
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
      const mayReturn = !course.anybody() || this.lastFailure?.class === 'network'
      if (!mayReturn || awake.mono() >= until) throw this.nobodyLeft(next)
      await sleep(env, LOOK_MS, signal)
    }
  }

  private ask(turn: Turn): Promise<Outcome> {
    const { awake, log, health, signal, answer, course, limits, answering, whenTaken, requestId } = this.on
    const { seat, way } = turn
    this.attempt++
    this.tried.set(seat.hostId, seat.link)
    if (way !== 'restart') {
      this.resumed++
      log.info('answer goes on elsewhere', {
        request: requestId,
        host: seat.hostId,
        attempt: this.attempt,
        by: way,
        tokens: turn.baseTokens,
      })
    }
    return attemptOn(seat, this.attempt, turn.question, {
      awake,
      signal,
      patience: health.patience(seat),
      firstTokenBy: (this.speaker ? awake.mono() : this.startedAt) + limits.firstTokenMs,
      endBy: this.startedAt + limits.lifetimeMs,
      couldMove: () => course.couldMove(this.tried),
      begun: () => {
        this.speaker = seat
        answering(seat, this.attempt)
      },
      piece: (piece) => answer.take(piece),
      enough: () => answer.cut && answer.finished,
      whenTaken,
    })
  }

  /** An answer without a word is believed when two hosts give it. */
  private believes({ seat }: Turn, { tokens }: Outcome): boolean {
    const { answer } = this.on
    if (answer.blank && this.doubt?.status !== null) {
      this.settleDoubt('engine')
      this.note(seat, EMPTY)
      this.doubt = { seat, status: null, evidence: this.evidence(EMPTY, tokens) }
      return false
    }
    this.settleDoubt(answer.blank ? 'client' : 'engine')
    return true
  }

  /** One host may be wrong about whose fault it is; two are believed. @throws HubError */
  private blamed({ seat, way }: Turn, status: number): void {
    const failure = refusedBy(status)
    this.note(seat, failure)
    if (way !== 'restart') {
      // It was the hub that asked in this way, not the client.
      this.on.course.refused.add(way)
      this.again = seat
      return
    }
    const agreed = this.doubt !== null && this.doubt.status !== null
    this.settleDoubt(agreed ? 'client' : 'engine')
    this.doubt = { seat, status, evidence: this.evidence(failure, 0) }
    if (!agreed) return
    this.settleDoubt('client')
    throw clientsFault(status)
  }

  private failed(seat: Seat, failure: Failure, tokens: number): void {
    this.lastFailure = failure
    this.note(seat, failure)
    this.on.health.failed(seat, failure, this.evidence(failure, tokens))
    if (!isGone(failure)) this.strikes++
  }

  /** @throws HubError when the request has had its chances. */
  private goOnOrRefuse(): void {
    const { limits, awake } = this.on
    const spentMs = awake.mono() - this.startedAt
    if (spentMs >= limits.lifetimeMs)
      throw new HubError('upstream_timeout', 'The answer took longer than any may. Nothing was billed. Ask for less.')
    if (!this.speaker && spentMs >= limits.firstTokenMs) {
      throw new HubError('upstream_timeout', 'No host gave a first token in time. Nothing was billed. Try again.')
    }
    if (this.strikes >= limits.attempts || this.attempt >= MOST_ATTEMPTS) throw this.nobodyLeft('nobody')
  }

  private nobodyLeft(why: 'nobody' | 'cannot'): HubError {
    const { answer } = this.on
    if (this.doubt && this.doubt.status !== null) {
      const { status } = this.doubt
      this.settleDoubt('client')
      return clientsFault(status)
    }
    this.settleDoubt('engine')
    if (this.attempt === 0) {
      return new HubError(
        'no_capacity',
        'No host is free for this model right now. Nothing was billed. Try again in a few seconds.',
      )
    }
    if (answer.visible) {
      const how = why === 'cannot' ? 'an answer of this kind cannot go on elsewhere' : 'no other could go on with it'
      return new HubError(
        'upstream_error',
        `The host failed after the answer had begun, and ${how}. Nothing was billed. Try again.`,
      )
    }
    return new HubError(
      'upstream_error',
      this.attempt === 1
        ? 'The only host asked has failed. Nothing was billed. Try again.'
        : `All ${this.attempt} hosts asked have failed. Nothing was billed. Try again.`,
    )
  }

  /** Whose trouble it was in the end. */
  private settleDoubt(whose: 'client' | 'engine'): void {
    const { doubt } = this
    if (!doubt) return
    this.doubt = null
    const failure = doubt.status === null ? EMPTY : refusedBy(doubt.status)
    this.on.health.failed(doubt.seat, { ...failure, class: whose }, doubt.evidence)
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

  private note(seat: Seat, { class: whose, code, message }: Failure): void {
    const { log, requestId: request } = this.on
    log.warn('attempt failed', { request, host: seat.hostId, attempt: this.attempt, class: whose, code, message })
  }
}

const EMPTY: Failure = { class: 'engine', code: 'empty', message: 'The engine ended its answer without a word.' }

function refusedBy(status: number): Failure {
  return { class: 'engine', code: `status_${status}`, message: 'The engine refused the request.' }
}

/** The host itself went away, was busy, or was not asked at all: no sign that the request is one that breaks engines. */
function isGone({ class: whose, code }: Failure): boolean {
  return whose === 'network' || whose === 'hub' || code === 'stopping' || code.startsWith('refused:')
}

function clientsFault(status: number): HubError {
  return new HubError(
    'invalid_request',
    `The engine refused this request (${status}). Check the parameters; nothing was billed.`,
  )
}

/** What the finisher claims, with what was there before it. */
function counted({ way, baseTokens }: Turn, claim: Claim): Claim {
  if (way === 'restart') return claim
  return { prompt: null, completion: claim.completion === null ? null : baseTokens + claim.completion }
}
