// Signing in: the password, then, where there is a second factor, a code. An unknown address and a wrong password get the
// same answer after the same time.
import { and, eq } from 'drizzle-orm'
import { HubError } from '../errors.ts'
import { type Caller, limitKey } from './caller.ts'
import type { SignedIn } from './guard.ts'
import type { Identity } from './identity.ts'
import { checkSecondFactor, hasSecondFactor } from './second-factor.ts'
import { openSession, proveSession } from './sessions.ts'
import { suspended } from './suspension.ts'
import { dropTickets, issueTicket, readTicket, takeTicket } from './tickets.ts'
import { findUser, type User, userById } from './users.ts'

/** `done`: `secret` is for the cookie. `second_factor`: `ticket` goes with the code. */
export type SigningIn = { next: 'done'; secret: string; user: User } | { next: 'second_factor'; ticket: string }

/** @throws HubError `wrong_credentials`, `account_suspended`, `rate_limit_exceeded` */
export async function signIn(
  identity: Identity,
  caller: Caller,
  { email, password }: { email: string; password: string },
): Promise<SigningIn> {
  const { db, limits, passwords } = identity
  limits.take('signInFrom', limitKey(caller.address))
  const account = email.normalize('NFKC').trim().toLowerCase().slice(0, 254)
  limits.take('signInTo', account)
  const user = await findUser(db, email).catch(() => null)
  const right = await passwords.verify(password, user ? await passwordHashOf(identity, user.id) : null)
  if (!user || !right) throw wrongCredentials()
  limits.forget('signInTo', account)
  return goOn(identity, caller, user)
}

/** Who somebody is is known; what is missing is a code, or nothing. @throws HubError `account_suspended` */
export async function goOn(identity: Identity, caller: Caller, user: User): Promise<SigningIn> {
  const { env, db } = identity
  if (await hasSecondFactor(db, user.id)) {
    const ticket = await issueTicket(env, db, db.query, 'second-factor', { userId: user.id, data: {} })
    return { next: 'second_factor', ticket }
  }
  if (user.suspendedAt !== null) throw suspended(user)
  const { secret } = await openSession(env, db, db.query, user.id, caller)
  return { next: 'done', secret, user }
}

/** A code of the authenticator app, or a recovery code. @throws HubError `link_not_valid`, `wrong_code`, … */
export async function signInWithCode(
  identity: Identity,
  caller: Caller,
  { ticket, code }: { ticket: string; code: string },
): Promise<{ secret: string; user: User }> {
  const { env, db, limits } = identity
  limits.take('secondFactorFrom', limitKey(caller.address))
  const { userId } = await readTicket(env, db, 'second-factor', ticket)
  const user = userId === null ? null : await userById(db, userId)
  if (!user) throw wrongCredentials()
  await checkSecondFactor(identity, user, code)
  // After the code: whoever knows no more than the password reads no reason.
  if (user.suspendedAt !== null) throw suspended(user)
  // Only now: a mistyped code does not send anybody back to the password.
  await takeTicket(env, db, db.query, 'second-factor', ticket)
  await dropTickets(db, db.query, user.id, 'second-factor')
  const { secret } = await openSession(env, db, db.query, user.id, caller)
  return { secret, user }
}

/** How long a sign-in counts as proof for somebody who has no password. */
const FRESH_MS = 10 * 60_000

/**
 * Before anything that cannot be taken back: is it still the same person in front of that browser? Asks for the password;
 * of who has none, that they signed in a moment ago.
 * @throws HubError `wrong_credentials`, `sign_in_again`, `rate_limit_exceeded`
 */
export async function prove(
  identity: Identity,
  { user, session }: SignedIn,
  password: string | undefined,
): Promise<void> {
  const { env, db, limits, passwords } = identity
  const hash = await passwordHashOf(identity, user.id)
  if (hash === null) {
    if (env.now() - session.provedAt <= FRESH_MS) return
    throw new HubError('sign_in_again', 'Sign out and in again, then do this within ten minutes.')
  }
  limits.take('signInTo', user.email)
  if (password === undefined || !(await passwords.verify(password, hash))) {
    throw new HubError('wrong_credentials', 'This is not your current password.', { param: 'password' })
  }
  limits.forget('signInTo', user.email)
  await proveSession(env, db, session.id)
}

export async function passwordHashOf({ db }: Pick<Identity, 'db'>, userId: string): Promise<string | null> {
  const { logins } = db.tables
  const [login] = await db.query
    .select({ secret: logins.secret })
    .from(logins)
    .where(and(eq(logins.userId, userId), eq(logins.provider, 'password')))
  return login?.secret ?? null
}

function wrongCredentials(): HubError {
  return new HubError('wrong_credentials', 'Address or password is wrong. Try again, or choose a new password.')
}
