import { expect, test } from 'bun:test'
import { type ErrorCode, errorCodes, isErrorCode } from './codes.ts'
import * as errors from './errors.ts'

const classOf: Record<number, typeof errors.GpuHubError> = {
  400: errors.BadRequestError,
  401: errors.AuthenticationError,
  402: errors.PaymentRequiredError,
  403: errors.PermissionDeniedError,
  404: errors.NotFoundError,
  405: errors.GpuHubError,
  408: errors.TimeoutError,
  409: errors.ConflictError,
  413: errors.PayloadTooLargeError,
  415: errors.GpuHubError,
  421: errors.GpuHubError,
  425: errors.GpuHubError,
  429: errors.RateLimitError,
  500: errors.ServerError,
  502: errors.ServerError,
  503: errors.ServerError,
  504: errors.ServerError,
}
const rows = Object.entries(errorCodes).map(([code, { status }]) => [code, status] as [ErrorCode, number])

test.each(rows)('%s (%d) has its class, its facts and a name', (code, status) => {
  const envelope = { error: { message: 'No.', type: 'a_type', param: 'model', code, request_id: 'req_body' } }
  const error = errors.errorFromAnswer(status, new Headers({ 'x-request-id': 'req_1' }), JSON.stringify(envelope))
  expect(error.constructor).toBe(classOf[status] as never)
  expect(error).toBeInstanceOf(errors.GpuHubError)
  expect(error).toMatchObject({ status, code, type: 'a_type', param: 'model', requestId: 'req_1', message: 'No.' })
  expect(error.name).toBe(error.constructor.name)
})

test.each([
  ['', 'The hub answered 502 without an explanation.', null],
  ['<html>Bad gateway</html>', 'The hub answered 502 without an explanation.', null],
  ['null', 'The hub answered 502 without an explanation.', null],
  ['{"error":"Unauthorized"}', 'Unauthorized', null],
  ['{"error":{"code":401}}', 'The hub reported an error without a message.', null],
  ['{"error":{"message":"No.","code":"internal","request_id":"req_2"}}', 'No.', 'req_2'],
])('a body such as %p still gives a useful error', (body, message, requestId) => {
  const error = errors.errorFromAnswer(502, new Headers(), body)
  expect(error).toBeInstanceOf(errors.ServerError)
  expect(error).toMatchObject({ message, requestId, retryable: true, retryAfterMs: null })
})

test.each([
  [{ 'retry-after': '2' }, 2_000],
  [{ 'retry-after': '2', 'retry-after-ms': '1500' }, 1_500],
  [{ 'retry-after': 'soon' }, null],
  [{ 'retry-after': '-1' }, 0],
  [{}, null],
])('with %p the wait is %p', (headers, retryAfterMs) => {
  expect(errors.errorFromAnswer(429, new Headers(headers as HeadersInit), '')).toMatchObject({ retryAfterMs })
})

test('a chunk without an error is none', () => {
  for (const chunk of [{ choices: [] }, { error: null }, null, 7, 'x'])
    expect(errors.errorFromChunk(chunk, null)).toBeNull()
})

test('names of the language are not error codes', () => {
  expect(isErrorCode('no_capacity')).toBe(true)
  for (const name of ['toString', '__proto__', 'constructor', '']) expect(isErrorCode(name)).toBe(false)
})
