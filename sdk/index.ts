// What the npm package offers. Inside this repository, import the files themselves.
export type {
  Balance,
  CreatedKey,
  KeyBudget,
  NewKey,
  DeletedKey,
  Key,
  Keys,
  Licence,
  Licences,
  Me,
  Page,
  PageQuery,
  UsageQuery,
  UsageRow,
  VariantPrice,
} from './account.ts'
export type { AnswerStream, QuotedPrice } from './answer.ts'
export type {
  AnswerFacts,
  AskOptions,
  Chat,
  ChatChunk,
  ChatCompletion,
  ChatCompletions,
  ChatDelta,
  ChatMessage,
  ChatRequest,
  ChatStream,
  FinishReason,
  ResponseFormat,
  Sampling,
  TextPart,
  TokenLogprob,
  Tool,
  ToolCall,
  ToolCallDelta,
  ToolChoice,
  Usage,
} from './chat.ts'
export type { ErrorCode } from './codes.ts'
export type { Completion, CompletionLogprobs, CompletionRequest, Completions, CompletionStream } from './completions.ts'
export {
  AuthenticationError,
  BadRequestError,
  ConflictError,
  ConnectionError,
  type ErrorBody,
  type ErrorFacts,
  GpuHubError,
  NotFoundError,
  PayloadTooLargeError,
  PaymentRequiredError,
  PermissionDeniedError,
  RateLimitError,
  ServerError,
  StreamError,
  TimeoutError,
} from './errors.ts'
export type { Fetch } from './exchange.ts'
export { GpuHub, type GpuHubOptions } from './gpuhub.ts'
export type { Model, ModelList, Models } from './models.ts'
export type { Receipt, ReceiptKey, Receipts, ReceiptSignature } from './receipts.ts'
export type { Answered, RequestOptions } from './request.ts'
