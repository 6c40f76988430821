// Invitations: made by the team, each good for one person, once, for two weeks. Some are for one address only; whoever
// holds such a link was sent it there, so the address needs no further proof.
import { and, count, desc, eq, gt, isNull, lt } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { Role, TermsRole } from '../../db/schema/people.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { formatUsd, type Money } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import { invitation as invitationLetter } from '../mail/letters.ts'
import { putLetter } from '../mail/outbox.ts'
import { type Actor, record } from '../policy/acts.ts'
import { type Caller, limitKey } from './caller.ts'
import { checkCountry } from './country.ts'
import { promiseGift } from './gifts.ts'
import type { Identity } from './identity.ts'
import { paths } from './paths.ts'
import { hashSecret, looksLikeSecret, makeSecret } from './secret.ts'
import { normalEmail, type User } from './users.ts'

export interface Invitation {
  id: string
  /** The last four characters of its secret. */
  hint: string
  /** Null: for whoever holds the link. */
  email: string | null
  roles: Role[]
  credit: Money
  createdAt: number
  expiresAt: number
  usedAt: number | null
  usedBy: string | null
  revokedAt: number | null
}

const PREFIX = 'ghi'
const DAYS = 14
const DAY_MS = 24 * 60 * 60_000
const MOST_OPEN = 10_000

/** Makes an invitation, writes the act down, and a letter where there is an address. @returns its link, shown once */
export async function addInvitation(
  { env, db, url, sends }: { env: Env; db: Db; url: string; sends: boolean },
  by: Actor,
  wish: { email?: string; roles: TermsRole[]; credit: Money },
): Promise<{ invitation: Invitation; link: string }> {
  const email = wish.email === undefined ? null : normalEmail(wish.email)
  const roles: Role[] = [...new Set(wish.roles)]
  if (roles.length === 0) throw new HubError('invalid_request', 'Say what the invited will be: client or host.')
  const { secret, hash, hint } = makeSecret(env, PREFIX)
  const now = env.now()
  const invitation: Invitation = {
    ...{
      id: newId(env, 'inv'),
      hint,
      email,
      roles,
      credit: wish.credit,
      createdAt: now,
      expiresAt: now + DAYS * DAY_MS,
    },
    ...{ usedAt: null, usedBy: null, revokedAt: null },
  }
  const link = url + paths.invitation(secret)
  const { invitations } = db.tables
  await transaction(db, async (tx) => {
    const [open] = await tx.select({ open: count() }).from(invitations).where(stillOpen(db, now))
    if (Number(open?.open ?? 0) >= MOST_OPEN) {
      throw new HubError('invalid_request', `There are ${MOST_OPEN} open invitations. Revoke some first.`)
    }
    const createdBy = by === 'command line' ? null : by.userId
    await tx.insert(invitations).values({ ...invitation, hash, createdBy })
    const after = { roles, credit: String(wish.credit), bound: email !== null }
    await record(env, db, tx, { by, what: 'invitation.add', subject: invitation.id, after })
    if (email === null) return
    const credit = wish.credit > 0n ? formatUsd(wish.credit) : null
    await putLetter(env, db, tx, email, invitationLetter({ url: link, roles, credit, days: DAYS }), sends)
  })
  return { invitation, link }
}

/** Newest first, before the id `before`. */
export async function listInvitations(db: Db, page: { limit: number; before?: string }): Promise<Invitation[]> {
  const { invitations } = db.tables
  const { id, hint, email, roles, credit, createdAt, expiresAt, usedAt, usedBy, revokedAt } = invitations
  return db.query
    .select({ id, hint, email, roles, credit, createdAt, expiresAt, usedAt, usedBy, revokedAt })
    .from(invitations)
    .where(page.before === undefined ? undefined : lt(invitations.id, page.before))
    .orderBy(desc(invitations.id))
    .limit(page.limit)
}

/** What became of an invitation. */
export function invitationState({ usedAt, revokedAt, expiresAt }: Invitation, now: number) {
  if (usedAt !== null) return 'used' as const
  if (revokedAt !== null) return 'revoked' as const
  return expiresAt <= now ? ('expired' as const) : ('open' as const)
}

/** Whether there was such an open invitation; its link is useless now. */
export async function revokeInvitation(env: Env, db: Db, by: Actor, id: string): Promise<boolean> {
  const { invitations } = db.tables
  return transaction(db, async (tx) => {
    const revoked = await tx
      .update(invitations)
      .set({ revokedAt: env.now() })
      .where(and(eq(invitations.id, id), stillOpen(db, env.now())))
      .returning({ id: invitations.id })
    if (revoked.length === 0) return false
    await record(env, db, tx, { by, what: 'invitation.revoke', subject: id })
    return true
  })
}

/**
 * The invitation a secret stands for. Wrong, used, expired, revoked: one answer for all.
 * @throws HubError `invitation_not_valid`, `rate_limit_exceeded`
 */
export async function findInvitation(identity: Identity, caller: Caller, secret: string): Promise<Invitation> {
  const from = limitKey(caller.address)
  identity.limits.take('invitationFrom', from)
  const found = await lookUp(identity, secret)
  if (!found) throw notValid()
  identity.limits.giveBack('invitationFrom', from)
  return found
}

/** The open invitation with this id, as one that was found earlier. @throws HubError `invitation_not_valid` */
export async function reopenInvitation({ env, db }: Identity, id: string): Promise<Invitation> {
  const { invitations } = db.tables
  const [row] = await db.query
    .select()
    .from(invitations)
    .where(and(eq(invitations.id, id), stillOpen(db, env.now())))
  if (!row) throw notValid()
  return row
}

/** Uses an invitation up, in `tx`: of two who come at once one gets it. @throws HubError `invitation_not_valid` */
export async function useInvitation(env: Env, db: Db, tx: Queries, id: string, userId: string): Promise<void> {
  const { invitations } = db.tables
  const used = await tx
    .update(invitations)
    .set({ usedAt: env.now(), usedBy: userId })
    .where(and(eq(invitations.id, id), stillOpen(db, env.now())))
    .returning({ id: invitations.id })
  if (used.length === 0) throw notValid()
}

/** Somebody who is a user already becomes what the invitation says, too. @returns their roles then @throws HubError */
export async function acceptInvitation(
  identity: Identity,
  caller: Caller,
  user: User,
  secret: string,
): Promise<Role[]> {
  const { env, db } = identity
  const invitation = await findInvitation(identity, caller, secret)
  if (invitation.email !== null && invitation.email !== user.email) throw notValid()
  if (user.country !== null) checkCountry(identity.policy.current(), invitation.roles, user.country)
  const { users } = db.tables
  return transaction(db, async (tx) => {
    await useInvitation(env, db, tx, invitation.id, user.id)
    const [row] = await tx.select({ roles: users.roles }).from(users).where(eq(users.id, user.id))
    const roles = [...new Set([...(row?.roles ?? []), ...invitation.roles])]
    await tx.update(users).set({ roles }).where(eq(users.id, user.id))
    const note = 'credit that came with an invitation'
    await promiseGift(env, db, tx, {
      key: `invitation:${invitation.id}`,
      userId: user.id,
      amount: invitation.credit,
      note,
    })
    return roles
  })
}

async function lookUp({ env, db }: Identity, secret: string): Promise<Invitation | null> {
  if (!looksLikeSecret(PREFIX, secret)) return null
  const { invitations } = db.tables
  const [row] = await db.query
    .select()
    .from(invitations)
    .where(and(eq(invitations.hash, hashSecret(secret)), stillOpen(db, env.now())))
  return row ?? null
}

function stillOpen({ tables: { invitations } }: Db, now: number) {
  return and(isNull(invitations.usedAt), isNull(invitations.revokedAt), gt(invitations.expiresAt, now))
}

function notValid(): HubError {
  return new HubError(
    'invitation_not_valid',
    'This invitation is not valid: it was used, is too old, is for another address, or the link is not whole. Ask for a new one.',
    { param: 'invitation' },
  )
}
