// The most one choice may say. What a host says it counted is believed as long as it is plausible; where it matters the
// hub counts itself, which for an honest answer below its limit it never has to.
import type { Piece } from './engine.ts'
import { type Folded, sizeOf } from './shape.ts'

/** Tokens in a text, and the text of the first `most` of them. */
export type Count = (text: string, most: number) => { tokens: number; text: string }

/** Tokens are longer on average only where nobody counted honestly. */
const MOST_CHARS_PER_TOKEN = 16
const FREE_CHARS = 256
const USUAL_CHARS_PER_TOKEN = 4

export class Limit {
  private tokens = 0
  private chars = 0
  private believed = true

  constructor(
    private readonly most: number,
    private readonly count: Count,
  ) {}

  /** The piece, or, with the finish `length`, what of it lies within the limit. `before` is all that was said. */
  within(before: Pick<Folded, 'content' | 'reasoning' | 'toolCalls'>, piece: Piece): Piece {
    this.chars += sizeOf(piece)
    // Without ids every byte could be a token: of a rare character each is.
    this.tokens += this.believed && piece.ids ? piece.ids.length : bytesIn(piece)
    if (this.tokens <= this.most && this.chars <= this.tokens * MOST_CHARS_PER_TOKEN + FREE_CHARS) return piece
    return this.recounted(before, piece)
  }

  /** What follows comes after this many tokens. */
  goOn(tokens: number): void {
    this.tokens = tokens
    this.chars = tokens * USUAL_CHARS_PER_TOKEN
    this.believed = true
  }

  private recounted(before: Pick<Folded, 'content' | 'reasoning' | 'toolCalls'>, piece: Piece): Piece {
    const calls = [
      ...before.toolCalls.map((call) => call.name + call.arguments),
      ...(piece.toolCalls ?? []).map(callText),
    ]
    const others = [before.reasoning + piece.reasoning, ...calls].reduce((sum, text) => sum + this.tokensOf(text), 0)
    const { tokens, text } = this.count(before.content + piece.content, Math.max(0, this.most - others))
    const claimed = this.tokens
    this.tokens = tokens + others
    this.chars = this.tokens * USUAL_CHARS_PER_TOKEN
    if (this.tokens <= this.most) {
      if (claimed > this.most) this.believed = false
      return piece
    }
    const content = text.startsWith(before.content) ? text.slice(before.content.length).replace(/\uFFFD+$/, '') : ''
    const reasoning = others <= this.most ? piece.reasoning : ''
    return { ...piece, content, reasoning, toolCalls: null, ids: null, finish: 'length' }
  }

  private tokensOf(text: string): number {
    return this.count(text, Number.POSITIVE_INFINITY).tokens
  }
}

function bytesIn({ content, reasoning, toolCalls }: Piece): number {
  const calls = toolCalls ? toolCalls.map(callText).join('') : ''
  return Buffer.byteLength(content) + Buffer.byteLength(reasoning) + Buffer.byteLength(calls)
}

function callText({ function: call }: NonNullable<Piece['toolCalls']>[number]): string {
  return (call?.name ?? '') + (call?.arguments ?? '')
}
