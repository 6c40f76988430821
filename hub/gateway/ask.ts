// What a client asked for, whatever format it asked in: the part the hub reads, and the body an engine will get.
import { type ChatMessage, ChatRequest, CompletionRequest } from '../../sdk/openai.ts'
import { textOf } from '../../sdk/wire/emulated-prompt.ts'
import type { EnginePath } from '../../sdk/wire/frames.ts'
import { HubError } from '../errors.ts'
import type { Prompt } from '../metering/count.ts'
import { parser } from './body.ts'
import { assertSound } from './schema.ts'

export type Format = 'chat' | 'completion'

export interface Ask {
  format: Format
  path: EnginePath
  model: string
  stream: boolean
  includeUsage: boolean
  logprobs: boolean
  n: number
  /** Null: as many as the variant allows. */
  maxTokens: number | null
  prompt: Prompt
  /** Fields an engine gets as the client gave them, plus the prompt. */
  engine: Record<string, unknown>
  /** Of the body as it came. */
  bytes: number
}

const parseChat = parser(ChatRequest)
const parseCompletion = parser(CompletionRequest)

const SAMPLING = [
  'temperature',
  'top_p',
  'top_k',
  'min_p',
  'n',
  'stop',
  'seed',
  'presence_penalty',
  'frequency_penalty',
  'repetition_penalty',
  'logit_bias',
] as const

export function readAsk(format: Format, bytes: Uint8Array): Ask {
  const ask = format === 'chat' ? chatAsk(parseChat(bytes)) : completionAsk(parseCompletion(bytes))
  return { ...ask, bytes: bytes.length }
}

function chatAsk(request: ChatRequest): Omit<Ask, 'bytes'> {
  if (request.stream_options && !request.stream) throw streamOptionsWithoutStream()
  const messages = request.messages.map(plainMessage)
  const tools = request.tools?.length ? request.tools : null
  assertSoundSchemas(request)
  const engine: Record<string, unknown> = { ...given(request, SAMPLING), messages }
  if (tools) {
    Object.assign(engine, { tools, ...given(request, ['tool_choice', 'parallel_tool_calls']) })
  }
  if (request.response_format && request.response_format.type !== 'text')
    engine.response_format = request.response_format
  if (request.logprobs) Object.assign(engine, { logprobs: true, top_logprobs: request.top_logprobs ?? 0 })
  if (request.reasoning_effort) engine.reasoning_effort = request.reasoning_effort
  return {
    format: 'chat',
    path: '/v1/chat/completions',
    model: request.model,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
    logprobs: request.logprobs ?? false,
    n: request.n ?? 1,
    maxTokens: request.max_completion_tokens ?? request.max_tokens ?? null,
    prompt: { kind: 'chat', chat: { messages, tools, ...thinking(request) } },
    engine,
  }
}

function assertSoundSchemas({ tools, response_format: format }: ChatRequest): void {
  for (const [at, { function: tool }] of (tools ?? []).entries())
    if (tool.parameters) assertSound(tool.parameters, `tools.${at}.function.parameters`)
  if (format?.type === 'json_schema' && format.json_schema.schema)
    assertSound(format.json_schema.schema, 'response_format.json_schema.schema')
}

/** Engines hand `reasoning_effort` to the template as this, which changes the prompt. */
function thinking({ reasoning_effort: effort }: ChatRequest): { thinking?: boolean } {
  return effort ? { thinking: effort !== 'none' } : {}
}

/** What OpenAI's completions answer when nothing was asked for. */
const COMPLETION_MAX_TOKENS = 16

function completionAsk(request: CompletionRequest): Omit<Ask, 'bytes'> {
  if (request.stream_options && !request.stream) throw streamOptionsWithoutStream()
  const engine: Record<string, unknown> = { ...given(request, SAMPLING), prompt: request.prompt }
  if (typeof request.logprobs === 'number') engine.logprobs = request.logprobs
  return {
    format: 'completion',
    path: '/v1/completions',
    model: request.model,
    stream: request.stream ?? false,
    includeUsage: request.stream_options?.include_usage ?? false,
    logprobs: typeof request.logprobs === 'number',
    n: request.n ?? 1,
    maxTokens: request.max_tokens ?? COMPLETION_MAX_TOKENS,
    prompt:
      typeof request.prompt === 'string'
        ? { kind: 'text', text: request.prompt }
        : { kind: 'ids', ids: request.prompt },
    engine,
  }
}

/** As templates know it: the text of a message in one string, its parts on lines of their own, as vLLM has them. */
function plainMessage(message: ChatMessage): ChatMessage {
  switch (message.role) {
    case 'tool':
      return { role: 'tool', content: textOf(message.content), tool_call_id: message.tool_call_id }
    case 'assistant':
      return {
        role: 'assistant',
        content: message.content ? textOf(message.content) : (message.content ?? null),
        ...given(message, ['name', 'reasoning_content']),
        ...(message.tool_calls?.length ? { tool_calls: message.tool_calls } : {}),
      }
    default: {
      const role = message.role === 'developer' ? 'system' : message.role
      return { role, content: textOf(message.content), ...given(message, ['name']) }
    }
  }
}

/** The named fields that were given: absent and null are the same to OpenAI, not to every engine. */
function given<T extends object, K extends keyof T>(request: T, names: readonly K[]): Partial<Pick<T, K>> {
  const kept: Partial<Pick<T, K>> = {}
  for (const name of names) if (request[name] !== undefined && request[name] !== null) kept[name] = request[name]
  return kept
}

function streamOptionsWithoutStream(): HubError {
  return new HubError('invalid_request', '\'stream_options\' is only allowed together with "stream": true.', {
    param: 'stream_options',
  })
}
