// What a client can be told. Everything else that goes wrong is `internal` to a client and whole in the log.
import { type ErrorCode, errorKind } from '../sdk/codes.ts'
import type { ErrorBody } from '../sdk/openai.ts'

interface Details {
  /** The request field at fault, as OpenAI writes it: `messages.0.role`. */
  param?: string
  cause?: unknown
  /** Overrides the seconds of the code's own `retry-after`. */
  retryAfterSeconds?: number
  /** Sent with it. */
  headers?: Record<string, string>
}

/** A refusal the caller can act on. `message` says what happened and what to do next, without inner details. */
export class HubError extends Error {
  override name = 'HubError'
  readonly param: string | null
  readonly retryAfterSeconds: number | undefined
  readonly headers: Record<string, string>

  constructor(
    readonly code: ErrorCode,
    message: string,
    details: Details = {},
  ) {
    super(message, { cause: details.cause })
    this.param = details.param ?? null
    this.retryAfterSeconds = details.retryAfterSeconds
    this.headers = details.headers ?? {}
  }

  get status(): number {
    return errorKind(this.code).status
  }
}

/** Any error as one a client may see. */
export function asHubError(error: unknown): HubError {
  if (error instanceof HubError) return error
  return new HubError(
    'internal',
    'Something failed inside the hub. Nothing was billed. Try again, and report the request id if it stays.',
    {
      cause: error,
    },
  )
}

export function errorBody(error: HubError, requestId: string): ErrorBody {
  const { type } = errorKind(error.code)
  return { error: { message: error.message, type, param: error.param, code: error.code, request_id: requestId } }
}

/** The headers that tell official clients whether and when to try again. */
export function errorHeaders(error: HubError): Record<string, string> {
  const { retryAfter, retry, status } = errorKind(error.code)
  const headers: Record<string, string> = { ...error.headers }
  const seconds = error.retryAfterSeconds ?? retryAfter
  if (seconds !== undefined) headers['retry-after'] = String(Math.min(60, Math.max(1, Math.ceil(seconds))))
  if (retry === false) headers['x-should-retry'] = 'false'
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  return headers
}

/** A bug, not weather: states what must hold. */
export function assert(holds: unknown, message: string): asserts holds {
  if (!holds) throw new Error(`assertion failed: ${message}`)
}
