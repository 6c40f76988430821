// The `Idempotency-Key` of a request, and what it does to its course.
import { HubError } from '../errors.ts'
import type { Bearer } from '../identity/keyring.ts'
import type { Ask } from './ask.ts'
import type { Call } from './complete.ts'
import type { Gateway } from './gateway.ts'
import { apiHeaders } from './headers.ts'
import { First } from './onces.ts'
import type { KeptAnswer } from './sealed.ts'
import { presentedKey } from './who.ts'

/** Does `work` unless it was done before; then its answer is given again. @throws HubError */
export async function once(
  hub: Gateway,
  call: Call,
  wish: { bearer: Bearer; ask: Ask; body: Uint8Array },
  work: () => Promise<Response>,
): Promise<Response> {
  const key = idempotencyKey(call.request)
  if (key === null) return work()
  const { bearer, ask, body } = wish
  const first = await hub.onces.begin({
    ...{ requestId: call.requestId, bearer, apiKey: presentedKey(call.request) ?? '', route: call.format },
    ...{ key, body, stream: ask.stream },
  })
  if (!(first instanceof First)) return again(call, first)
  call.first = first
  try {
    return await work()
  } catch (error) {
    first.forget()
    throw error
  }
}

/** The same bytes under the same request id; what is said about this very request is new. */
function again({ request, requestId, quota }: Call, { headers, body }: KeptAnswer): Response {
  const { 'x-client-request-id': _theirs, ...kept } = headers
  const own = { ...apiHeaders(request, kept['x-request-id'] ?? requestId), ...quota?.headers() }
  return new Response(body, { headers: { ...kept, ...own, 'idempotent-replayed': 'true' } })
}

/** @throws HubError 400 */
function idempotencyKey({ headers }: Request): string | null {
  const key = headers.get('idempotency-key')
  if (key !== null && !/^[\x21-\x7e]{1,255}$/.test(key))
    throw new HubError('invalid_request', 'An Idempotency-Key has 1 to 255 visible ASCII characters, without spaces.')
  return key
}
