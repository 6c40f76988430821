// Who is asked next, and what: the seat whose turn it is, and the question that takes the answer from where it stands to
// its end.
import { sleep } from '../../sdk/env.ts'
import { tokenizerOf } from '../catalog/find.ts'
import type { RawForm, TokenizerName } from '../catalog/records.ts'
import type { Agreed } from '../metering/agree.ts'
import { HubError } from '../errors.ts'
import { MeterBusyError } from '../metering/meter.ts'
import type { Seat } from '../routing/turns.ts'
import type { Link } from '../tunnel/link.ts'
import type { Admission } from './admit.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import type { Gateway } from './gateway.ts'
import { asItCame, goOnByIds, goOnByText, type Question, type Terms } from './question.ts'
import { RawReader, rawText } from './raw.ts'
import { type Broken, type Way, wayOn } from './resume.ts'
import { mostBegunChars } from './stops.ts'
import type { Traits } from './traits.ts'

export interface Turn {
  seat: Seat
  way: Exclude<Way, 'finish'>
  question: Question
  /** Tokens of the answer that the question already contains. */
  baseTokens: number
}

/** `finish`: only the end was missing, and is there now. `nobody`: there is no seat to ask. `cannot`: none can go on. */
export type Next = Turn | 'finish' | 'nobody' | 'cannot'

/** The hosts that failed, each with the link it failed on. */
export type Tried = ReadonlyMap<string, Link>

interface Options {
  requestId: string
  ask: Ask
  admission: Admission
  account: string
  traits: Traits
  failover: boolean
  answer: Answer
}

/** A count that is not to be had just now is asked for again, this often and this many times. */
const METER_RETRY_MS = 100
const METER_RETRIES = 30

const NO_SEAT = { tokenIds: false, contextTokens: 0 }
const BEST_SEAT = { tokenIds: true, contextTokens: Number.POSITIVE_INFINITY }
const NOTHING: ReadonlySet<Way> = new Set()
const SOMETHING: Agreed = { ids: [], text: '', tokens: 0 }

export class Course {
  /** Ways in which the engine of each host has refused to go on. */
  private readonly refused = new Map<string, Set<Way>>()
  /** What the answer stands at, until the next attempt; undefined: not looked at yet. */
  private stands: Agreed | null | undefined
  /** What it stood at before the attempt that was made last. */
  private stood: Agreed | null = null
  /** All that was said then. */
  private stoodAt = ''
  private readonly raw: RawForm | null
  private readonly tokenizer: TokenizerName
  private readonly variant: string

  constructor(
    private readonly hub: Gateway,
    private readonly options: Options,
  ) {
    const { offer } = options.admission
    this.raw = offer.model.raw ?? null
    this.tokenizer = tokenizerOf(offer)
    this.variant = offer.id
  }

  /** The next attempt; the answer stands where it begins. `again` is asked again, in another way. */
  async next(tried: Tried, again: Seat | null): Promise<Next> {
    // Whoever was asked and said nothing left all as it was; of the text alone less would be known than before.
    if (this.stands === undefined && this.stood && this.heard() === this.stoodAt) this.stands = this.stood
    if (this.stands === undefined) this.stands = await this.said()
    const said = this.stands
    const broken = this.broken(said)
    if (said && wayOn({ ...broken, seat: NO_SEAT }) === 'finish') {
      this.options.answer.finish(this.goOn(said))
      return 'finish'
    }
    let next: Next = 'nobody'
    for (const seat of this.candidates(tried, again)) {
      const way = wayOn({ ...broken, seat, refused: this.refused.get(seat.hostId) ?? NOTHING })
      if (way !== null && way !== 'finish') {
        this.stands = undefined
        this.stood = said
        const asked = await this.question(seat, way, said)
        this.stoodAt = this.heard()
        return { seat, way, ...asked }
      }
      next = 'cannot'
    }
    return next
  }

  /** The engine of a host would not go on this way; another's may. It has said nothing, so that all is as it was. */
  refuse({ hostId }: Seat, way: Way): void {
    this.refused.set(hostId, (this.refused.get(hostId) ?? new Set()).add(way))
    this.stands = this.stood
  }

  /** Whether a host that has not failed yet could take over now. */
  couldMove(tried: Tried): boolean {
    const { kept } = this.options.answer
    return (
      wayOn({ ...this.broken(kept ? SOMETHING : null), seat: BEST_SEAT }) !== null &&
      this.hub.turns.any(this.variant, tried)
    )
  }

  /** Whether any host serves what was asked for. */
  anybody(): boolean {
    return this.hub.turns.count(this.variant) > 0
  }

  /** What another host can go on from; null: nothing, or it is not that kind of answer. */
  private async said(): Promise<Agreed | null> {
    const { answer, traits, failover } = this.options
    const { ids } = answer.choices[0]!
    const text = this.heard()
    if (text === '' || !failover || !answer.kept || traits.several || traits.logprobs || traits.structured) return null
    const aheadChars = mostBegunChars(traits.stops)
    await this.hub.moves.turn()
    return this.patiently(() => this.hub.meter.agree(this.tokenizer, { text, ids, aheadChars }))
  }

  private broken(said: Agreed | null): Omit<Broken, 'seat'> {
    const { answer, traits, failover, ask, admission } = this.options
    const { reasoning, toolCalls } = answer.choices[0]!
    return {
      traits,
      failover,
      visible: answer.visible,
      said: {
        anything: !answer.blank,
        thoughts: reasoning !== '',
        calls: toolCalls.length > 0,
        tokens: said ? said.ids.length : null,
      },
      reads: { thoughts: !!this.raw?.thought, calls: !!this.raw?.call },
      room: {
        promptTokens: admission.promptTokens,
        maxTokens: admission.maxTokens,
        allOfIt: ask.maxTokens !== null,
      },
      refused: NOTHING,
    }
  }

  /** Hosts that have not failed come first; one that failed and has linked anew since may be asked again. */
  private *candidates(tried: Tried, again: Seat | null): Generator<Seat> {
    // It may have begun to drain meanwhile.
    if (again && !again.link.draining) yield again
    const passedOver = new Set(tried.keys())
    for (let seat = this.take(passedOver); seat; seat = this.take(passedOver)) yield seat
    for (const hostId of tried.keys()) passedOver.delete(hostId)
    for (let seat = this.take(passedOver); seat; seat = this.take(passedOver))
      if (tried.get(seat.hostId) !== seat.link) yield seat
  }

  private take(passedOver: Set<string>): Seat | null {
    const seat = this.hub.turns.next(this.variant, passedOver)
    if (seat) passedOver.add(seat.hostId)
    return seat
  }

  private async question(
    seat: Seat,
    way: Turn['way'],
    said: Agreed | null,
  ): Promise<Pick<Turn, 'question' | 'baseTokens'>> {
    const { ask, answer } = this.options
    if (way === 'restart' || !said) {
      answer.restart()
      return { question: asItCame(ask, this.terms(seat, 0)), baseTokens: 0 }
    }
    if (way === 'text') {
      const { content, tail } = answer.choices[0]!
      const text = content + tail
      answer.goOn({ text, ids: null, tokens: said.tokens })
      return { question: goOnByText(ask, text, said.ids, this.terms(seat, said.tokens)), baseTokens: said.tokens }
    }
    const prompt = await this.patiently(() => this.hub.meter.promptIds(this.tokenizer, ask.prompt))
    const raw = this.goOn(said)
    const ids = [...prompt, ...said.ids]
    return { question: goOnByIds(ask, ids, raw, this.terms(seat, said.ids.length)), baseTokens: said.ids.length }
  }

  /** The answer stands where `said` ends. @returns who reads what follows, where it comes unparsed */
  private goOn({ ids, text }: Agreed): RawReader | null {
    const { answer } = this.options
    const { content, tail } = answer.choices[0]!
    const raw = this.rawReader(text.slice(this.heard().length))
    // What the engine had held back is text, or, where it may be a thought or a mark, the reader's to tell.
    answer.goOn({ text: raw ? content + tail : text, ids, tokens: ids.length })
    return raw
  }

  private rawReader(ahead: string): RawReader | null {
    const { requestId, ask, answer, traits } = this.options
    const { reasoning, content, tail } = answer.choices[0]!
    if (!this.raw || ask.format !== 'chat' || (reasoning === '' && !traits.tools)) return null
    return new RawReader(this.raw, {
      ...{ begun: this.heard(), ahead, tools: traits.tools },
      thinking: reasoning !== '' && content + tail === '',
      nameCall: (index) => `call_${requestId.slice(4)}_${index}`,
    })
  }

  /** All that was said, as the model's own tokens say it. */
  private heard(): string {
    const { reasoning, content, tail } = this.options.answer.choices[0]!
    return rawText(this.raw, { reasoning, content: content + tail })
  }

  private terms(seat: Seat, baseTokens: number): Terms {
    const { admission, account } = this.options
    const { promptTokens, maxTokens, offer } = admission
    return {
      model: offer.id,
      maxTokens: Math.min(maxTokens, seat.contextTokens - promptTokens) - baseTokens,
      cacheSalt: this.hub.cacheSalt(account),
    }
  }

  /** The meter may be busy with other large texts: an answer that has begun waits for it. */
  private async patiently<T>(count: () => T | Promise<T>): Promise<T> {
    for (let retries = 0; ; retries++) {
      try {
        return await count()
      } catch (error) {
        if (!(error instanceof MeterBusyError)) throw error
        if (retries === METER_RETRIES) throw new HubError('no_capacity', error.message, { cause: error })
        await sleep(this.hub.env, METER_RETRY_MS)
      }
    }
  }
}
