// What a hub asks a host, read by somebody who knows what the client was told: whoever goes on with an answer must be
// given the whole of the prompt and of all that was said, and may say only what is left.
import { decode } from '../sdk/wire/vocabulary.ts'
import { tagIn } from './ask.ts'
import type { Visit } from './visit.ts'

interface Question {
  tag: string
  /** `whole`: from the beginning. */
  way: 'whole' | 'ids' | 'text'
  /** All ids of the prompt, where the prompt is ids. */
  ids: number[]
  /** What was said before, where it comes as text. */
  said: string
  maxTokens: number
}

interface Body {
  prompt?: string | number[]
  messages?: { role: string; content: string }[]
  continue_final_message?: boolean
  max_tokens: number
}

export function readQuestion(body: string): Question {
  const { prompt, messages, continue_final_message: goesOn, max_tokens: maxTokens } = JSON.parse(body) as Body
  if (Array.isArray(prompt)) return { tag: tagIn(decode(prompt)) ?? '', way: 'ids', ids: prompt, said: '', maxTokens }
  if (prompt !== undefined) return { ...ofText(prompt), ids: [], maxTokens }
  const said = goesOn ? (messages?.at(-1)?.content ?? '') : ''
  return { tag: tagIn(body) ?? '', way: goesOn ? 'text' : 'whole', ids: [], said, maxTokens }
}

/** A prompt in words ends where what was said begins: with the full stop of every prompt here. */
function ofText(prompt: string): Pick<Question, 'tag' | 'way' | 'said'> {
  const end = prompt.indexOf('.', prompt.lastIndexOf('#')) + 1
  const said = prompt.slice(end)
  return { tag: tagIn(prompt) ?? '', way: said === '' ? 'whole' : 'text', said }
}

export function isResumed(body: string): boolean {
  return readQuestion(body).way !== 'whole'
}

/** What is wrong with asking this now; null: nothing. `unsure`: nobody knows what the answer should be. */
export function flawOf(question: Question, { ask, story, errand }: Visit, unsure: boolean): string | null {
  const { way, ids, said, maxTokens } = question
  if (way !== 'whole' && !errand.failover) return 'its client wanted the words of one host or none'
  const truth = ask.truths[0]!
  const seen = story.choices[0]!
  if (way === 'whole')
    return story.begun && ask.body.stream ? 'the client was told something, which is not in it' : null
  const prompt = ids.slice(0, truth.prompt.length)
  if (way === 'ids' && prompt.some((id, at) => id !== truth.prompt[at])) return 'the prompt is another'
  const before = way === 'ids' ? decode(ids.slice(truth.prompt.length)) : said
  if (!unsure && !decode(truth.ids).startsWith(before) && !truth.text.startsWith(before))
    return `nobody said ${before.slice(-40)}`
  if (!before.includes(seen.content) || !before.includes(seen.reasoning.trim()))
    return `the client was told ${JSON.stringify(seen.content.slice(-40))}, it ends in ${JSON.stringify(before.slice(-40))}`
  const most = ask.body.max_tokens
  if (typeof most === 'number' && way === 'ids' && maxTokens !== most - (ids.length - truth.prompt.length))
    return `of ${most} tokens ${maxTokens} are left`
  return null
}
