// Signing up. Nobody is a user before their address is known to be theirs: an invitation that was made for the address
// says so, everybody else confirms by a link. Until then all there is is a ticket, so strangers' addresses cannot be
// taken in advance, and an address that has an account gets the same answer as one that has none.
import type { AcceptedTerms, Role, TermsRole } from '../../db/schema/people.ts'
import { transaction } from '../../db/transaction.ts'
import { HubError } from '../errors.ts'
import { alreadyHere, confirmSignUp } from '../mail/letters.ts'
import type { Settings } from '../policy/settings.ts'
import { type Caller, limitKey } from './caller.ts'
import { checkCountry, readCountry } from './country.ts'
import type { Identity } from './identity.ts'
import { findInvitation, type Invitation, reopenInvitation } from './invitations.ts'
import { join } from './join.ts'
import { checkPassword } from './passwords.ts'
import { paths } from './paths.ts'
import { hashSecret, makeSecret } from './secret.ts'
import { openSession } from './sessions.ts'
import { checkAccepted } from './terms.ts'
import { type Carried, issueTicket, readTicket, takeTicket } from './tickets.ts'
import { findUser, normalEmail, type User } from './users.ts'

/** What everybody says who joins, however they are known. */
export interface Wish {
  /** Where they live, ISO 3166-1. */
  country: string
  /** The versions of the terms they said yes to, by role. */
  terms: AcceptedTerms
  /** The secret of an invitation. Without one: what they want to be, where sign-up is open. */
  invitation?: string
  role?: TermsRole
  name?: string
}

export interface SignUp extends Wish {
  email: string
  password: string
}

/** `done`: signed in, `secret` is for the cookie. `confirm`: a letter is on its way, `browser` is for its cookie. */
export type SignedUp = { next: 'done'; secret: string; user: User } | { next: 'confirm'; browser: string }

/** @throws HubError that names the field at fault; `rate_limit_exceeded`, `sign_up_closed`, `invitation_not_valid`, … */
export async function signUp(identity: Identity, caller: Caller, wish: SignUp): Promise<SignedUp> {
  identity.limits.take('signUpFrom', limitKey(caller.address))
  const email = normalEmail(wish.email)
  checkPassword(wish.password, email)
  const admitted = await admitWish(identity, caller, wish)
  if (admitted.invitation?.email && admitted.invitation.email !== email) throw forAnother()
  const passwordHash = await identity.passwords.hash(wish.password)
  const login = { provider: 'password' as const, hash: passwordHash }
  // Whoever has this link was sent it to this address.
  if (admitted.invitation?.email) {
    const user = await join(identity, { email, ...admitted, login })
    if (user) return { next: 'done', ...(await sessionFor(identity, user, caller)) }
  }
  const { secret: browser, hash } = makeSecret(identity.env, 'ghb')
  const { invitation, ...rest } = admitted
  await sendConfirmation(identity, {
    email,
    ...rest,
    passwordHash,
    invitationId: invitation?.id ?? null,
    browser: hash,
  })
  return { next: 'confirm', browser }
}

/**
 * The mailed link was followed. In the browser that signed up (`browser`) that is enough; elsewhere the password is asked
 * for, else somebody could be led to open an account whose password a stranger chose.
 * @throws HubError `link_not_valid`, `wrong_credentials`, `invitation_not_valid`
 */
export async function confirmSignUpWith(
  identity: Identity,
  caller: Caller,
  { ticket, browser, password }: { ticket: string; browser: string | null; password?: string },
): Promise<{ secret: string; user: User }> {
  const { env, db, limits, passwords } = identity
  limits.take('ticketFrom', limitKey(caller.address))
  const { data } = await readTicket(env, db, 'sign-up', ticket)
  if (browser === null || hashSecret(browser) !== data.browser) {
    limits.take('signInTo', data.email)
    if (password === undefined || !(await passwords.verify(password, data.passwordHash))) throw otherBrowser()
  }
  const invitation = data.invitationId === null ? null : await reopenInvitation(identity, data.invitationId)
  const { email, name, country, roles, terms, passwordHash: hash } = data
  const joining = { email, name, country, roles, terms, invitation, login: { provider: 'password' as const, hash } }
  const user = await join(identity, joining, async (tx) => void (await takeTicket(env, db, tx, 'sign-up', ticket)))
  if (!user) throw new HubError('link_not_valid', 'This address has an account by now. Sign in.')
  limits.giveBack('ticketFrom', limitKey(caller.address))
  return sessionFor(identity, user, caller)
}

/** Somebody whom a provider named, with what a provider cannot know. @throws HubError as `signUp` */
export async function signUpWith(
  identity: Identity,
  caller: Caller,
  { ticket, ...wish }: Wish & { ticket: string },
): Promise<{ secret: string; user: User }> {
  const { env, db, limits } = identity
  limits.take('signUpFrom', limitKey(caller.address))
  const { data } = await readTicket(env, db, 'sign-up-with', ticket)
  const admitted = await admitWish(identity, caller, { name: data.name ?? undefined, ...wish })
  if (admitted.invitation?.email && admitted.invitation.email !== data.email) throw forAnother()
  const { provider, subject, email } = data
  const user = await join(
    identity,
    { email, ...admitted, login: { provider, subject } },
    async (tx) => void (await takeTicket(env, db, tx, 'sign-up-with', ticket)),
  )
  if (!user) throw new HubError('link_not_valid', 'This address has an account by now. Sign in.')
  return sessionFor(identity, user, caller)
}

interface Admitted {
  name: string | null
  country: string
  roles: Role[]
  terms: AcceptedTerms
  invitation: Invitation | null
}

/** May they join, as what? Everything that is asked before anything is kept. @throws HubError */
async function admitWish(identity: Identity, caller: Caller, wish: Wish): Promise<Admitted> {
  const settings = identity.policy.current()
  const invitation = wish.invitation ? await findInvitation(identity, caller, wish.invitation) : null
  const role = wish.role ?? 'client'
  if (!invitation) requireOpen(settings, role)
  const roles: Role[] = invitation ? invitation.roles : [role]
  const country = readCountry(wish.country)
  checkCountry(settings, roles, country)
  if (caller.country !== null) checkCountry(settings, roles, caller.country)
  return { name: readName(wish.name), country, roles, terms: checkAccepted(settings, roles, wish.terms), invitation }
}

/** @throws HubError `sign_up_closed` where only the invited may be that */
export function requireOpen(settings: Settings, role: TermsRole): void {
  if ((role === 'client' ? settings.clientSignUp : settings.hostSignUp) === 'open') return
  throw new HubError('sign_up_closed', `This hub takes new ${role}s by invitation. Open the link of your invitation.`, {
    param: 'invitation',
  })
}

/** Known or not: the same writes, so that neither the answer nor its time tells. */
async function sendConfirmation(identity: Identity, data: Carried['sign-up']): Promise<void> {
  const { env, db, limits, outbox, url } = identity
  limits.take('letterTo', data.email)
  const known = await findUser(db, data.email)
  await transaction(db, async (tx) => {
    const ticket = await issueTicket(env, db, tx, 'sign-up', { userId: null, data })
    const letter = known
      ? alreadyHere({ signIn: url() + paths.signIn, reset: url() + paths.forgotPassword })
      : confirmSignUp(url() + paths.confirmSignUp(ticket))
    await outbox.put(tx, data.email, letter)
  })
  outbox.wake()
}

async function sessionFor({ env, db }: Identity, user: User, caller: Caller): Promise<{ secret: string; user: User }> {
  const { secret } = await openSession(env, db, db.query, user.id, caller)
  return { secret, user }
}

const LONGEST_NAME = 80

/** @returns null for nothing @throws HubError */
export function readName(text: string | undefined): string | null {
  const name = (text ?? '').normalize('NFKC').replace(/\p{C}/gu, '').trim()
  if (name.length > LONGEST_NAME) {
    throw new HubError('invalid_request', `A name has at most ${LONGEST_NAME} characters.`, { param: 'name' })
  }
  return name || null
}

function forAnother(): HubError {
  return new HubError(
    'invitation_not_valid',
    'This invitation was made for another address. Use the address it was sent to.',
    { param: 'email' },
  )
}

function otherBrowser(): HubError {
  return new HubError(
    'wrong_credentials',
    'This link was opened in another browser than the one you signed up with. Type the password you chose there.',
    { param: 'password' },
  )
}
