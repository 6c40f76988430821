// What every page and every address for signed-in people asks first. Three questions:
//
//   whoIsSignedIn(identity, request)       who is it? null: nobody. For pages that strangers may see, too.
//   requireSignedIn(identity, request)     the same, refusing strangers (401 `not_signed_in`)
//   requireRole(identity, request, role)   … and those without the role (403 `role_required`)
//   sameOrigin(identity, request)          before any change of state: is this our own page that asks?
//                                          Else 403 `cross_origin`. Reading (GET, HEAD, OPTIONS) passes.
//
// All but the first throw HubError; `refusal` of gateway/openai.ts and pages render it. Suspended users are refused
// (403 `account_suspended`) wherever they would be recognised. What somebody may see is never asked here: every query
// takes the user's id, and what is not theirs is 404.
//
// `identity` is `hub.platform.identity`. Signing in and out: sign-in.ts; the cookie itself: cookie.ts.
import type { Db } from '../../db/open.ts'
import type { Role } from '../../db/schema/people.ts'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { sessionCookie } from './cookie.ts'
import { findSession, type Session } from './sessions.ts'
import { suspended } from './suspension.ts'
import type { User } from './users.ts'

export interface SignedIn {
  user: User
  session: Session
  /** Whose pages to show: what they chose last, else their first role. */
  hat: Role
  /** They have several roles and were never asked which pages they want. */
  choosesHat: boolean
}

/** What the guard needs of the hub. */
export interface Gate {
  env: Env
  db: Db
  /** Where people reach this deployment, e.g. `https://hub.example`. */
  url: () => string
}

/** @throws HubError `account_suspended` */
export async function whoIsSignedIn(gate: Gate, request: Request): Promise<SignedIn | null> {
  const secret = sessionCookie(gate.url(), request)
  const found = secret === null ? null : await findSession(gate.env, gate.db, secret)
  if (!found) return null
  const { user, session } = found
  if (user.suspendedAt !== null) throw suspended(user)
  const { roles, hat } = user
  const worn = hat !== null && roles.includes(hat) ? hat : null
  return { user, session, hat: worn ?? roles[0] ?? 'client', choosesHat: worn === null && roles.length > 1 }
}

/** @throws HubError `not_signed_in`, `account_suspended` */
export async function requireSignedIn(gate: Gate, request: Request): Promise<SignedIn> {
  const signedIn = await whoIsSignedIn(gate, request)
  if (!signedIn) throw new HubError('not_signed_in', 'You are not signed in, or were signed out. Sign in to go on.')
  return signedIn
}

/** @throws HubError `not_signed_in`, `account_suspended`, `role_required` */
export async function requireRole(gate: Gate, request: Request, role: Role): Promise<SignedIn> {
  const signedIn = await requireSignedIn(gate, request)
  if (!signedIn.user.roles.includes(role)) {
    throw new HubError('role_required', `This needs the role "${role}". Ask the people who run this hub for it.`)
  }
  return signedIn
}

const READING = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * Refuses a change of state that our own page did not ask for. Browsers say where a request comes from in Sec-Fetch-Site,
 * and older ones, or any over plain http, in Origin; no page can forge either. Who sends neither proves nothing.
 * @throws HubError `cross_origin`
 */
export function sameOrigin({ url }: Pick<Gate, 'url'>, request: Request): void {
  if (READING.has(request.method)) return
  const site = request.headers.get('sec-fetch-site')
  if (site === 'same-origin') return
  const origin = request.headers.get('origin')
  if (site === null && origin !== null && isOurs(origin, url(), request.headers.get('host'))) return
  throw new HubError(
    'cross_origin',
    'This was not asked for by a page of this hub, so nothing was done. Open the hub and try there.',
  )
}

function isOurs(origin: string, url: string, host: string | null): boolean {
  if (!URL.canParse(origin)) return false
  const asked = new URL(origin)
  if (asked.origin === new URL(url).origin) return true
  // A hub that was not told its public address is reached under several: the one in use decides. Never with https,
  // where a page without it, under the same name, is whoever sits on the line.
  return !url.startsWith('https:') && host !== null && asked.host === host.toLowerCase()
}
