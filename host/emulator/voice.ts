// One answer being said, token by token: what the model samples, what of it shows, and when it ends.
import { mark, TokenDecoder } from '../../sdk/wire/vocabulary.ts'
import type { Order } from './order.ts'
import { type Field, restOfThoughts, type Script, scriptFor } from './script.ts'
import { Walk } from './walk.ts'

export type Finish = 'stop' | 'length' | 'tool_calls'

/** What became visible with one token. */
export interface Step {
  /** The token, with a final end-of-answer mark among them, as vLLM reports it. */
  id: number
  shown: Shown[]
  /** The walk's draw before this token, for log probabilities. */
  draw: number
  finish: Finish | null
  stopReason: string | null
}

/** `first` is true on the first piece of a field: a tool call's name goes with it. */
export interface Shown {
  field: Field
  text: string
  first: boolean
}

const CONTENT: Field = { kind: 'content' }

export interface Model {
  seed: number
  reasons: boolean
  overGenerateTokens: number
  emptyAnswer: boolean
}

export class Voice {
  private readonly walk: Walk
  private readonly script: Script | null
  private readonly decoder = new TokenDecoder()
  private readonly most: number
  private scriptAt = 0
  private said = 0
  /** Characters shown so far, and those held back because a stop string may have begun in them. */
  private shownTo = 0
  private held = ''
  private done = false

  /** `choice` is which of `n` answers this is; each draws differently. */
  constructor(
    private readonly order: Order,
    private readonly model: Model,
    choice = 0,
  ) {
    this.walk = new Walk(model.seed + choice * 7919)
    for (const id of order.prompt) this.walk.push(id)
    const thinks = model.reasons && order.kind === 'chat'
    this.script = scriptFor(order.form, (salt) => this.walk.draw(salt), thinks) ?? this.thoughtsInPrompt()
    this.most = order.maxTokens + model.overGenerateTokens
  }

  private thoughtsInPrompt(): Script | null {
    const { prompt, kind } = this.order
    const speaks = prompt.lastIndexOf(mark.assistant)
    return this.model.reasons && kind === 'completion' && speaks >= 0 ? restOfThoughts(prompt.slice(speaks + 1)) : null
  }

  /** Says one more token; null when the answer is over. */
  next(): Step | null {
    if (this.done) return null
    const draw = this.walk.draw(5)
    const id = this.sample()
    this.walk.push(id)
    this.said++
    if (id === mark.end) return this.end({ id, draw, finish: this.script?.finish ?? 'stop', stopReason: null })
    this.held += this.decoder.push(id)
    const stop = this.firstStop()
    if (stop) {
      this.held = this.held.slice(0, this.order.includeStop ? stop.at + stop.text.length : stop.at)
      return this.end({ id, draw, finish: 'stop', stopReason: stop.text })
    }
    if (this.said >= this.most) return this.end({ id, draw, finish: 'length', stopReason: null })
    const longestStop = this.order.stops.reduce((most, text) => Math.max(most, text.length), 1)
    return { id, draw, shown: this.show(this.held.length - longestStop + 1), finish: null, stopReason: null }
  }

  private sample(): number {
    if (this.model.emptyAnswer) return mark.end
    const script = this.script
    if (script && this.scriptAt < script.ids.length) return script.ids[this.scriptAt++]!
    if (script && !script.open) return mark.end
    return this.walk.next(this.order.ignoreEnd || this.said < this.order.minTokens)
  }

  private firstStop(): { at: number; text: string } | null {
    let first: { at: number; text: string } | null = null
    for (const text of this.order.stops) {
      const at = this.held.indexOf(text)
      if (at >= 0 && (!first || at < first.at)) first = { at, text }
    }
    return first
  }

  private end(last: Omit<Step, 'shown'>): Step {
    this.done = true
    if (last.stopReason === null) this.held += this.decoder.finish()
    return { ...last, shown: this.show(this.held.length) }
  }

  /** The visible parts of the next `length` characters. */
  private show(length: number): Shown[] {
    if (length <= 0) return []
    const text = this.held.slice(0, length)
    this.held = this.held.slice(length)
    const from = this.shownTo
    this.shownTo += length
    if (!this.script) return [{ field: CONTENT, text, first: from === 0 }]
    const shown: Shown[] = []
    for (const span of this.script.spans) {
      const start = Math.max(from, span.from)
      const part = text.slice(start - from, Math.max(0, span.to - from))
      if (part !== '') shown.push({ field: span.field, text: part, first: start === span.from })
    }
    return shown
  }
}
