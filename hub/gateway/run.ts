// One admitted request, from its hold to its single end: completed, cancelled or failed.
import { Halt } from '../../sdk/env.ts'
import { charge, type Money, type Price, usdNumber } from '../../sdk/money.ts'
import type { AnswerFacts, Usage } from '../../sdk/openai.ts'
import type { ErrorCode } from '../../sdk/codes.ts'
import { asHubError, assert, HubError } from '../errors.ts'
import { tokenizerOf } from '../catalog/find.ts'
import type { Bearer } from '../identity/keyring.ts'
import type { Ended, Hold } from '../ledger/ledger.ts'
import type { Seat } from '../routing/turns.ts'
import type { Admission } from './admit.ts'
import { Answer, hasText } from './answer.ts'
import type { Ask } from './ask.ts'
import { answer, Cancelled, type Finisher } from './attempts.ts'
import { Course } from './course.ts'
import type { Claim, Piece } from './engine.ts'
import type { Leave, Paid } from './enter.ts'
import type { Gateway } from './gateway.ts'
import { type AnswerHead, type Shape, shapes } from './shape.ts'
import { traitsOf } from './traits.ts'

interface Given {
  id: string
  bearer: Bearer
  ask: Ask
  admission: Admission
  hold: Hold
  /** False: the client wants one host's answer or none. */
  failover: boolean
  /** Gives back the place among the running requests. */
  leave: Leave
}

export interface Bill {
  usage: Usage
  facts: AnswerFacts
  cost: Money
}

/** Where an answer goes as it comes. */
export interface Listener {
  /** Gets every piece that belongs to the answer, in order. */
  piece(piece: Piece): void
  /** Calls back as soon as all that was passed on is taken. */
  whenTaken(then: () => void): void
}

const NOTHING = { prompt: 0, completion: 0 }

export class Run {
  readonly price: Price
  readonly precision: string
  readonly shape: Shape
  readonly head: AnswerHead
  readonly includeUsage: boolean
  /** Who is answering just now. */
  seat: Seat | null = null
  attempts = 0
  private resumed = 0
  private answer: Answer | null = null
  private readonly at: number
  private readonly startedAt: number
  private readonly stop = new Halt()
  private firstTokenMs: number | null = null
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
  }

  /** What has been said, by choice. */
  get choices(): Answer['choices'] {
    return this.answer?.choices ?? []
  }

  /** The client hung up; or, with a reason, the hub cannot go on with it. */
  abort(reason?: HubError): void {
    this.stop.abort(reason)
  }

  /** Runs the attempt loop. @throws HubError when no host could answer, Cancelled when the client hung up. */
  async run(listener: Listener): Promise<Finisher> {
    const { hub, given } = this
    const { id: requestId, ask, admission, failover, bearer } = given
    const { offer, maxTokens } = admission
    const traits = traitsOf(ask)
    const { raw } = offer.model
    this.answer = new Answer({
      ...{ n: ask.n, maxTokens, traits, failover },
      whole: !ask.stream,
      readsThoughts: raw !== undefined,
      count: (text, most) => hub.meter.firstTokens(tokenizerOf(offer), text, most),
      pass: (piece) => listener.piece(piece),
      tooLarge: () => hub.log.info('answer is too large to go on elsewhere', { request: requestId }),
    })
    const course = new Course(hub, {
      ...{ requestId, ask, admission, traits, failover },
      account: bearer.account,
      answer: this.answer,
    })
    return answer({
      ...{ env: hub.env, awake: hub.awake, log: hub.log, health: hub.health, requestId, course },
      answer: this.answer,
      limits: {
        attempts: hub.config.attempts,
        firstTokenMs: hub.config.firstTokenSeconds * 1_000,
        lifetimeMs: hub.config.streamMinutes * 60_000,
      },
      signal: this.stop,
      answering: (seat, attempt) => {
        this.seat = seat
        this.attempts = attempt
        if (seat) this.firstTokenMs ??= Math.round(hub.env.mono() - this.startedAt)
      },
      whenTaken: (then) => listener.whenTaken(then),
    })
  }

  /** Counts, settles, and says what to tell the client. Durable when it resolves: only then may the end be sent. */
  async complete({ seat, attempts, resumed, claim }: Finisher): Promise<Bill> {
    this.seat = seat
    this.attempts = attempts
    this.resumed = resumed
    return this.charge('completed', claim)
  }

  /** Ends a run that cannot complete: what went wrong decides what is billed. `unwritten` never reached the client. */
  async giveUp(error: unknown, unwritten: Piece[]): Promise<void> {
    if (this.over) return
    if (!(error instanceof Cancelled)) return this.endFree('failed', asHubError(error).code)
    this.answer?.onlyPassed()
    for (const piece of unwritten) this.answer?.forget(piece)
    // The client hung up: it pays for the prompt and the tokens written to it, or for nothing if there were none. Between
    // two hosts nobody is there to be paid: the one that spoke has failed.
    if (this.given.ask.stream && this.seat && this.choices.some(hasText)) await this.chargeCancelled()
    else this.endFree('cancelled', null)
  }

  /** Nobody is there any more to be told. What cannot be counted, or not be charged just now, is free. */
  private async chargeCancelled(): Promise<void> {
    try {
      await this.charge('cancelled', { prompt: null, completion: null })
    } catch (error) {
      if (!this.over) this.endFree('failed', asHubError(error).code)
      if (!(error instanceof HubError)) throw error
    }
  }

  private endFree(state: 'failed' | 'cancelled', code: ErrorCode | null): void {
    this.over = true
    this.given.leave()
    this.hub.ledger.release(this.given.hold)
    this.hub.ledger.record({ ...this.ended(state), errorCode: code })
    this.report(state, NOTHING, 0n, code)
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
    } catch (error) {
      // The ledger writes it down as failed.
      this.report('failed', NOTHING, 0n, asHubError(error).code)
      throw error
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
      resumed: this.resumed,
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
      resumed: this.resumed,
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
      resumed: this.resumed,
      firstTokenMs: this.firstTokenMs,
      ms: Math.round(this.hub.env.mono() - this.startedAt),
      code,
    })
  }
}
