// Signing in with GitHub or Google: away to the provider, and back with who it is. The way back counts only in the browser
// that was sent away.
import { and, eq } from 'drizzle-orm'
import { isUniqueViolation } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { HubError } from '../errors.ts'
import { type Caller, limitKey } from './caller.ts'
import type { SignedIn } from './guard.ts'
import type { Identity } from './identity.ts'
import { addLogin } from './join.ts'
import { safeNext } from './paths.ts'
import type { Provider, ProviderName } from './providers.ts'
import { hashSecret, makeSecret } from './secret.ts'
import { goOn, passwordHashOf, type SigningIn } from './sign-in.ts'
import { issueTicket, takeTicket } from './tickets.ts'
import { findUser, normalEmail, type User, userById } from './users.ts'

export interface LeavingTo {
  /** The page to go to in the end; `/` when it is none of ours. */
  next?: string | null
  invitation?: string | null
  /** Signed in already: the provider becomes one more way in. */
  linkTo?: SignedIn | null
}

/** @returns the address to go to, and what only this browser may have, for its cookie @throws HubError */
export async function beginWith(
  identity: Identity,
  caller: Caller,
  name: ProviderName,
  { next, invitation = null, linkTo }: LeavingTo,
): Promise<{ location: string; browser: string }> {
  const { env, db, limits } = identity
  const provider = configured(identity, name)
  limits.take('signInFrom', limitKey(caller.address))
  const { secret: browser, hash } = makeSecret(env, 'ghb')
  const verifier = Buffer.from(env.random(32)).toString('base64url')
  const data = {
    provider: name,
    verifier,
    browser: hash,
    next: safeNext(next),
    invitation,
    linkTo: linkTo?.user.id ?? null,
  }
  const state = await issueTicket(env, db, db.query, 'sign-in-with', { userId: null, data })
  const challenge = new Bun.CryptoHasher('sha256').update(verifier).digest('base64url')
  return { location: await provider.askAt({ state, challenge, returnTo: returnTo(identity, name) }), browser }
}

/** `linked`: one more way in. `sign_up`: nobody here yet; the ticket goes with what is still to be said. */
export type CameBack = (
  | SigningIn
  | { next: 'linked' }
  | { next: 'sign_up'; ticket: string; invitation: string | null }
) & {
  /** The page they wanted. */
  to: string
}

/** @throws HubError `link_not_valid`, `wrong_credentials`, `upstream_error`, `account_suspended` */
export async function comeBackFrom(
  identity: Identity,
  caller: Caller,
  name: ProviderName,
  answer: { state: string; code: string | null; browser: string | null; signedIn: SignedIn | null },
): Promise<CameBack> {
  const { env, db, limits } = identity
  const provider = configured(identity, name)
  limits.take('signInFrom', limitKey(caller.address))
  const { data } = await takeTicket(env, db, db.query, 'sign-in-with', answer.state)
  if (data.provider !== name || answer.browser === null || hashSecret(answer.browser) !== data.browser)
    throw otherBrowser()
  if (!answer.code) throw new HubError('wrong_credentials', `${provider.title} did not sign you in. Try again.`)
  const { verifier, next: to, invitation, linkTo } = data
  const named = await provider.whoCame({ code: answer.code, verifier, returnTo: returnTo(identity, name) })
  const login = { provider: name, subject: named.subject }
  if (linkTo !== null) {
    if (answer.signedIn?.user.id !== linkTo) throw otherBrowser()
    await link(identity, linkTo, login)
    return { next: 'linked', to }
  }
  const email = normalEmail(named.email)
  const user = (await userOf(identity, login)) ?? (await byAddress(identity, email, login))
  if (user) return { ...(await goOn(identity, caller, user)), to }
  const newcomer = { ...login, email, name: named.name?.slice(0, 80) ?? null }
  const ticket = await issueTicket(env, db, db.query, 'sign-up-with', { userId: null, data: newcomer })
  return { next: 'sign_up', ticket, invitation, to }
}

/** A provider is no way in any more. @throws HubError when it is the last one */
export async function unlink(identity: Identity, { user }: SignedIn, name: ProviderName): Promise<void> {
  const { db } = identity
  const { logins } = db.tables
  await transaction(db, async (tx) => {
    const mine = await tx.select({ provider: logins.provider }).from(logins).where(eq(logins.userId, user.id))
    if (mine.every(({ provider }) => provider === name)) {
      throw new HubError(
        'invalid_request',
        'This is your only way in. Choose a password first: "forgot password" does it.',
      )
    }
    await tx.delete(logins).where(and(eq(logins.userId, user.id), eq(logins.provider, name)))
  })
}

type Login = { provider: ProviderName; subject: string }

async function userOf({ db }: Identity, { provider, subject }: Login): Promise<User | null> {
  const { logins } = db.tables
  const [login] = await db.query
    .select({ userId: logins.userId })
    .from(logins)
    .where(and(eq(logins.provider, provider), eq(logins.subject, subject)))
  return login ? userById(db, login.userId) : null
}

/** Both sides have verified the address, so it is the same person. */
async function byAddress(identity: Identity, email: string, login: Login): Promise<User | null> {
  const user = await findUser(identity.db, email)
  if (user) await link(identity, user.id, login)
  return user
}

async function link(identity: Identity, userId: string, login: Login): Promise<void> {
  if ((await userOf(identity, login))?.id === userId) return
  try {
    await addLogin(identity, identity.db.query, userId, login)
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new HubError('invalid_request', 'That account is another user’s way in here already.', { cause: error })
  }
}

/** Ways in that somebody has. */
export async function waysIn(
  identity: Identity,
  user: User,
): Promise<{ password: boolean; github: boolean; google: boolean }> {
  const { logins } = identity.db.tables
  const rows = await identity.db.query
    .select({ provider: logins.provider })
    .from(logins)
    .where(eq(logins.userId, user.id))
  const has = (name: string) => rows.some(({ provider }) => provider === name)
  return { password: (await passwordHashOf(identity, user.id)) !== null, github: has('github'), google: has('google') }
}

function returnTo({ url }: Identity, name: ProviderName): string {
  return `${url()}/api/v1/sign-in/${name}/callback`
}

/** @throws HubError */
function configured({ providers }: Identity, name: ProviderName): Provider {
  const provider = providers[name]
  if (!provider) throw new HubError('not_found', 'This hub does not know that provider. Sign in with a password.')
  return provider
}

function otherBrowser(): HubError {
  return new HubError('link_not_valid', 'This sign-in did not begin in this browser, or took too long. Begin again.')
}
