// What every answer on an API route carries, errors included.
import { usdPerMillion } from '../../sdk/money.ts'
import type { Call } from './complete.ts'
import type { Run } from './run.ts'

const EXPOSED = [
  'x-request-id',
  'request-id',
  'x-client-request-id',
  'retry-after',
  'x-should-retry',
  'x-gpuhub-price-prompt',
  'x-gpuhub-price-completion',
  'x-gpuhub-attempts',
  'x-gpuhub-host',
  'x-gpuhub-precision',
  'x-gpuhub-cost',
  'idempotent-replayed',
  'x-ratelimit-limit-requests',
  'x-ratelimit-remaining-requests',
  'x-ratelimit-reset-requests',
  'x-ratelimit-limit-tokens',
  'x-ratelimit-remaining-tokens',
  'x-ratelimit-reset-tokens',
].join(', ')

const ALLOWED = [
  'authorization',
  'content-type',
  'x-api-key',
  'openai-organization',
  'openai-project',
  'idempotency-key',
  'x-client-request-id',
].join(', ')

/** Keys travel in headers, never in cookies, so any origin may ask. */
export function apiHeaders(request: Request, requestId: string): Record<string, string> {
  const headers: Record<string, string> = {
    'x-request-id': requestId,
    'request-id': requestId,
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'access-control-allow-origin': '*',
    'access-control-expose-headers': EXPOSED,
  }
  const own = request.headers.get('x-client-request-id') ?? request.headers.get('x-request-id')
  if (own && /^[\w-]{1,64}$/.test(own)) headers['x-client-request-id'] = own
  return headers
}

/** The answer to a browser's preflight. Official clients send headers of their own, so what was asked for is allowed. */
export function preflight(request: Request, requestId: string): Response {
  const asked = request.headers.get('access-control-request-headers')
  const headers = {
    ...apiHeaders(request, requestId),
    'access-control-allow-methods': 'GET, POST, DELETE, OPTIONS',
    'access-control-allow-headers': asked && /^[\w\-, ]{1,2000}$/.test(asked) ? asked : ALLOWED,
    'access-control-max-age': '86400',
  }
  return new Response(null, { status: 204, headers })
}

/** What an answer adds: the price it was admitted at, and who gave it. */
export function answerHeaders(call: Pick<Call, 'request' | 'requestId' | 'quota'>, run: Run): Record<string, string> {
  const headers = {
    ...apiHeaders(call.request, call.requestId),
    ...call.quota?.headers(),
    'x-gpuhub-price-prompt': usdPerMillion(run.price.prompt),
    'x-gpuhub-price-completion': usdPerMillion(run.price.completion),
    'x-gpuhub-precision': run.precision,
  }
  if (!run.seat) return headers
  const { host, attempts } = run.facts()
  return { ...headers, 'x-gpuhub-host': host, 'x-gpuhub-attempts': String(attempts) }
}
