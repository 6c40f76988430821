// One answer as it comes about, from however many hosts: what has been said, what of it is passed on already, and where
// it ends. Every host's words go through here, and none gets past the limits of the request.
import { EngineError, type Piece } from './engine.ts'
import { type Count, Limit } from './limit.ts'
import type { RawReader } from './raw.ts'
import { emptyChoice, type Folded, fold, sizeOf, toolCallDeltas, unfold } from './shape.ts'
import { charsOfBegunStop, firstStop } from './stops.ts'
import type { Traits } from './traits.ts'

/** What a stream keeps so that another host can go on with it. Beyond it, none can. */
export const MOST_KEPT_BYTES = 256 * 1024
/** `<think>` and a line's end, or all of a call of a tool up to its arguments. */
const MOST_MARKS = 32
const BYTES_PER_CHAR = 2
const BYTES_PER_ID = 8
/** Text grows out of many small strings. Written out now and then, an answer takes a third of the memory. */
const WRITE_OUT_EVERY = 64

interface Options {
  n: number
  maxTokens: number
  traits: Traits
  /** Whether another host could go on with thoughts; if none can, they wait until the answer proper begins. */
  readsThoughts: boolean
  /** The client waits for the whole, and sees nothing before. */
  whole: boolean
  /** Another host may go on with it, and so some of it is held back. */
  failover: boolean
  count: Count
  /** Gets every piece that is passed on, in order. */
  pass(piece: Piece): void
  /** It has grown too large for another host to go on with. */
  tooLarge(): void
}

interface Choice extends Folded {
  /** As the hosts reported them; null: one did not. */
  ids: number[] | null
  /** The end of what was heard, as far as a stop string could begin in it. Not part of `content` yet. */
  tail: string
  /** How far it was passed on when the rest began to be held back; null: nothing is. */
  passed: { content: number; reasoning: number; ids: number } | null
  limit: Limit
}

export class Answer {
  choices: Choice[] = []
  /** The client has seen something of it. */
  visible = false
  /** False: it grew too large to go on with elsewhere. */
  kept = true
  /** The hub ended it: nothing more is wanted of the host. */
  cut = false
  /** What may not be passed on until the end, or until the answer proper follows the thoughts. */
  private holding: 'nothing' | 'thoughts' | 'everything' = 'nothing'
  private keptBytes = 0
  private pieces = 0

  constructor(private readonly options: Options) {
    this.restart()
  }

  get finished(): boolean {
    return this.choices.every(({ finish }) => finish !== null)
  }

  /** Nothing was said that a client would see. */
  get blank(): boolean {
    return this.choices.every((choice) => !hasText(choice))
  }

  /** Nothing was said, though there was room for more than the marks that an answer may begin with unseen. */
  get mute(): boolean {
    const cutShort = this.options.maxTokens <= MOST_MARKS && this.choices.every(({ finish }) => finish === 'length')
    return this.blank && !cutShort
  }

  /** The engine says that it ended where it wanted to. */
  get stopped(): boolean {
    return this.choices.every(({ finish }) => finish === 'stop')
  }

  /** Takes what a host said. @throws EngineError when no engine would say it. */
  take(said: Piece): void {
    const choice = this.choices[said.index]!
    if (choice.finish !== null) return
    const piece = this.upToStop(choice, this.upToLimit(choice, said))
    this.holdBack(piece)
    this.add(choice, piece)
    if (piece.finish !== null && choice.toolCalls.some(({ name }) => name === ''))
      throw new EngineError('garbage', 'a call of a tool has no name')
    if (choice.passed === null) this.pass(piece)
    else if (this.mayRelease(piece)) this.release()
  }

  /** Nobody has seen anything of it: from the beginning. */
  restart(): void {
    const { n, maxTokens, count } = this.options
    this.holding = this.firstHolding()
    this.choices = Array.from({ length: n }, () => ({
      ...emptyChoice(),
      ids: this.kept ? [] : null,
      tail: '',
      passed: this.holding === 'nothing' ? null : { content: 0, reasoning: 0, ids: 0 },
      limit: new Limit(maxTokens, count),
    }))
    this.keptBytes = 0
  }

  /** The host is gone, and with it what nobody was shown, but for the beginning of what may be a stop string. */
  lost(): void {
    for (const choice of this.choices) {
      if (choice.passed) this.backToPassed(choice, choice.passed)
      choice.finish = null
    }
  }

  /** The client is gone: what was not passed on was never said. */
  onlyPassed(): void {
    this.lost()
    for (const choice of this.choices) choice.tail = ''
  }

  /** Takes back a piece that was passed on and yet never reached the client. */
  forget(piece: Piece): void {
    const choice = this.choices[piece.index]!
    unfold(choice, piece)
    if (piece.ids) choice.ids?.splice(choice.ids.length - piece.ids.length)
  }

  /** Another host goes on after `text`: what was heard, and perhaps a little more that the last one had held back. */
  goOn({ text, ids, tokens }: { text: string; ids: number[] | null; tokens: number }): void {
    const choice = this.choices[0]!
    const pending = text.slice(choice.content.length)
    // A copy: whoever asked may need to know later what was said by now.
    choice.ids = ids && [...ids]
    choice.tail = ''
    choice.limit.goOn(tokens)
    if (pending === '') return
    const piece = this.upToStop(choice, { ...SILENCE, content: pending, ids: [] })
    this.add(choice, piece)
    this.pass(piece)
  }

  /** All tokens asked for were said; only the host's last word is missing, and what `raw` still holds. */
  finish(raw: RawReader | null): void {
    const end: Piece = { ...SILENCE, ids: [], finish: 'length' }
    this.take(raw ? raw.read(end) : end)
  }

  private firstHolding(): 'nothing' | 'thoughts' | 'everything' {
    const { whole, failover, traits, readsThoughts } = this.options
    if (whole || !failover) return 'nothing'
    if (traits.structured) return 'everything'
    return readsThoughts ? 'nothing' : 'thoughts'
  }

  private upToLimit(choice: Choice, piece: Piece): Piece {
    const before = choice.tail === '' ? choice : { ...choice, content: choice.content + choice.tail }
    const within = choice.limit.within(before, piece)
    if (within !== piece) this.cut = true
    return within
  }

  private upToStop(choice: Choice, piece: Piece): Piece {
    const { stops } = this.options.traits
    if (stops.length === 0) return piece
    const text = choice.tail + piece.content
    const at = firstStop(text, stops)
    if (at >= 0) {
      choice.tail = ''
      this.cut ||= piece.finish === null
      return { ...piece, content: text.slice(0, at), toolCalls: null, finish: 'stop' }
    }
    const begun = piece.finish === null && !piece.toolCalls ? charsOfBegunStop(text, stops) : 0
    choice.tail = text.slice(text.length - begun)
    return { ...piece, content: text.slice(0, text.length - begun) }
  }

  /** Once a call of a tool begins, all that follows waits until the answer is complete. */
  private holdBack(piece: Piece): void {
    const { whole, failover, traits } = this.options
    if (!piece.toolCalls || this.holding === 'everything' || whole || !failover || !this.kept) return
    // Nothing is gained where the answer could not be gone on with anyway.
    if (traits.several || traits.logprobs) return
    this.holding = 'everything'
    for (const choice of this.choices)
      choice.passed ??= {
        content: choice.content.length,
        reasoning: choice.reasoning.length,
        ids: choice.ids?.length ?? 0,
      }
  }

  private add(choice: Choice, piece: Piece): void {
    const size = sizeOf(piece)
    if (piece.ids && choice.ids) for (const id of piece.ids) choice.ids.push(id)
    else if (!piece.ids && size > 0) choice.ids = null
    fold(choice, piece)
    if (++this.pieces % WRITE_OUT_EVERY === 0) {
      choice.content = writtenOut(choice.content)
      choice.reasoning = writtenOut(choice.reasoning)
    }
    if (!this.kept) return
    this.keptBytes += BYTES_PER_CHAR * size + BYTES_PER_ID * (piece.ids?.length ?? 0)
    if (this.keptBytes > MOST_KEPT_BYTES) this.letGo()
  }

  private pass(piece: Piece): void {
    this.visible ||= !this.options.whole && sizeOf(piece) > 0
    this.options.pass(piece)
  }

  private mayRelease(piece: Piece): boolean {
    if (this.holding === 'everything') return this.finished || !this.kept
    return piece.content !== '' || piece.finish !== null
  }

  /** What was held back is passed on in one burst. */
  private release(): void {
    this.holding = 'nothing'
    for (const [index, choice] of this.choices.entries()) {
      const { passed } = choice
      if (!passed) continue
      choice.passed = null
      this.pass({
        index,
        content: choice.content.slice(passed.content),
        reasoning: choice.reasoning.slice(passed.reasoning),
        toolCalls: choice.toolCalls.length > 0 ? toolCallDeltas(choice.toolCalls) : null,
        logprobs: choice.logprobs,
        ids: choice.ids?.slice(passed.ids) ?? null,
        finish: choice.finish,
      })
    }
  }

  private backToPassed(choice: Choice, { content, reasoning, ids }: NonNullable<Choice['passed']>): void {
    choice.content = choice.content.slice(0, content)
    choice.reasoning = choice.reasoning.slice(0, reasoning)
    choice.toolCalls = []
    choice.logprobs = null
    choice.tail = ''
    choice.ids?.splice(ids)
    choice.passed = null
    this.holding = 'nothing'
  }

  private letGo(): void {
    this.kept = false
    for (const choice of this.choices) choice.ids = null
    this.options.tooLarge()
  }
}

/** The same text. Looking into it makes the runtime put its parts together. */
function writtenOut(text: string): string {
  return text.charCodeAt(0) >= 0 ? text : ''
}

const SILENCE: Piece = {
  index: 0,
  content: '',
  reasoning: '',
  toolCalls: null,
  logprobs: null,
  ids: null,
  finish: null,
}

export function hasText(choice: Pick<Choice, 'content' | 'reasoning' | 'toolCalls' | 'tail'>): boolean {
  return choice.content !== '' || choice.reasoning !== '' || choice.toolCalls.length > 0 || choice.tail !== ''
}
