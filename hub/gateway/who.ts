// Who asks. A key travels in one of the two headers in use; a key in the address is never read.
import { HubError } from '../errors.ts'
import type { Bearer } from '../identity/keyring.ts'
import { suspended } from '../identity/suspension.ts'
import type { Connection } from './connection.ts'
import type { Gateway } from './gateway.ts'

/** A request, and the connection it came on. */
export interface Caller {
  request: Request
  connection: Connection
}

type Guard = Pick<Gateway, 'keyring' | 'strangers'>

export function presentedKey({ headers }: Request): string | null {
  return /^bearer\s+(\S+)\s*$/i.exec(headers.get('authorization') ?? '')?.[1] ?? headers.get('x-api-key')
}

/** @throws HubError 401, 403, or 429 to an address that sends nothing better */
export async function whoAsks({ keyring, strangers }: Guard, { request, connection }: Caller): Promise<Bearer> {
  const key = presentedKey(request)
  const bearer = key ? await keyring.find(key) : null
  if (!bearer) {
    strangers.count(key ? 'wrongKeys' : 'requests', connection.address())
    throw new HubError(
      'invalid_api_key',
      key
        ? 'This API key is not valid: it is mistyped, unknown, revoked or expired. Check it, or make a new one.'
        : 'No API key was sent. Send "authorization: Bearer YOUR_KEY".',
    )
  }
  if (bearer.suspended) throw suspended(bearer)
  return bearer
}

/** For what anybody may see: with a valid key as often as they like. @returns whose key came along. @throws HubError 429 */
export async function anybody({ keyring, strangers }: Guard, { request, connection }: Caller): Promise<Bearer | null> {
  const key = presentedKey(request)
  const bearer = key ? await keyring.find(key) : null
  if (!bearer) strangers.count('requests', connection.address())
  return bearer
}
