// An answer as its client reads it, put together from events; every word is held against the truth as it comes.
import type { Truth } from '../host/emulator/oracle.ts'
import type { ChatChunk, Usage } from '../sdk/openai.ts'
import type { Ask } from './ask.ts'
import { POISON } from './wire.ts'

interface Told {
  content: string
  reasoning: string
  calls: { name: string; arguments: string }[]
  finish: string | null
  roles: number
}

interface AnyChoice {
  index: number
  delta?: ChatChunk['choices'][number]['delta']
  text?: string
  finish_reason: string | null
}

export class Story {
  readonly choices: Told[]
  /** `[DONE]` was said. */
  done = false
  /** Code of the error that ended it. */
  error: string | null = null
  usage: Usage | null = null
  /** What is wrong with it; the first thing only. */
  flaw: string | null = null
  /** The answer is complete, as far as was said. */
  get finished(): boolean {
    return this.choices.every(({ finish }) => finish !== null)
  }
  private id: string | null = null

  /**
   * `overrun` says whether some host went on past its end, which then is no lie of the hub's; `unsure`, whether nobody
   * can know what the answer should be.
   */
  constructor(
    private readonly ask: Ask,
    private readonly overrun: () => boolean,
    private readonly unsure: () => boolean,
  ) {
    this.choices = ask.truths.map(() => ({ content: '', reasoning: '', calls: [], finish: null, roles: 0 }))
  }

  get begun(): boolean {
    return this.choices.some(({ content, reasoning, calls }) => content + reasoning !== '' || calls.length > 0)
  }

  /** Some whole events. */
  push(text: string): void {
    for (const event of text.split('\n\n')) {
      if (event === '' || event.startsWith(':')) continue
      if (!event.startsWith('data: ')) return this.wrong(`an event is cut: ${event.slice(0, 80)}`)
      const payload = event.slice('data: '.length)
      if (this.done) this.wrong('something was said after [DONE]')
      if (payload === '[DONE]') this.done = true
      else this.event(JSON.parse(payload))
    }
  }

  private event(chunk: {
    id?: string
    choices?: AnyChoice[]
    usage?: Usage
    error?: { code: string; message: string }
  }): void {
    if (chunk.error) {
      this.error = chunk.error.code
      return
    }
    this.id ??= chunk.id ?? null
    if (chunk.id !== this.id) this.wrong('the id changed')
    if (chunk.usage) this.usage = chunk.usage
    for (const choice of chunk.choices ?? []) this.choice(choice)
  }

  private choice({ index, delta, text, finish_reason: finish }: AnyChoice): void {
    const told = this.choices[index]
    const truth = this.ask.truths[index]
    if (!told || !truth) return this.wrong(`nobody asked for choice ${index}`)
    if (told.finish !== null) return this.wrong('a choice went on after its finish')
    if (delta?.role && ++told.roles > 1) this.wrong('a role was said twice')
    const content = delta?.content ?? text ?? ''
    this.follows('content', truth.text, told.content, content)
    told.content += content
    const reasoning = delta?.reasoning ?? ''
    this.follows('reasoning', truth.reasoning, told.reasoning, reasoning)
    told.reasoning += reasoning
    for (const call of delta?.tool_calls ?? []) {
      const known = (told.calls[call.index] ??= { name: '', arguments: '' })
      known.name += call.function?.name ?? ''
      known.arguments += call.function?.arguments ?? ''
      const wanted = truth.toolCalls[call.index]?.arguments ?? ''
      const isMore = this.overrun() && known.arguments.startsWith(wanted)
      if (!wanted.startsWith(known.arguments) && !isMore && !this.unsure()) this.wrong(`a call says ${known.arguments}`)
    }
    if (finish === null) return
    told.finish = finish
  }

  private follows(what: string, truth: string, before: string, more: string): void {
    if (more === '' || truth.startsWith(more, before.length)) return
    if (this.unsure() && !more.includes(POISON)) return
    // The truth may end within a character, which whoever goes on completes.
    const rest = truth.slice(before.length).replace(/\uFFFD+$/, '')
    if (more.startsWith(rest) && this.overrun() && !more.includes(POISON)) return
    const why = more.includes(POISON) ? 'a superseded attempt was heard' : `${what} is not what the model said`
    this.wrong(`${why}: after ${JSON.stringify(before.slice(-30))} came ${JSON.stringify(more)}`)
  }

  wrong(what: string): void {
    this.flaw ??= what
  }
}

/** Whether a whole choice is exactly the truth. */
export function isWhole(told: Pick<Told, 'content' | 'reasoning' | 'calls'>, truth: Truth): boolean {
  if (told.content !== truth.text || told.reasoning !== truth.reasoning) return false
  if (told.calls.length !== truth.toolCalls.length) return false
  return told.calls.every(
    (call, at) => call.name === truth.toolCalls[at]!.name && call.arguments === truth.toolCalls[at]!.arguments,
  )
}
