// Whose account a request to the platform API is about: a key says so, or a browser that is signed in.
import { requireSignedIn, sameOrigin } from '../identity/guard.ts'
import type { Bearer } from '../identity/keyring.ts'
import { clientAccount } from '../identity/users.ts'
import type { Platform } from './platform.ts'
import { type Caller, presentedKey, whoAsks } from './who.ts'

export interface Holder extends Pick<Bearer, 'userId' | 'account' | 'limited' | 'models'> {
  /** Null: no key, a session. */
  keyId: string | null
}

/** A key counts before a cookie: programs may run in a browser that is signed in. @throws HubError */
export async function whoseAccount(hub: Platform, caller: Caller): Promise<Holder> {
  const { request } = caller
  if (presentedKey(request) !== null || !request.headers.has('cookie')) return whoAsks(hub, caller)
  sameOrigin(hub.identity, request)
  const { user } = await requireSignedIn(hub.identity, request)
  return { userId: user.id, account: clientAccount(user.id), keyId: null, limited: false, models: null }
}
