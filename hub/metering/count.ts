// Counting the tokens of one request. The hub's own count decides; what a host says can only lower it.
import type { TokenizerName } from '../catalog/records.ts'
import type { Chat } from './template.ts'
import { loadTokenizer, type ModelTokenizer } from './tokenizers.ts'

export type Prompt =
  | { kind: 'chat'; chat: Chat }
  | { kind: 'text'; text: string }
  | { kind: 'ids'; ids: readonly number[] }

export interface PromptCount {
  tokens: number
}

/** An answer as the client saw it, put together from all chunks, and what the host said about it. */
export interface Answer {
  content: string
  reasoning: string
  toolCalls: readonly { name: string; arguments: string }[]
  /** The token ids the host says it produced; null: it does not say. */
  ids: readonly number[] | null
  /** Completion tokens in the host's `usage`; null: it claimed none. */
  claimed: number | null
}

export interface AnswerCount {
  /** What is billed: the smaller of both counts. */
  completion: number
  /** The hub's own count. */
  hub: number
  /** Host and hub disagree by more than sampling can explain. Not a proof of fraud: engines have bugs too. */
  flagged: boolean
}

/** What a parser takes out of a raw answer around each field, generously. */
const MARKUP_TOKENS = 24
const MARKUP_SHARE = 0.25

/** @throws TemplateError when the conversation does not fit the model's template. */
export function countPrompt(name: TokenizerName, prompt: Prompt): PromptCount {
  if (prompt.kind === 'ids') return { tokens: prompt.ids.length }
  const tokenizer = loadTokenizer(name)
  return { tokens: prompt.kind === 'chat' ? tokenizer.countChat(prompt.chat) : tokenizer.countText(prompt.text) }
}

/** The prompt as the model reads it, template included. @throws TemplateError as `countPrompt` */
export function promptIds(name: TokenizerName, prompt: Prompt): readonly number[] {
  if (prompt.kind === 'ids') return prompt.ids
  const tokenizer = loadTokenizer(name)
  return prompt.kind === 'chat' ? tokenizer.chatPrompt(prompt.chat) : tokenizer.textPrompt(prompt.text)
}

/**
 * Text is encoded once, as a whole: adding up the encodings of its chunks would count a quarter too many. The mark that
 * ends an answer is not text and is never billed.
 */
export function countAnswer(name: TokenizerName, answer: Answer): AnswerCount {
  const hub = hubCount(loadTokenizer(name), answer)
  const honest = answer.claimed === null || (Number.isSafeInteger(answer.claimed) && answer.claimed >= 0)
  const host = honest ? (answer.claimed ?? answer.ids?.length ?? hub) : hub
  return {
    completion: Math.min(host, hub),
    hub,
    flagged: !honest || Math.abs(host - hub) > Math.max(2, hub * 0.01) + unseen(answer),
  }
}

/** Marks around thoughts and calls, as far as an engine that shows no ids may have made them. They are not billed. */
function unseen(answer: Answer): number {
  return isPlain(answer) || answer.ids ? 0 : markupTokens(answer)
}

function markupTokens({ toolCalls }: Answer): number {
  return MARKUP_TOKENS * (1 + toolCalls.length)
}

/** Never less than `countPrompt(…).tokens`, and much cheaper: no token is shorter than a byte. */
export function promptAtMost(prompt: Prompt): number {
  if (prompt.kind === 'ids') return prompt.ids.length
  if (prompt.kind === 'text') return 1 + 3 * prompt.text.length
  const { messages, tools } = prompt.chat
  const toolChars = tools ? 1_024 + JSON.stringify(tools).length * 2 : 0
  return 64 + 64 * messages.length + 3 * toolChars + 3 * JSON.stringify(messages).length
}

/** Roughly how much work counting is, in characters. */
export function promptChars(prompt: Prompt): number {
  if (prompt.kind === 'ids') return 0
  if (prompt.kind === 'text') return prompt.text.length
  const { messages, tools } = prompt.chat
  let chars = tools && tools.length > 0 ? JSON.stringify(tools).length : 0
  for (const { content } of messages)
    chars +=
      typeof content === 'string' ? content.length : (content ?? []).reduce((sum, part) => sum + part.text.length, 0)
  return chars
}

export function answerChars(answer: Answer): number {
  const calls = answer.toolCalls.reduce((chars, call) => chars + call.name.length + call.arguments.length, 0)
  return answer.content.length + answer.reasoning.length + calls + (isPlain(answer) ? 0 : (answer.ids?.length ?? 0))
}

function hubCount(tokenizer: ModelTokenizer, answer: Answer): number {
  const fields = [answer.reasoning, answer.content, ...answer.toolCalls.flatMap((call) => [call.name, call.arguments])]
  const visible = fields.reduce((tokens, field) => tokens + (field === '' ? 0 : tokenizer.countAnswer(field)), 0)
  if (!answer.ids) return visible
  // A text that a stop string cuts inside a word takes a token more to write than the model took to say it.
  if (isPlain(answer)) return Math.min(visible, answer.ids.length)
  // The raw answer has markup around the fields. It counts when it is what the client saw, and little more: a host
  // must not be paid for tokens that nobody was shown.
  const raw = tokenizer.decode(answer.ids)
  const letters = withoutSpace(raw)
  if (!fields.every((field) => letters.includes(withoutSpace(field)))) return visible
  const markup = markupTokens(answer) + Math.floor(visible * MARKUP_SHARE)
  return Math.min(tokenizer.countAnswer(raw), visible + markup)
}

function isPlain(answer: Answer): boolean {
  return answer.reasoning === '' && answer.toolCalls.length === 0
}

/** Parsers write JSON anew, with other spaces. */
function withoutSpace(text: string): string {
  return text.replace(/\s+/g, '')
}
