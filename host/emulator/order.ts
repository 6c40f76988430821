// A request as the emulated engine understands it: checked as vLLM checks it, with its prompt as token ids.
import { Value } from '@sinclair/typebox/value'
import { ChatMessage, ChatRequest } from '../../sdk/openai.ts'
import { renderConversation } from '../../sdk/wire/emulated-prompt.ts'
import { decode, encode, mark, vocabularySize } from '../../sdk/wire/vocabulary.ts'

export class EngineError extends Error {
  override name = 'EngineError'
  constructor(
    readonly status: number,
    message: string,
    readonly param: string | null = null,
  ) {
    super(message)
  }
}

type Tool = NonNullable<ChatRequest['tools']>[number]

/** What the answer must look like. `calls` are the tools the model will call, in order. */
export type Form =
  | { kind: 'text' }
  | { kind: 'json'; schema: unknown }
  | { kind: 'calls'; calls: Tool[]; named: boolean }

export interface Order {
  kind: 'chat' | 'completion'
  prompt: number[]
  form: Form
  maxTokens: number
  minTokens: number
  ignoreEnd: boolean
  stops: string[]
  includeStop: boolean
  n: number
  stream: boolean
  usage: 'none' | 'last' | 'every chunk'
  returnTokenIds: boolean
  /** How many alternatives to name per token; null: no logprobs. */
  logprobs: number | null
}

export type Path = '/v1/chat/completions' | '/v1/completions'

/** @throws EngineError as vLLM would answer. */
export function readOrder(path: Path, body: unknown, limits: { model: string; contextTokens: number }): Order {
  if (!isRecord(body)) throw new EngineError(400, 'Input should be a valid dictionary')
  if (body.model !== undefined && body.model !== null && body.model !== limits.model)
    throw new EngineError(
      404,
      `The model \`${typeof body.model === 'string' ? body.model : '?'}\` does not exist.`,
      'model',
    )
  if (body.stream_options && body.stream !== true)
    throw new EngineError(400, 'Stream options can only be defined when `stream=True`.')
  const asked = path === '/v1/chat/completions' ? readChat(body) : readCompletion(body)
  const room = limits.contextTokens - asked.prompt.length
  const wanted =
    asked.kind === 'chat'
      ? (wholeOf(body, 'max_completion_tokens') ?? wholeOf(body, 'max_tokens'))
      : (wholeOf(body, 'max_tokens') ?? 16)
  if (room <= 0 || (wanted ?? 1) > room)
    throw new EngineError(
      400,
      `This model's maximum context length is ${limits.contextTokens} tokens. However, you requested ${wanted ?? 0} output ` +
        `tokens and your prompt contains ${asked.prompt.length} input tokens. Please reduce the length of the input prompt or the number of requested output tokens.`,
    )
  const streamOptions = isRecord(body.stream_options) ? body.stream_options : {}
  return {
    ...asked,
    maxTokens: wanted ?? room,
    minTokens: wholeOf(body, 'min_tokens') ?? 0,
    ignoreEnd: body.ignore_eos === true,
    stops: stopsOf(body.stop),
    includeStop: body.include_stop_str_in_output === true,
    n: wholeOf(body, 'n') ?? 1,
    stream: body.stream === true,
    usage: !streamOptions.include_usage ? 'none' : streamOptions.continuous_usage_stats ? 'every chunk' : 'last',
    returnTokenIds: body.return_token_ids === true,
  }
}

type Asked = Pick<Order, 'kind' | 'prompt' | 'form' | 'logprobs'>

function readChat(body: Record<string, unknown>): Asked {
  if (!Value.Check(ChatRequest.properties.messages, body.messages))
    throw new EngineError(400, 'messages: Input should be a valid list of messages', 'messages')
  const messages: ChatMessage[] = body.messages
  const addGenerationPrompt = body.add_generation_prompt !== false
  const continueFinalMessage = body.continue_final_message === true
  if (addGenerationPrompt && continueFinalMessage)
    throw new EngineError(400, 'Cannot set both `continue_final_message` and `add_generation_prompt` to True.')
  const last = messages.at(-1)!
  if (continueFinalMessage && last.role === 'assistant' && (last.tool_calls ?? []).length > 0)
    throw new EngineError(400, 'Cannot continue an assistant message that contains tool calls.')
  const tools = readTools(body)
  return {
    kind: 'chat',
    prompt: renderConversation({ messages, tools, addGenerationPrompt, continueFinalMessage }),
    form: callsOf(body, tools, last) ?? formatOf(body.response_format),
    logprobs: body.logprobs === true ? (wholeOf(body, 'top_logprobs') ?? 0) : null,
  }
}

function readCompletion(body: Record<string, unknown>): Asked {
  const { prompt } = body
  const ids = Array.isArray(prompt) ? prompt : null
  if (typeof prompt !== 'string' && (!ids || ids.length === 0 || !ids.every((id) => Number.isInteger(id))))
    throw new EngineError(400, 'Either prompt or prompt_embeds must be provided and non-empty.', 'prompt')
  if (ids?.some((id) => id < 0 || id >= vocabularySize()))
    throw new EngineError(400, 'Token id is out of vocabulary', 'prompt')
  return {
    kind: 'completion',
    prompt: ids ?? [mark.start, ...encode(String(prompt))],
    form: formatOf(body.response_format),
    logprobs: wholeOf(body, 'logprobs'),
  }
}

function readTools(body: Record<string, unknown>): Tool[] | undefined {
  if (body.tools === undefined || body.tools === null) {
    if (body.tool_choice && body.tool_choice !== 'none' && body.tool_choice !== 'auto')
      throw new EngineError(400, 'When using `tool_choice`, `tools` must be set.', 'tool_choice')
    return undefined
  }
  if (!Value.Check(ChatRequest.properties.tools, body.tools) || !body.tools || body.tools.length === 0)
    throw new EngineError(400, 'tools: Input should be a non-empty list of function tools', 'tools')
  return body.tools
}

/**
 * The tools the model decides to call. With `tool_choice` `required` or a name: that one. Else when the last message is
 * the user's and names tools ("use get_weather"): those it names, in its order; when it says "use a tool": the first.
 */
function callsOf(body: Record<string, unknown>, tools: Tool[] | undefined, last: ChatMessage): Form | null {
  if (!tools || body.tool_choice === 'none') return null
  const one = body.parallel_tool_calls === false
  const choice = body.tool_choice
  if (isRecord(choice) && isRecord(choice.function)) {
    const { name } = choice.function
    const tool = tools.find((candidate) => candidate.function.name === name)
    if (!tool) throw new EngineError(400, `Tool '${String(name)}' has not been passed in \`tools\`.`, 'tool_choice')
    return { kind: 'calls', calls: [tool], named: true }
  }
  const text = last.role === 'user' ? decode(renderConversation({ messages: [last] })).toLowerCase() : ''
  const named = tools
    .map((tool) => ({ tool, at: text.indexOf(tool.function.name.toLowerCase()) }))
    .filter(({ at }) => at >= 0)
    .sort((a, b) => a.at - b.at)
    .map(({ tool }) => tool)
  if (named.length === 0 && (choice === 'required' || text.includes('use a tool'))) named.push(tools[0]!)
  return named.length === 0 ? null : { kind: 'calls', calls: one ? named.slice(0, 1) : named, named: false }
}

const ANY_OBJECT = { type: 'object', properties: { answer: { type: 'string' } } }

function formatOf(format: unknown): Form {
  if (!isRecord(format) || format.type === 'text') return { kind: 'text' }
  if (format.type === 'json_object') return { kind: 'json', schema: ANY_OBJECT }
  if (format.type === 'json_schema' && isRecord(format.json_schema))
    return { kind: 'json', schema: format.json_schema.schema ?? ANY_OBJECT }
  throw new EngineError(400, 'response_format: Input should be text, json_object or json_schema', 'response_format')
}

function stopsOf(stop: unknown): string[] {
  if (stop === undefined || stop === null) return []
  const list = Array.isArray(stop) ? stop : [stop]
  if (!list.every((text) => typeof text === 'string'))
    throw new EngineError(400, 'stop: Input should be a valid string', 'stop')
  return list.filter((text) => text !== '')
}

function wholeOf(body: Record<string, unknown>, field: string): number | null {
  const value = body[field]
  if (value === undefined || value === null) return null
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw new EngineError(400, `${field}: Input should be a valid integer`, field)
  return value
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
