// A forgotten password: a mailed link lets its bearer choose another, and signs everybody out.
import { and, eq } from 'drizzle-orm'
import type { Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { passwordChanged, resetPassword } from '../mail/letters.ts'
import { type Actor, record } from '../policy/acts.ts'
import { type Caller, limitKey } from './caller.ts'
import type { SignedIn } from './guard.ts'
import type { Identity } from './identity.ts'
import { addLogin } from './join.ts'
import { checkPassword } from './passwords.ts'
import { paths } from './paths.ts'
import { unlockSecondFactor } from './second-factor.ts'
import { endSessions } from './sessions.ts'
import { dropTickets, issueTicket, readTicket, takeTicket } from './tickets.ts'
import { findUser, normalEmail, type User, userById } from './users.ts'
import { HubError } from '../errors.ts'

/** The same answer, after the same work, for an address that nobody has. @throws HubError `rate_limit_exceeded` */
export async function askForReset(identity: Identity, caller: Caller, given: string): Promise<void> {
  const { env, db, limits, outbox, url } = identity
  limits.take('letterFrom', limitKey(caller.address))
  const email = normalEmail(given)
  limits.take('letterTo', email)
  const user = await findUser(db, email)
  await transaction(db, async (tx) => {
    // Without a user this ticket opens nothing, and nobody has it.
    const ticket = await issueTicket(env, db, tx, 'reset-password', { userId: user?.id ?? null, data: {} })
    if (user) await outbox.put(tx, email, resetPassword(url() + paths.resetPassword(ticket)))
  })
  outbox.wake()
}

/** A link for somebody whom no letter reaches, made by an admin. */
export async function resetLink(
  { env, db, url }: Pick<Identity, 'env' | 'db' | 'url'>,
  by: Actor,
  user: User,
): Promise<string> {
  return transaction(db, async (tx) => {
    const ticket = await issueTicket(env, db, tx, 'reset-password', { userId: user.id, data: {} })
    await record(env, db, tx, { by, what: 'user.reset-link', subject: user.id })
    return url() + paths.resetPassword(ticket)
  })
}

/** Every session ends; who comes by the link signs in with the new password. @throws HubError `link_not_valid` */
export async function finishReset(
  identity: Identity,
  caller: Caller,
  { ticket, password }: { ticket: string; password: string },
): Promise<void> {
  const { env, db, limits, outbox, passwords } = identity
  limits.take('ticketFrom', limitKey(caller.address))
  const { userId } = await readTicket(env, db, 'reset-password', ticket)
  const user = userId === null ? null : await userById(db, userId)
  if (!user || user.erasedAt !== null) throw new HubError('link_not_valid', 'This account is deleted.')
  checkPassword(password, user.email)
  const hash = await passwords.hash(password)
  await transaction(db, async (tx) => {
    await takeTicket(env, db, tx, 'reset-password', ticket)
    await setPassword(identity, tx, user, hash)
    await unlockSecondFactor(db, tx, user.id)
  })
  limits.giveBack('ticketFrom', limitKey(caller.address))
  limits.forget('signInTo', user.email)
  outbox.wake()
}

/** For somebody who is signed in and was asked to `prove` it. Other browsers are signed out. @throws HubError */
export async function changePassword(identity: Identity, { user, session }: SignedIn, password: string): Promise<void> {
  const { db, outbox, passwords } = identity
  checkPassword(password, user.email)
  const hash = await passwords.hash(password)
  await transaction(db, (tx) => setPassword(identity, tx, user, hash, session.id))
  outbox.wake()
}

async function setPassword(identity: Identity, tx: Queries, user: User, hash: string, spared?: string): Promise<void> {
  const { db, outbox } = identity
  const { logins } = db.tables
  await tx.delete(logins).where(and(eq(logins.userId, user.id), eq(logins.provider, 'password')))
  await addLogin(identity, tx, user.id, { provider: 'password', hash })
  await endSessions(db, tx, user.id, spared)
  // Also the links that were mailed before, and whoever stands between password and code.
  await dropTickets(db, tx, user.id)
  await outbox.put(tx, user.email, passwordChanged())
}
