// A model's raw output, read as an engine's own parsers read it: thoughts first, then the answer, then calls of tools.
// Needed where an answer goes on by token ids, which engines give back unparsed.
import type { RawForm } from '../catalog/records.ts'
import { EngineError, type Piece } from './engine.ts'
import type { Folded } from './shape.ts'

/** The text an answer's own tokens say, as far as it has come. */
export function rawText(form: RawForm | null, { reasoning, content }: Pick<Folded, 'reasoning' | 'content'>): string {
  if (reasoning === '' || !form?.thought) return content
  const { open, close } = form.thought
  const thought = open + reasoning.trimStart()
  return content === '' ? thought : thought.trimEnd() + close + content.trimStart()
}

export class RawReader {
  private phase: 'thought' | 'answer' | 'calls'
  private held: string
  private skipsSpace = false
  private produced = 0

  /**
   * `begun` is the raw text so far, `ahead` what was said after it and nobody has seen; `nameCall` gives the calls their
   * ids.
   */
  constructor(
    private readonly form: RawForm,
    private readonly options: {
      begun: string
      ahead: string
      thinking: boolean
      tools: boolean
      nameCall: (index: number) => string
    },
  ) {
    this.held = options.ahead
    this.phase = options.thinking ? 'thought' : 'answer'
    this.skipsSpace = options.begun.trimEnd().endsWith(form.thought?.close.trim() ?? '\0')
  }

  /** The same piece, with its text where it belongs. @throws EngineError */
  read(piece: Piece): Piece {
    const parts = { reasoning: '', content: '' }
    this.held += piece.content
    this.split(parts, piece.finish !== null)
    const toolCalls = piece.finish !== null && this.phase === 'calls' ? this.calls(piece.finish === 'length') : null
    const finish = toolCalls && piece.finish === 'stop' ? 'tool_calls' : piece.finish
    return { ...piece, ...parts, toolCalls, finish }
  }

  private split(parts: { reasoning: string; content: string }, last: boolean): void {
    if (this.phase === 'thought') {
      const { shown, found } = this.upTo(this.form.thought!.close.trim(), last, true)
      parts.reasoning = shown
      if (!found) return
      this.phase = 'answer'
      this.skipsSpace = true
    }
    if (this.phase === 'answer') {
      if (this.skipsSpace) this.held = this.held.trimStart()
      const mark = this.options.tools ? this.form.call?.open.trim() : undefined
      const { shown, found } = mark
        ? this.upTo(mark, last, false)
        : { shown: this.take(this.held.length), found: false }
      parts.content = shown
      if (shown !== '') this.skipsSpace = false
      if (found) this.phase = 'calls'
    }
  }

  /** What stands before `mark`. What could be its beginning is held back until it is clear. */
  private upTo(mark: string, last: boolean, withSpace: boolean): { shown: string; found: boolean } {
    const at = this.held.indexOf(mark)
    if (at >= 0) {
      const shown = this.take(at)
      this.take(mark.length)
      return { shown: withSpace ? shown.trimEnd() : shown, found: true }
    }
    if (last) return { shown: this.take(this.held.length), found: false }
    let end = this.held.length
    for (let length = Math.min(mark.length - 1, end); length > 0; length--) {
      if (!mark.startsWith(this.held.slice(-length))) continue
      end -= length
      break
    }
    if (withSpace) end = this.held.slice(0, end).trimEnd().length
    return { shown: this.take(end), found: false }
  }

  private take(length: number): string {
    const taken = this.held.slice(0, length)
    this.held = this.held.slice(length)
    return taken
  }

  /** @throws EngineError when it is no call, unless the answer was `cutShort`. */
  private calls(cutShort: boolean): NonNullable<Piece['toolCalls']> {
    const { open, close } = this.form.call!
    const blocks = this.take(this.held.length).split(open.trim())
    const calls: NonNullable<Piece['toolCalls']> = []
    for (const block of blocks) {
      const call = readCall(block.split(close.trim())[0]!)
      if (call) {
        const index = this.produced++
        calls.push({ index, id: this.options.nameCall(index), type: 'function', function: call })
      } else if (!cutShort) throw new EngineError('garbage', 'a call of a tool is malformed')
    }
    return calls
  }
}

function readCall(json: string): { name: string; arguments: string } | null {
  try {
    const call: unknown = JSON.parse(json)
    if (typeof call !== 'object' || call === null || !('name' in call) || typeof call.name !== 'string') return null
    const given = 'arguments' in call ? call.arguments : {}
    return { name: call.name, arguments: typeof given === 'string' ? given : JSON.stringify(given) }
  } catch {
    return null
  }
}
