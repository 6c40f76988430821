// Every error a client can get: its code, HTTP status and type. One table for the hub that sends them and the SDK
// that turns them into classes. A code's status decides whether official clients retry: 402, 403, 404 and 400 are
// never retried, 408, 409, 429 and 5xx are.

interface Kind {
  status: number
  type: string
  /** Seconds for `retry-after`, where waiting helps. At most 60: some clients ignore a longer wait and retry at once. */
  retryAfter?: number
  /** False: official clients are told not to retry although the status says so. */
  retry?: boolean
}

export const errorCodes = {
  invalid_json: { status: 400, type: 'invalid_request_error' },
  invalid_request: { status: 400, type: 'invalid_request_error' },
  unsupported_parameter: { status: 400, type: 'invalid_request_error' },
  schema_too_deep: { status: 400, type: 'invalid_request_error' },
  context_length_exceeded: { status: 400, type: 'invalid_request_error' },
  idempotency_mismatch: { status: 400, type: 'invalid_request_error' },
  idempotency_completed: { status: 400, type: 'invalid_request_error' },
  link_not_valid: { status: 400, type: 'invalid_request_error' },
  invitation_not_valid: { status: 400, type: 'invalid_request_error' },
  wrong_code: { status: 400, type: 'invalid_request_error' },
  invalid_api_key: { status: 401, type: 'invalid_request_error' },
  not_signed_in: { status: 401, type: 'invalid_request_error' },
  wrong_credentials: { status: 401, type: 'invalid_request_error' },
  insufficient_quota: { status: 402, type: 'insufficient_quota', retry: false },
  key_budget_exceeded: { status: 402, type: 'insufficient_quota' },
  price_above_max: { status: 402, type: 'insufficient_quota' },
  key_not_allowed: { status: 403, type: 'permission_error' },
  model_not_allowed: { status: 403, type: 'permission_error' },
  account_suspended: { status: 403, type: 'permission_error' },
  license_not_acknowledged: { status: 403, type: 'permission_error' },
  terms_not_accepted: { status: 403, type: 'permission_error' },
  role_required: { status: 403, type: 'permission_error' },
  cross_origin: { status: 403, type: 'permission_error' },
  sign_in_again: { status: 403, type: 'permission_error' },
  sign_up_closed: { status: 403, type: 'permission_error' },
  country_not_allowed: { status: 403, type: 'permission_error' },
  model_not_found: { status: 404, type: 'invalid_request_error' },
  not_found: { status: 404, type: 'invalid_request_error' },
  method_not_allowed: { status: 405, type: 'invalid_request_error' },
  request_body_timeout: { status: 408, type: 'timeout_error' },
  idempotency_in_progress: { status: 409, type: 'conflict_error', retryAfter: 1 },
  idempotency_body_not_kept: { status: 409, type: 'conflict_error', retry: false },
  request_too_large: { status: 413, type: 'invalid_request_error' },
  misdirected_request: { status: 421, type: 'invalid_request_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request_error' },
  clock_wrong: { status: 425, type: 'invalid_request_error' },
  rate_limit_exceeded: { status: 429, type: 'rate_limit_error', retryAfter: 1 },
  internal: { status: 500, type: 'server_error' },
  upstream_error: { status: 502, type: 'server_error', retryAfter: 1 },
  no_capacity: { status: 503, type: 'server_error', retryAfter: 5 },
  hub_unavailable: { status: 503, type: 'server_error', retryAfter: 5 },
  upstream_timeout: { status: 504, type: 'server_error', retryAfter: 1 },
} as const

export type ErrorCode = keyof typeof errorCodes

export function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorCodes, code)
}

export function errorKind(code: ErrorCode): Kind {
  return errorCodes[code]
}
