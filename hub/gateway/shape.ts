// The two formats answers are given in. Failover, metering and money know neither.
import type {
  AnswerFacts,
  ChatChunk,
  ChatCompletion,
  ChatDelta,
  Completion,
  CompletionLogprobs,
  FinishReason,
  TokenLogprob,
  ToolCallDelta,
  Usage,
} from '../../sdk/openai.ts'
import type { Format } from './ask.ts'
import type { Piece } from './engine.ts'

/** What stays the same in every chunk of one answer. */
export interface AnswerHead {
  id: string
  created: number
  model: string
}

/** One choice, folded from its pieces. */
export interface Folded {
  content: string
  reasoning: string
  toolCalls: { id: string; name: string; arguments: string }[]
  logprobs: Piece['logprobs']
  finish: FinishReason | null
}

export interface Shape {
  idPrefix: string
  /** Sent before the first piece of a choice, or null. */
  opening(head: AnswerHead, index: number): object | null
  piece(head: AnswerHead, piece: Piece): object
  finish(head: AnswerHead, index: number, finish: FinishReason, facts: AnswerFacts | null): object
  usage(head: AnswerHead, usage: Usage): object
  whole(head: AnswerHead, choices: Folded[], usage: Usage, facts: AnswerFacts): object
}

const chat: Shape = {
  idPrefix: 'chatcmpl',
  opening: (head, index) => chatChunk(head, index, { role: 'assistant', content: '' }, null),
  piece: (head, piece) => chatChunk(head, piece.index, chatDelta(piece), null, chatLogprobsOf(piece.logprobs)),
  finish: (head, index, finish, facts) => ({
    ...chatChunk(head, index, {}, finish),
    ...(facts ? { x_gpuhub: facts } : {}),
  }),
  usage: (head, usage) => ({ ...chatChunk(head, 0, {}, null), choices: [], usage }),
  whole: (head, choices, usage, facts): ChatCompletion => ({
    ...head,
    object: 'chat.completion',
    choices: choices.map((choice, index) => ({
      index,
      message: {
        role: 'assistant',
        content: choice.content || choice.toolCalls.length === 0 ? choice.content : null,
        ...(choice.reasoning ? { reasoning: choice.reasoning, reasoning_content: choice.reasoning } : {}),
        ...(choice.toolCalls.length > 0
          ? {
              tool_calls: choice.toolCalls.map(({ id, name, arguments: json }) => ({
                id,
                type: 'function' as const,
                function: { name, arguments: json },
              })),
            }
          : {}),
        refusal: null,
      },
      logprobs: chatLogprobsOf(choice.logprobs) ?? null,
      finish_reason: choice.finish ?? 'stop',
    })),
    usage,
    x_gpuhub: facts,
  }),
}

const completion: Shape = {
  idPrefix: 'cmpl',
  opening: () => null,
  piece: (head, piece) => completionChunk(head, piece.index, piece.content, null, completionLogprobsOf(piece.logprobs)),
  finish: (head, index, finish, facts) => ({
    ...completionChunk(head, index, '', finish, null),
    ...(facts ? { x_gpuhub: facts } : {}),
  }),
  usage: (head, usage) => ({ ...completionChunk(head, 0, '', null, null), choices: [], usage }),
  whole: (head, choices, usage, facts): Completion => ({
    ...head,
    object: 'text_completion',
    choices: choices.map((choice, index) => ({
      index,
      text: choice.content,
      logprobs: completionLogprobsOf(choice.logprobs),
      finish_reason: choice.finish ?? 'stop',
    })),
    usage,
    x_gpuhub: facts,
  }),
}

export const shapes: Record<Format, Shape> = { chat, completion }

/** What stands before and after the text, the same in each piece of a choice that is nothing but text. As JSON. */
export interface Frame {
  before: string
  after: string
}

export function frameOf(shape: Shape, head: AnswerHead, index: number): Frame {
  const piece = { index, content: MARK, reasoning: '', toolCalls: null, logprobs: null, ids: null, finish: null }
  const [before = '', after = ''] = JSON.stringify(shape.piece(head, piece)).split(JSON.stringify(MARK))
  return { before, after }
}

/** Nobody's name: a private-use character. */
const MARK = '\uE0B2'

/** Adds a piece to what came before it. */
export function fold(choice: Folded, piece: Piece): void {
  choice.content += piece.content
  choice.reasoning += piece.reasoning
  for (const call of piece.toolCalls ?? []) foldToolCall(choice, call)
  if (piece.logprobs) choice.logprobs = joinLogprobs(choice.logprobs, piece.logprobs)
  if (piece.finish) choice.finish = piece.finish
}

/** Takes back the piece that was added last. */
export function unfold(choice: Folded, piece: Piece): void {
  choice.content = choice.content.slice(0, choice.content.length - piece.content.length)
  choice.reasoning = choice.reasoning.slice(0, choice.reasoning.length - piece.reasoning.length)
  for (const delta of piece.toolCalls ?? []) {
    const call = choice.toolCalls[delta.index]
    if (!call) continue
    call.name = call.name.slice(0, call.name.length - (delta.function?.name?.length ?? 0))
    call.arguments = call.arguments.slice(0, call.arguments.length - (delta.function?.arguments?.length ?? 0))
  }
}

/** Calls as one delta each, complete. */
export function toolCallDeltas(calls: Folded['toolCalls']): ToolCallDelta[] {
  return calls.map(({ id, name, arguments: json }, index) => ({
    index,
    id,
    type: 'function',
    function: { name, arguments: json },
  }))
}

/** Characters of text in it. */
export function sizeOf(piece: Pick<Piece, 'content' | 'reasoning' | 'toolCalls'>): number {
  let size = piece.content.length + piece.reasoning.length
  if (piece.toolCalls)
    for (const { function: call } of piece.toolCalls) size += (call?.name?.length ?? 0) + (call?.arguments?.length ?? 0)
  return size
}

export function emptyChoice(): Folded {
  return { content: '', reasoning: '', toolCalls: [], logprobs: null, finish: null }
}

function foldToolCall(choice: Folded, delta: ToolCallDelta): void {
  while (choice.toolCalls.length <= delta.index) choice.toolCalls.push({ id: '', name: '', arguments: '' })
  const call = choice.toolCalls[delta.index]!
  if (delta.id) call.id = delta.id
  if (delta.function?.name) call.name += delta.function.name
  if (delta.function?.arguments) call.arguments += delta.function.arguments
}

function joinLogprobs(before: Piece['logprobs'], more: NonNullable<Piece['logprobs']>): Piece['logprobs'] {
  if (!before) return more
  if ('chat' in before && 'chat' in more) before.chat.push(...more.chat)
  if ('completion' in before && 'completion' in more) {
    before.completion.tokens.push(...more.completion.tokens)
    before.completion.token_logprobs.push(...more.completion.token_logprobs)
    before.completion.top_logprobs?.push(...(more.completion.top_logprobs ?? []))
    before.completion.text_offset.push(...more.completion.text_offset)
  }
  return before
}

function chatChunk(
  head: AnswerHead,
  index: number,
  delta: ChatDelta,
  finish: FinishReason | null,
  logprobs?: { content: TokenLogprob[] },
): ChatChunk {
  const choice: ChatChunk['choices'][number] = { index, delta, finish_reason: finish }
  if (logprobs) choice.logprobs = logprobs
  return { id: head.id, object: 'chat.completion.chunk', created: head.created, model: head.model, choices: [choice] }
}

function chatDelta(piece: Piece): ChatDelta {
  const delta: ChatDelta = {}
  if (piece.content) delta.content = piece.content
  if (piece.reasoning) {
    // Clients disagree about the name; each reads only its own.
    delta.reasoning = piece.reasoning
    delta.reasoning_content = piece.reasoning
  }
  if (piece.toolCalls) delta.tool_calls = piece.toolCalls
  return delta
}

function completionChunk(
  head: AnswerHead,
  index: number,
  text: string,
  finish: FinishReason | null,
  logprobs: CompletionLogprobs | null,
): Completion {
  return {
    id: head.id,
    object: 'text_completion',
    created: head.created,
    model: head.model,
    choices: [{ index, text, logprobs, finish_reason: finish }],
  }
}

function chatLogprobsOf(logprobs: Piece['logprobs']): { content: TokenLogprob[] } | undefined {
  return logprobs && 'chat' in logprobs ? { content: logprobs.chat } : undefined
}

function completionLogprobsOf(logprobs: Piece['logprobs']): CompletionLogprobs | null {
  return logprobs && 'completion' in logprobs ? logprobs.completion : null
}
