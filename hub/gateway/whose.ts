// Whose account a request to the platform API is about: a key says so, or a browser that is signed in.
import { requireSignedIn, sameOrigin } from '../identity/guard.ts'
import type { Bearer } from '../identity/keyring.ts'
import { clientAccount } from '../identity/users.ts'
import { whoAsks } from './admit.ts'
import type { Platform } from './platform.ts'

export interface Holder extends Pick<Bearer, 'userId' | 'account'> {
  /** Null: no key, a session. */
  keyId: string | null
}

/** A key counts before a cookie: programs may run in a browser that is signed in. @throws HubError */
export async function whoseAccount(hub: Platform, request: Request): Promise<Holder> {
  if (request.headers.has('authorization') || request.headers.has('x-api-key')) return whoAsks(hub, request)
  if (!request.headers.has('cookie')) return whoAsks(hub, request)
  sameOrigin(hub.identity, request)
  const { user } = await requireSignedIn(hub.identity, request)
  return { userId: user.id, account: clientAccount(user.id), keyId: null }
}
