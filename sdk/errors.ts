// What a call can throw. One class per thing a program does differently about it; all carry the same facts.
import { type ErrorCode, errorKind, isErrorCode } from './codes.ts'

/** Every error body of a hub, on every route, and the payload of an error in the middle of a stream. */
export interface ErrorBody {
  error: { message: string; type: string; param: string | null; code: string; request_id: string }
}

/** What is known about a failure beyond its message. */
export interface ErrorFacts {
  status?: number | null
  code?: string | null
  type?: string | null
  param?: string | null
  requestId?: string | null
  retryable?: boolean
  retryAfterMs?: number | null
  cause?: unknown
}

/**
 * The base of every error this package throws, and the class of those that have none of their own (for example 405).
 * An abort you asked for is not among them: it throws your signal's reason, as `fetch` does.
 *
 * @example
 * try {
 *   await hub.chat.completions.create({ model, messages })
 * } catch (error) {
 *   if (error instanceof PaymentRequiredError) console.log('Add credit:', error.message)
 *   else if (error instanceof GpuHubError) console.log(error.code, error.requestId)
 *   else throw error
 * }
 */
export class GpuHubError extends Error {
  override readonly name: string = 'GpuHubError'
  /** HTTP status of the answer; null when there was none, or when a stream had begun. */
  readonly status: number | null
  /** What went wrong, for programs: one of `ErrorCode` from a hub of this version. */
  readonly code: ErrorCode | (string & {}) | null
  readonly type: string | null
  /** The field of the request that was wrong, such as `model`. */
  readonly param: string | null
  /** Quote it when you ask the hub's team about a request. */
  readonly requestId: string | null
  /** The same request, unchanged, may succeed when tried again. */
  readonly retryable: boolean
  /** How long the hub asked to wait before that, milliseconds. */
  readonly retryAfterMs: number | null

  constructor(message: string, facts: ErrorFacts = {}) {
    super(message, facts.cause === undefined ? undefined : { cause: facts.cause })
    this.status = facts.status ?? null
    this.code = facts.code ?? null
    this.type = facts.type ?? null
    this.param = facts.param ?? null
    this.requestId = facts.requestId ?? null
    this.retryable = facts.retryable ?? false
    this.retryAfterMs = facts.retryAfterMs ?? null
  }
}

/** 400: the request itself is wrong; `param` says where. */
export class BadRequestError extends GpuHubError {
  override readonly name: string = 'BadRequestError'
}

/** 401: the API key is missing, wrong or revoked. */
export class AuthenticationError extends GpuHubError {
  override readonly name: string = 'AuthenticationError'
}

/** 402: no credit, the key's budget is used up, or the price is above your maximum; `code` says which. Never retried. */
export class PaymentRequiredError extends GpuHubError {
  override readonly name: string = 'PaymentRequiredError'
}

/** 403: not allowed, for example `license_not_acknowledged` or `account_suspended`. */
export class PermissionDeniedError extends GpuHubError {
  override readonly name: string = 'PermissionDeniedError'
}

/** 404: no such model, receipt or key. */
export class NotFoundError extends GpuHubError {
  override readonly name: string = 'NotFoundError'
}

/** 409: a request with the same idempotency key is still running. */
export class ConflictError extends GpuHubError {
  override readonly name: string = 'ConflictError'
}

/** 413: the body is larger than the hub takes. */
export class PayloadTooLargeError extends GpuHubError {
  override readonly name: string = 'PayloadTooLargeError'
}

/** 429: too many requests; `retryAfterMs` says how long to wait. */
export class RateLimitError extends GpuHubError {
  override readonly name: string = 'RateLimitError'
}

/** 5xx: the hub could not answer, for example `no_capacity`. */
export class ServerError extends GpuHubError {
  override readonly name: string = 'ServerError'
}

/** The hub could not be reached, or the connection broke before the answer was whole. */
export class ConnectionError extends GpuHubError {
  override readonly name: string = 'ConnectionError'
}

/** `timeoutMs` passed, or the hub gave up waiting for the request (408). The former is not retried by itself. */
export class TimeoutError extends GpuHubError {
  override readonly name: string = 'TimeoutError'
}

/** A stream broke off after it had begun: what was read of it is not the whole answer. Never retried by itself. */
export class StreamError extends GpuHubError {
  override readonly name: string = 'StreamError'
}

const classes: Record<number, typeof GpuHubError> = {
  400: BadRequestError,
  401: AuthenticationError,
  402: PaymentRequiredError,
  403: PermissionDeniedError,
  404: NotFoundError,
  408: TimeoutError,
  409: ConflictError,
  413: PayloadTooLargeError,
  429: RateLimitError,
}

/** The error an answer stands for whose status is not 2xx. `body` is its text, JSON or not. */
export function errorFromAnswer(status: number, headers: Headers, body: string): GpuHubError {
  const ErrorClass = classes[status] ?? (status >= 500 ? ServerError : GpuHubError)
  const said = errorIn(parsed(body))
  return new ErrorClass(said?.message ?? `The hub answered ${status} without an explanation.`, {
    ...said,
    status,
    requestId: headers.get('x-request-id') ?? said?.requestId,
    retryable: mayRetry(status, headers.get('x-should-retry')),
    retryAfterMs: retryAfterMs(headers),
  })
}

/** The error a chunk of a stream carries, or null when it carries none. */
export function errorFromChunk(chunk: unknown, requestId: string | null): StreamError | null {
  const said = errorIn(chunk)
  if (!said) return null
  const status = said.code && isErrorCode(said.code) ? errorKind(said.code).status : null
  return new StreamError(said.message, {
    ...said,
    requestId: requestId ?? said.requestId,
    retryable: status !== null && mayRetry(status, null),
  })
}

// Never 402: nothing changes until somebody pays, whatever a proxy in between may say.
function mayRetry(status: number, shouldRetry: string | null): boolean {
  if (status === 402 || shouldRetry === 'false') return false
  return shouldRetry === 'true' || status === 408 || status === 409 || status === 429 || status >= 500
}

function retryAfterMs(headers: Headers): number | null {
  const ms = Number.parseFloat(headers.get('retry-after-ms') ?? '')
  if (ms >= 0) return ms
  const after = headers.get('retry-after')
  if (after === null) return null
  const seconds = Number(after)
  const waitMs = Number.isNaN(seconds) ? Date.parse(after) - Date.now() : seconds * 1_000
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs)
}

function errorIn(body: unknown): (ErrorFacts & { message: string }) | null {
  const error = field(body, 'error')
  if (error === undefined || error === null) return null
  if (typeof error === 'string') return { message: error }
  return {
    message: words(error, 'message') ?? 'The hub reported an error without a message.',
    type: words(error, 'type'),
    code: words(error, 'code'),
    param: words(error, 'param'),
    requestId: words(error, 'request_id'),
  }
}

function words(value: unknown, name: string): string | null {
  const found = field(value, name)
  return typeof found === 'string' ? found : null
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}
