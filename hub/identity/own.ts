// What people change about themselves.
import { eq } from 'drizzle-orm'
import { forUpdate, isUniqueViolation } from '../../db/open.ts'
import type { AcceptedTerms, Role, TermsRole } from '../../db/schema/people.ts'
import { transaction } from '../../db/transaction.ts'
import { HubError } from '../errors.ts'
import { changeEmail, emailChanged } from '../mail/letters.ts'
import { type Caller, limitKey } from './caller.ts'
import { checkCountry } from './country.ts'
import type { Identity } from './identity.ts'
import { paths } from './paths.ts'
import { readName, requireOpen } from './sign-up.ts'
import { checkAccepted, writeAcceptances } from './terms.ts'
import { dropTickets, issueTicket, readTicket, takeTicket } from './tickets.ts'
import { findUser, normalEmail, type User, userById } from './users.ts'

/** @throws HubError */
export async function rename({ db }: Identity, user: User, name: string): Promise<void> {
  const { users } = db.tables
  await db.query
    .update(users)
    .set({ name: readName(name) })
    .where(eq(users.id, user.id))
}

/** Whose pages they want to see; remembered. @throws HubError `role_required` for a role they do not have */
export async function wear({ db }: Pick<Identity, 'db'>, user: User, hat: Role): Promise<void> {
  if (!user.roles.includes(hat)) throw new HubError('role_required', `You are no ${hat} here.`, { param: 'hat' })
  const { users } = db.tables
  await db.query.update(users).set({ hat }).where(eq(users.id, user.id))
}

/** Becomes a client or the owner of hosts, too, where everybody may. @returns their roles then @throws HubError */
export async function addOwnRole(
  identity: Identity,
  user: User,
  role: TermsRole,
  terms: AcceptedTerms,
): Promise<Role[]> {
  const { env, db, policy } = identity
  const settings = policy.current()
  if (user.roles.includes(role)) return user.roles
  requireOpen(settings, role)
  if (user.country === null)
    throw new HubError('country_not_allowed', 'Ask the people who run this hub: your country is not known.')
  checkCountry(settings, [role], user.country)
  const accepted = checkAccepted(settings, [role], terms)
  const { users } = db.tables
  return transaction(db, async (tx) => {
    const [row] = await forUpdate(
      tx.select({ roles: users.roles, terms: users.terms }).from(users).where(eq(users.id, user.id)),
    )
    const roles = [...new Set([...(row?.roles ?? []), role])]
    await tx
      .update(users)
      .set({ roles, terms: { ...row?.terms, ...accepted } })
      .where(eq(users.id, user.id))
    await writeAcceptances(env, db, tx, user.id, accepted)
    return roles
  })
}

/** A letter to the new address asks; until it is answered the old one stays. Ask `prove` first. @throws HubError */
export async function askForEmail(identity: Identity, caller: Caller, user: User, given: string): Promise<void> {
  const { env, db, limits, outbox, url } = identity
  const email = normalEmail(given)
  if (email === user.email) throw new HubError('invalid_request', 'That is your address already.', { param: 'email' })
  limits.take('letterFrom', limitKey(caller.address))
  limits.take('letterTo', email)
  const taken = await findUser(db, email)
  await transaction(db, async (tx) => {
    await dropTickets(db, tx, user.id, 'change-email')
    const ticket = await issueTicket(env, db, tx, 'change-email', { userId: user.id, data: { email } })
    // Whose address it is learns nothing, and neither does who asked.
    if (!taken) await outbox.put(tx, email, changeEmail(url() + paths.changeEmail(ticket)))
  })
  outbox.wake()
}

/** The link in that letter was followed. The old address is told. @throws HubError `link_not_valid` */
export async function finishEmail(identity: Identity, caller: Caller, ticket: string): Promise<string> {
  const { env, db, limits, outbox } = identity
  limits.take('ticketFrom', limitKey(caller.address))
  const { userId, data } = await readTicket(env, db, 'change-email', ticket)
  const user = userId === null ? null : await userById(db, userId)
  if (!user) throw new HubError('link_not_valid', 'This account is gone.')
  const { users } = db.tables
  try {
    await transaction(db, async (tx) => {
      await takeTicket(env, db, tx, 'change-email', ticket)
      await tx.update(users).set({ email: data.email }).where(eq(users.id, user.id))
      await dropTickets(db, tx, user.id)
      await outbox.put(tx, user.email, emailChanged())
    })
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new HubError('link_not_valid', 'This address has another account by now.', { cause: error })
  }
  limits.giveBack('ticketFrom', limitKey(caller.address))
  outbox.wake()
  return data.email
}
