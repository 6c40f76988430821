// Most conversations are plain: people and a model in turn, text and nothing else. What a template writes around the
// texts of such a conversation depends on who speaks when, not on what is said. So it is interpreted once for each order
// of speakers, with marks in place of the texts, and from then on the texts are put in.
import { textOf } from '../../sdk/wire/emulated-prompt.ts'
import type { Chat } from './template.ts'

const MOST_SHAPES = 500
const MOST_MESSAGES = 100

/** A text no person writes: private-use characters around a number. */
const mark = (index: number) => `\uE0B0${index}\uE0B1`
const MARKS = /\uE0B0\d+\uE0B1/

export class Shapes {
  /** By order of speakers, and whether the model is to think: what is written before, between and after the texts; null: it does depend on them. */
  private readonly known = new Map<string, string[] | null>()
  private readonly watched: string[]

  constructor(
    source: string,
    private readonly interpret: (chat: Chat) => string,
  ) {
    this.watched = watchedBy(source)
  }

  /** Null: this conversation has to be interpreted. */
  render({ messages, tools, thinking }: Chat): string | null {
    if ((tools && tools.length > 0) || messages.length === 0 || messages.length > MOST_MESSAGES) return null
    let speakers = ''
    for (const message of messages) {
      if (message.role === 'tool') return null
      if (message.role === 'assistant' && (message.tool_calls?.length || message.reasoning_content)) return null
      speakers += `${message.role} `
    }
    const frame = this.frameOf(speakers, thinking)
    if (!frame) return null
    let prompt = frame[0]!
    for (let i = 0; i < messages.length; i++) {
      const text = textOf(messages[i]!.content)
      if (text === '' || this.watched.some((words) => text.includes(words))) return null
      prompt += text + frame[i + 1]!
    }
    return prompt
  }

  private frameOf(speakers: string, thinking: boolean | undefined): string[] | null {
    const key = `${speakers}${thinking ?? ''}`
    const known = this.known.get(key)
    if (known !== undefined) return known
    if (this.known.size >= MOST_SHAPES) this.known.clear()
    const frame = this.learn(speakers.trim().split(' '), thinking)
    this.known.set(key, frame)
    return frame
  }

  /** What stands around the texts, unless they are trimmed, dropped, moved or said twice. */
  private learn(speakers: string[], thinking: boolean | undefined): string[] | null {
    const written = (text: (index: number) => string): string | null => {
      try {
        const messages = speakers.map((role, index) => ({ role, content: text(index) })) as Chat['messages']
        return this.interpret({ messages, thinking })
      } catch {
        return null
      }
    }
    const prompt = written(mark)
    const frame = prompt?.split(MARKS)
    if (!frame || frame.length !== speakers.length + 1) return null
    const withTexts = (text: (index: number) => string) =>
      frame.slice(1).reduce((whole, after, index) => whole + text(index) + after, frame[0]!)
    const spaced = (index: number) => `\n \t${mark(index)}\t \n`
    return withTexts(mark) === prompt && withTexts(spaced) === written(spaced) ? frame : null
  }
}

/** Words a template looks for in what people say: `'x' in …`, `startswith('x')` and the like. */
function watchedBy(source: string): string[] {
  const literal = `'((?:[^'\\\\]|\\\\.)*)'|"((?:[^"\\\\]|\\\\.)*)"`
  const looksFor = new RegExp(
    `(?:startswith|endswith|split|replace|find|count|index)\\(\\s*(?:${literal})|(?:${literal})\\s+(?:not\\s+)?in\\s`,
    'g',
  )
  const found = [...source.matchAll(looksFor)].map(([, a, b, c, d]) => a ?? b ?? c ?? d ?? '')
  return [...new Set(found)].filter((words) => words !== '').map((words) => words.replaceAll('\\n', '\n'))
}
