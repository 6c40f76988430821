// The one attempt loop: asks a host, and another when it fails, until an answer is complete or nobody is left to ask.
// Today a failure is hidden while nothing of the answer has been passed on; what happens after that is decided in
// `next`, which is where the continuation of a begun answer has its place.
import type { Env } from '../../sdk/env.ts'
import { WINDOW_BYTES } from '../../sdk/wire/frames.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Seat } from '../routing/turns.ts'
import type { Failure } from '../tunnel/link.ts'
import type { Ask } from './ask.ts'
import { blamesClient, type Claim, EngineError, EngineReader, type Piece } from './engine.ts'

export interface Attempts {
  env: Env
  log: Log
  requestId: string
  ask: Ask
  /** What this host's engine is asked. */
  bodyFor(seat: Seat): Uint8Array
  limits: { attempts: number; firstTokenMs: number; lifetimeMs: number }
  /** The next host whose turn it is, none of those tried. */
  nextSeat(tried: ReadonlySet<string>): Seat | null
  /** Aborted when the client is gone or the hub has heard enough. */
  signal: AbortSignal
  /** The first piece of an answer is about to be passed on. */
  begun(seat: Seat, attempt: number): void
  piece(piece: Piece): void
  /** Calls back as soon as the client has taken what was passed on: only then may the host send more. */
  whenTaken(then: () => void): void
}

export interface Finisher {
  seat: Seat
  attempts: number
  claim: Claim
}

type Outcome =
  | { kind: 'complete'; claim: Claim }
  | { kind: 'blamed'; status: number }
  | { kind: 'failed'; failure: Failure }
  | { kind: 'cancelled' }

/** The client hung up. Not an error: the caller knows what was passed on, and that is what is paid. */
export class Cancelled extends Error {
  override name = 'Cancelled'
}

/** Resolves when one host has answered completely. @throws HubError, or Cancelled when the signal was aborted. */
export async function answer(attempts: Attempts): Promise<Finisher> {
  const { env, limits } = attempts
  const startedAt = env.mono()
  const tried = new Set<string>()
  let begun = false
  let blamed: number | null = null
  const begin = (seat: Seat, attempt: number) => {
    if (!begun) attempts.begun(seat, attempt)
    begun = true
  }

  for (let attempt = 1; ; attempt++) {
    if (attempts.signal.aborted) throw new Cancelled()
    const seat = attempts.nextSeat(tried)
    if (!seat) throw nobodyLeft(tried.size, blamed)
    tried.add(seat.hostId)
    const leftMs = startedAt + limits.firstTokenMs - env.mono()
    const firstTokenMs = Math.min(leftMs, limits.firstTokenMs / Math.min(2, limits.attempts))
    const outcome = await attemptOn(seat, attempt, { ...attempts, begun: begin, limits: { ...limits, firstTokenMs } })
    if (outcome.kind === 'complete') return { seat, attempts: attempt, claim: outcome.claim }
    if (outcome.kind === 'cancelled') throw new Cancelled()
    note(attempts, seat, attempt, outcome)
    const { refusal, blame } = next({
      outcome,
      begun,
      blamed,
      attempt,
      outOfTime: env.mono() - startedAt >= limits.firstTokenMs,
      limits,
    })
    blamed = blame
    if (refusal) throw refusal
  }
}

interface Turn {
  outcome: Extract<Outcome, { kind: 'blamed' | 'failed' }>
  begun: boolean
  blamed: number | null
  attempt: number
  outOfTime: boolean
  limits: Attempts['limits']
}

/** What follows a failed attempt: a refusal for the client, or (null) another host. Pure. */
function next({ outcome, begun, blamed, attempt, outOfTime, limits }: Turn): {
  refusal: HubError | null
  blame: number | null
} {
  const blame = outcome.kind === 'blamed' ? outcome.status : blamed
  // One host may be wrong about whose fault it is; two are believed.
  if (outcome.kind === 'blamed' && blamed !== null) return { refusal: clientsFault(outcome.status), blame }
  if (begun)
    return {
      refusal: new HubError(
        'upstream_error',
        'The host failed after the answer had begun. Nothing was billed. Try again.',
      ),
      blame,
    }
  if (outOfTime)
    return {
      refusal: new HubError('upstream_timeout', 'No host gave a first token in time. Nothing was billed. Try again.'),
      blame,
    }
  if (attempt >= limits.attempts) return { refusal: nobodyLeft(attempt, blame), blame }
  return { refusal: null, blame }
}

function nobodyLeft(tried: number, blamed: number | null): HubError {
  if (blamed !== null) return clientsFault(blamed)
  if (tried === 0)
    return new HubError(
      'no_capacity',
      'No host is free for this model right now. Nothing was billed. Try again in a few seconds.',
    )
  return new HubError('upstream_error', `All ${tried} hosts asked have failed. Nothing was billed. Try again.`)
}

function clientsFault(status: number): HubError {
  return new HubError(
    'invalid_request',
    `The engine refused this request (${status}). Check the parameters; nothing was billed.`,
  )
}

function attemptOn(seat: Seat, number: number, attempts: Attempts): Promise<Outcome> {
  const { env, ask, limits, signal } = attempts
  const outcome = Promise.withResolvers<Outcome>()
  let over = false
  let status = 0
  let owedBytes = 0
  let heard = false

  const finish = (result: Outcome) => {
    if (over) return
    over = true
    cancelFirstToken()
    cancelLifetime()
    signal.removeEventListener('abort', hungUp)
    outcome.resolve(result)
  }
  const give = (failure: Failure) => {
    finish({ kind: 'failed', failure })
    attempt.cancel()
  }
  const hungUp = () => {
    finish({ kind: 'cancelled' })
    attempt.cancel()
  }
  const reader = new EngineReader(ask, (piece) => {
    if (over || !hasSubstance(piece)) return
    if (!heard) {
      heard = true
      cancelFirstToken()
      attempts.begun(seat, number)
    }
    attempts.piece(piece)
  })
  const guarded = (work: () => void) => {
    try {
      work()
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      if (error.status !== null) {
        finish({ kind: 'blamed', status: error.status })
        return attempt.cancel()
      }
      give({ class: 'engine', code: error.code, message: error.message })
    }
  }
  const credit = () => {
    if (over || owedBytes < WINDOW_BYTES / 4) return
    attempt.credit(owedBytes)
    owedBytes = 0
  }

  const cancelFirstToken = env.timer(limits.firstTokenMs, () =>
    give({ class: 'host', code: 'first_token_timeout', message: 'no first token in time' }),
  )
  const cancelLifetime = env.timer(limits.lifetimeMs, () =>
    give({ class: 'host', code: 'too_long', message: 'the answer took too long' }),
  )
  signal.addEventListener('abort', hungUp)

  const attempt = seat.link.ask(
    { path: ask.path, model: seat.name, attempt: number, body: attempts.bodyFor(seat) },
    {
      status: (code) => void (status = code),
      data(bytes) {
        if (over) return
        if (status === 200) guarded(() => reader.push(bytes))
        owedBytes += bytes.length
        attempts.whenTaken(credit)
      },
      end() {
        if (status === 200)
          guarded(() => {
            reader.end()
            finish({ kind: 'complete', claim: reader.claim })
          })
        else if (blamesClient(status)) finish({ kind: 'blamed', status })
        else
          finish({
            kind: 'failed',
            failure: { class: 'engine', code: `status_${status}`, message: 'the engine answered with an error' },
          })
      },
      failed: (failure) => finish({ kind: 'failed', failure }),
    },
  )
  if (signal.aborted) hungUp()
  return outcome.promise
}

/** Some engines greet with an empty role chunk long before their first token: that is not yet an answer. */
function hasSubstance({ content, reasoning, toolCalls, ids, finish }: Piece): boolean {
  return content !== '' || reasoning !== '' || toolCalls !== null || (ids?.length ?? 0) > 0 || finish !== null
}

function note({ log, requestId }: Attempts, seat: Seat, attempt: number, outcome: Turn['outcome']): void {
  const failure =
    outcome.kind === 'blamed'
      ? { class: 'client', code: `status_${outcome.status}`, message: 'refused by the engine' }
      : outcome.failure
  log.warn('attempt failed', {
    request: requestId,
    host: seat.hostId,
    attempt,
    class: failure.class,
    code: failure.code,
    message: failure.message,
  })
}
