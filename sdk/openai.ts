// The OpenAI shapes the hub speaks, as schemas: what a client may send, and the types of what it gets back.
// Only fields named here travel on to an engine; everything else a client sends is dropped.
import { type Static, type TSchema, Type } from '@sinclair/typebox'

const optional = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const number = (minimum: number, maximum: number) => Type.Number({ minimum, maximum })
const integer = (minimum: number, maximum: number) => Type.Integer({ minimum, maximum })

/** Most requested answers per request (`n`), stop strings, tools, messages: every list has a limit. */
export const limits = {
  bodyBytes: 4 * 1024 * 1024,
  depth: 64,
  nodes: 20_000,
  messages: 2_000,
  tools: 128,
  stops: 4,
  stopChars: 64,
  n: 4,
  schemaChars: 512 * 1024,
  patternChars: 1_000,
  outputTokens: 1_000_000,
} as const

const TextPart = Type.Object({ type: Type.Literal('text'), text: Type.String() })
const Content = Type.Union([Type.String(), Type.Array(TextPart, { minItems: 1, maxItems: 1_000 })])

const ToolCall = Type.Object({
  id: Type.String({ maxLength: 200 }),
  type: Type.Literal('function'),
  function: Type.Object({ name: Type.String({ maxLength: 200 }), arguments: Type.String() }),
})

export const ChatMessage = Type.Union([
  Type.Object({
    role: Type.Union([Type.Literal('system'), Type.Literal('developer'), Type.Literal('user')]),
    content: Content,
    name: optional(Type.String({ maxLength: 64 })),
  }),
  Type.Object({
    role: Type.Literal('assistant'),
    content: optional(Content),
    reasoning_content: optional(Type.String()),
    name: optional(Type.String({ maxLength: 64 })),
    tool_calls: optional(Type.Array(ToolCall, { maxItems: limits.tools })),
  }),
  Type.Object({ role: Type.Literal('tool'), content: Content, tool_call_id: Type.String({ maxLength: 200 }) }),
])
export type ChatMessage = Static<typeof ChatMessage>

const Tool = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9_-]+$' }),
    description: optional(Type.String({ maxLength: 8_192 })),
    parameters: optional(Type.Record(Type.String(), Type.Unknown())),
    strict: optional(Type.Boolean()),
  }),
})

const ToolChoice = Type.Union([
  Type.Literal('none'),
  Type.Literal('auto'),
  Type.Literal('required'),
  Type.Object({ type: Type.Literal('function'), function: Type.Object({ name: Type.String({ maxLength: 64 }) }) }),
])

const ResponseFormat = Type.Union([
  Type.Object({ type: Type.Literal('text') }),
  Type.Object({ type: Type.Literal('json_object') }),
  Type.Object({
    type: Type.Literal('json_schema'),
    json_schema: Type.Object({
      name: Type.String({ maxLength: 64 }),
      description: optional(Type.String({ maxLength: 8_192 })),
      strict: optional(Type.Boolean()),
      schema: optional(Type.Record(Type.String(), Type.Unknown())),
    }),
  }),
])

const Stop = Type.Union([
  Type.String({ minLength: 1, maxLength: limits.stopChars }),
  Type.Array(Type.String({ minLength: 1, maxLength: limits.stopChars }), { maxItems: limits.stops }),
])

const sampling = {
  model: Type.String({ minLength: 1, maxLength: 200 }),
  stream: optional(Type.Boolean()),
  stream_options: optional(Type.Object({ include_usage: optional(Type.Boolean()) })),
  max_tokens: optional(integer(1, limits.outputTokens)),
  temperature: optional(number(0, 2)),
  top_p: optional(number(0, 1)),
  top_k: optional(integer(-1, 100_000)),
  min_p: optional(number(0, 1)),
  n: optional(integer(1, limits.n)),
  stop: optional(Stop),
  seed: optional(integer(-(2 ** 53) + 1, 2 ** 53 - 1)),
  presence_penalty: optional(number(-2, 2)),
  frequency_penalty: optional(number(-2, 2)),
  repetition_penalty: optional(number(0.01, 10)),
  logit_bias: optional(
    Type.Record(Type.String({ pattern: '^\\d{1,9}$' }), number(-100, 100), {
      maxProperties: 1_024,
      // Without this, names that are not token ids pass, with any value.
      additionalProperties: false,
    }),
  ),
  user: optional(Type.String({ maxLength: 512 })),
}

/** `POST /v1/chat/completions`. */
export const ChatRequest = Type.Object({
  ...sampling,
  messages: Type.Array(ChatMessage, { minItems: 1, maxItems: limits.messages }),
  max_completion_tokens: optional(integer(1, limits.outputTokens)),
  tools: optional(Type.Array(Tool, { maxItems: limits.tools })),
  tool_choice: optional(ToolChoice),
  parallel_tool_calls: optional(Type.Boolean()),
  response_format: optional(ResponseFormat),
  logprobs: optional(Type.Boolean()),
  top_logprobs: optional(integer(0, 20)),
  reasoning_effort: optional(Type.String({ maxLength: 20 })),
})
export type ChatRequest = Static<typeof ChatRequest>

/** `POST /v1/completions`. `prompt` is text, or the token ids of one prompt. */
export const CompletionRequest = Type.Object({
  ...sampling,
  prompt: Type.Union([Type.String(), Type.Array(integer(0, 10_000_000), { minItems: 1, maxItems: 1_000_000 })]),
  logprobs: optional(integer(0, 20)),
  echo: optional(Type.Literal(false)),
})
export type CompletionRequest = Static<typeof CompletionRequest>

// What comes back is published as it is, so it is written down where the client's methods are.
export type {
  AnswerFacts,
  ChatChunk,
  ChatCompletion,
  ChatDelta,
  FinishReason,
  TokenLogprob,
  ToolCallDelta,
  Usage,
} from './chat.ts'
export type { Completion, CompletionLogprobs } from './completions.ts'
export type { ErrorBody } from './errors.ts'
export type { Model, ModelList } from './models.ts'
