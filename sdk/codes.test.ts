import { expect, test } from 'bun:test'
import { type ErrorCode, errorCodes, errorKind } from './codes.ts'

const codes = Object.keys(errorCodes) as ErrorCode[]

test('no client is asked to wait longer than a minute: some would retry at once instead', () => {
  for (const code of codes) expect(errorKind(code).retryAfter ?? 0).toBeLessThanOrEqual(60)
})

test('422 is never sent, for one client library retries it', () => {
  expect(codes.map((code) => errorKind(code).status)).not.toContain(422)
})

test('waiting is offered exactly where official clients try again, except for a body that came too slowly', () => {
  for (const code of codes) {
    const { status, retryAfter, retry } = errorKind(code)
    const retried = retry !== false && (status === 409 || status === 429 || status > 500)
    expect([code, retryAfter !== undefined]).toEqual([code, retried])
  }
})

test('what only money can change is 402, which no client retries', () => {
  for (const code of codes) {
    const { status, type } = errorKind(code)
    expect([code, status === 402]).toEqual([code, type === 'insufficient_quota'])
  }
})
