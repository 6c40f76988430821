// One admitted request, from its hold to its single end: completed, cancelled or failed.
import { charge, type Money, type Price, usdNumber } from '../../sdk/money.ts'
import type { AnswerFacts, Usage } from '../../sdk/openai.ts'
import type { ErrorCode } from '../../sdk/codes.ts'
import { asHubError, assert } from '../errors.ts'
import { tokenizerOf } from '../catalog/find.ts'
import type { Bearer } from '../identity/keyring.ts'
import type { Ended, Hold } from '../ledger/ledger.ts'
import type { Seat } from '../routing/turns.ts'
import type { Admission } from './admit.ts'
import type { Ask } from './ask.ts'
import { answer, Cancelled, type Finisher } from './attempts.ts'
import { type Claim, EngineError, type Piece } from './engine.ts'
import type { Leave, Paid } from './enter.ts'
import type { Gateway } from './gateway.ts'
import { type AnswerHead, emptyChoice, type Folded, fold, type Shape, shapes, unfold } from './shape.ts'

/** An answer longer than this is nobody's wish. */
const MAX_ANSWER_CHARS = 8 * 1024 * 1024

interface Given {
  id: string
  bearer: Bearer
  ask: Ask
  admission: Admission
  hold: Hold
  /** Gives back the place among the running requests. */
  leave: Leave
}

export interface Bill {
  usage: Usage
  facts: AnswerFacts
  cost: Money
}

interface Choice extends Folded {
  ids: number[] | null
  produced: number
  cut: boolean
}

export class Run {
  readonly choices: Choice[]
  readonly price: Price
  readonly precision: string
  readonly shape: Shape
  readonly head: AnswerHead
  readonly includeUsage: boolean
  seat: Seat | null = null
  attempts = 0
  private readonly at: number
  private readonly startedAt: number
  private readonly stop = new AbortController()
  private firstTokenMs: number | null = null
  private chars = 0
  private over = false

  constructor(
    private readonly hub: Gateway,
    private readonly given: Given,
  ) {
    this.at = hub.env.now()
    this.startedAt = hub.env.mono()
    const { id, ask, admission } = given
    this.price = admission.price
    this.precision = admission.offer.variant.precision
    this.shape = shapes[ask.format]
    this.head = { id: `${this.shape.idPrefix}-${id.slice(4)}`, created: Math.floor(this.at / 1_000), model: ask.model }
    this.includeUsage = ask.includeUsage
    this.choices = Array.from({ length: ask.n }, () => ({ ...emptyChoice(), ids: [], produced: 0, cut: false }))
  }

  /** The client hung up, or nothing more is wanted. */
  abort(): void {
    this.stop.abort()
  }

  /**
   * Runs the attempt loop. `pass` gets every piece that belongs to the answer, in order.
   * @throws HubError when no host could answer, Cancelled when the run was aborted.
   */
  async answer(pass: { piece(piece: Piece): void; whenTaken(then: () => void): void }): Promise<Finisher> {
    const { hub, given } = this
    try {
      return await answer({
        env: hub.env,
        log: hub.log,
        requestId: given.id,
        ask: given.ask,
        bodyFor: (seat) => this.engineBody(seat),
        limits: {
          attempts: hub.config.attempts,
          firstTokenMs: hub.config.firstTokenSeconds * 1_000,
          lifetimeMs: hub.config.streamMinutes * 60_000,
        },
        nextSeat: (tried) => this.nextSeat(tried),
        signal: this.stop.signal,
        begun: (seat, attempt) => {
          this.seat = seat
          this.attempts = attempt
          this.firstTokenMs = Math.round(hub.env.mono() - this.startedAt)
        },
        piece: (piece) => {
          if (this.take(piece)) pass.piece(piece)
        },
        whenTaken: (then) => pass.whenTaken(then),
      })
    } catch (error) {
      // A host that writes past the limit is stopped; what it wrote up to there is the answer.
      if (error instanceof Cancelled && this.seat && this.choices.every((choice) => choice.finish !== null)) {
        return { seat: this.seat, attempts: this.attempts, claim: { prompt: null, completion: null } }
      }
      throw error
    }
  }

  /** Counts, settles, and says what to tell the client. Durable when it resolves: only then may the end be sent. */
  async complete({ seat, attempts, claim }: Finisher): Promise<Bill> {
    this.seat = seat
    this.attempts = attempts
    return this.charge('completed', claim)
  }

  /** Ends a run that cannot complete: what went wrong decides what is billed. `unwritten` never reached the client. */
  async giveUp(error: unknown, unwritten: Piece[]): Promise<void> {
    if (this.over) return
    if (!(error instanceof Cancelled)) return this.endFree('failed', asHubError(error).code)
    for (const piece of unwritten) this.forget(piece)
    // The client hung up: it pays for the prompt and the tokens written to it, or for nothing if there were none.
    if (this.given.ask.stream && this.choices.some(hasText))
      await this.charge('cancelled', { prompt: null, completion: null })
    else this.endFree('cancelled', null)
  }

  private endFree(state: 'failed' | 'cancelled', code: ErrorCode | null): void {
    this.over = true
    this.given.leave()
    this.hub.ledger.release(this.given.hold)
    this.hub.ledger.record({ ...this.ended(state), errorCode: code })
    this.report(state, { prompt: 0, completion: 0 }, 0n, code)
  }

  private async charge(state: 'completed' | 'cancelled', claim: Claim): Promise<Bill> {
    assert(this.seat && !this.over, 'a request is charged once, and only when a host answered')
    const { hub, given, seat } = this
    const counted = await this.count(claim)
    const cost = charge(this.price, counted.tokens)
    const ended = { ...this.ended(state), ...counted.record, hostId: seat.hostId }
    // From here on the ledger owns the hold, whatever happens.
    this.over = true
    let paid: Paid | undefined
    try {
      await hub.ledger.settle(given.hold, { ...ended, cost })
      paid = { state, completion: counted.tokens.completion }
    } finally {
      given.leave(paid)
    }
    this.report(state, counted.tokens, cost, null)
    const { prompt, completion } = counted.tokens
    return {
      cost,
      usage: {
        prompt_tokens: prompt,
        completion_tokens: completion,
        total_tokens: prompt + completion,
        cost: usdNumber(cost),
      },
      facts: this.facts(),
    }
  }

  /** Who answered, as this account may know it. */
  facts(): AnswerFacts {
    const { id, bearer, admission } = this.given
    return {
      request_id: id,
      host: this.hub.nameHost(this.seat?.hostId ?? '', bearer.account),
      precision: admission.offer.variant.precision,
      attempts: this.attempts,
    }
  }

  private async count(claim: Claim) {
    const { offer, promptTokens, maxTokens } = this.given.admission
    let completion = 0
    let claimed: number | null = 0
    let differ = false
    for (const choice of this.choices) {
      const said = this.choices.length === 1 ? claim.completion : null
      const counted = await this.hub.meter.countAnswer(tokenizerOf(offer), { ...choice, claimed: said })
      const own = said ?? choice.ids?.length ?? null
      completion += Math.min(counted.completion, maxTokens)
      claimed = own === null || claimed === null ? null : claimed + own
      differ ||= counted.flagged
    }
    const prompt = Math.min(promptTokens, claim.prompt ?? promptTokens)
    return {
      tokens: { prompt, completion },
      record: { promptTokens: prompt, completionTokens: completion, claimedTokens: claimed, countsDiffer: differ },
    }
  }

  /** Takes a piece into the answer. False: it lies beyond what was asked for, and nobody gets it. */
  private take(piece: Piece): boolean {
    const choice = this.choices[piece.index]!
    if (choice.cut) return false
    const size = sizeOf(piece)
    choice.produced += piece.ids?.length ?? (size > 0 ? 1 : 0)
    this.chars += size
    if (choice.produced > this.given.admission.maxTokens || this.chars > MAX_ANSWER_CHARS) return this.cut(choice)
    if (piece.ids) choice.ids?.push(...piece.ids)
    else if (size > 0) choice.ids = null
    fold(choice, piece)
    return true
  }

  private forget(piece: Piece): void {
    const choice = this.choices[piece.index]!
    unfold(choice, piece)
    if (piece.ids) choice.ids?.splice(choice.ids.length - piece.ids.length)
  }

  /** A host that writes past the limit is stopped. If it did so with its first words, it is no host to believe. */
  private cut(choice: Choice): false {
    if (!hasText(choice)) throw new EngineError('garbage', 'the answer is longer than it may be')
    choice.cut = true
    choice.finish ??= 'length'
    if (this.choices.every((each) => each.finish !== null)) this.abort()
    return false
  }

  /** Whose turn it is among the hosts whose context has room for the prompt and what was asked for. */
  private nextSeat(tried: ReadonlySet<string>): Seat | null {
    const { admission, ask } = this.given
    const least = admission.promptTokens + (ask.maxTokens === null ? 1 : admission.maxTokens)
    const excluded = new Set(tried)
    for (;;) {
      const seat = this.hub.turns.next(admission.offer.id, excluded)
      if (!seat || seat.contextTokens >= least) return seat
      excluded.add(seat.hostId)
    }
  }

  private engineBody(seat: Seat): Uint8Array {
    const { ask, admission, bearer } = this.given
    return new TextEncoder().encode(
      JSON.stringify({
        ...ask.engine,
        model: admission.offer.id,
        max_tokens: Math.min(admission.maxTokens, seat.contextTokens - admission.promptTokens),
        stream: true,
        stream_options: { include_usage: true, continuous_usage_stats: true },
        return_token_ids: true,
        cache_salt: this.hub.cacheSalt(bearer.account),
      }),
    )
  }

  private ended(state: Ended['state']): Ended {
    const { id, bearer, ask, admission } = this.given
    return {
      id,
      userId: bearer.userId,
      keyId: bearer.keyId,
      variant: admission.offer.id,
      state,
      stream: ask.stream,
      at: this.at,
      endedAt: this.hub.env.now(),
      firstTokenMs: this.firstTokenMs,
      promptTokens: 0,
      completionTokens: 0,
      claimedTokens: null,
      countsDiffer: false,
      promptPicos: this.price.prompt,
      completionPicos: this.price.completion,
      hostId: null,
      attempts: this.attempts,
      finishReason: state === 'completed' ? (this.choices[0]?.finish ?? null) : null,
      errorCode: null,
    }
  }

  private report(
    state: Ended['state'],
    tokens: { prompt: number; completion: number },
    cost: Money,
    code: ErrorCode | null,
  ): void {
    this.hub.log.info('request', {
      request: this.given.id,
      user: this.given.bearer.userId,
      model: this.given.admission.offer.id,
      state,
      prompt: tokens.prompt,
      completion: tokens.completion,
      nanos: String(cost),
      attempts: this.attempts,
      firstTokenMs: this.firstTokenMs,
      ms: Math.round(this.hub.env.mono() - this.startedAt),
      code,
    })
  }
}

function sizeOf(piece: Piece): number {
  let size = piece.content.length + piece.reasoning.length
  for (const call of piece.toolCalls ?? [])
    size += (call.function?.name?.length ?? 0) + (call.function?.arguments?.length ?? 0)
  return size
}

function hasText(choice: Folded): boolean {
  return choice.content !== '' || choice.reasoning !== '' || choice.toolCalls.length > 0
}
