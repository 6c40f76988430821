// Somebody becomes a user: they, their way in, the invitation used up, the terms they accepted and the credit they were
// promised are one transaction. There is never one without the others.
import { eq } from 'drizzle-orm'
import { type Db, isUniqueViolation, type Queries } from '../../db/open.ts'
import type { AcceptedTerms, Role } from '../../db/schema/people.ts'
import type { Provider } from '../../db/schema/sign-in.ts'
import { transaction } from '../../db/transaction.ts'
import { newId } from '../../sdk/env.ts'
import { type Money, parseUsd } from '../../sdk/money.ts'
import { payGifts, promiseGift } from './gifts.ts'
import type { Identity } from './identity.ts'
import { type Invitation, useInvitation } from './invitations.ts'
import { writeAcceptances } from './terms.ts'
import { newUser, type User } from './users.ts'

/** Somebody whose address is known to be theirs. */
export interface Joining {
  email: string
  name: string | null
  country: string | null
  roles: Role[]
  /** Null: they are the team's own, and were not asked. */
  terms: AcceptedTerms | null
  invitation: Pick<Invitation, 'id' | 'credit'> | null
  login: { provider: 'password'; hash: string } | { provider: 'github' | 'google'; subject: string }
}

/**
 * `first` runs at the beginning of the transaction, to take what may be taken once.
 * @returns the new user; null when the address has one already, and then nothing has changed
 * @throws HubError `invitation_not_valid` when somebody else was faster
 */
export async function join(
  identity: Identity,
  joining: Joining,
  first: (tx: Queries) => Promise<void> = async () => {},
): Promise<User | null> {
  const { env, db, log } = identity
  const { invitation, login, terms, ...person } = joining
  const user = newUser(env, { ...person, terms })
  const credit = invitation ? invitation.credit : trialCredit(identity, user.roles)
  try {
    await transaction(db, async (tx) => {
      await first(tx)
      await tx.insert(db.tables.users).values(user)
      if (invitation) await useInvitation(env, db, tx, invitation.id, user.id)
      await addLogin(identity, tx, user.id, login)
      await writeAcceptances(env, db, tx, user.id, terms ?? {})
      const note = 'credit to start with'
      await promiseGift(env, db, tx, { key: `start:${user.id}`, userId: user.id, amount: credit, note })
    })
  } catch (error) {
    if (isUniqueViolation(error) && (await isTaken(db, user.email))) return null
    throw error
  }
  // What fails here is given by the next round of the hub's jobs.
  await payGifts(identity, user.id).catch((error) => log.warn('gifts wait', { user: user.id, error: String(error) }))
  return user
}

/** One more way in for a user. */
export async function addLogin(
  { env, db: { tables } }: Pick<Identity, 'env' | 'db'>,
  tx: Queries,
  userId: string,
  login: Joining['login'],
): Promise<void> {
  const row: { provider: Provider; subject: string; secret: string | null } =
    login.provider === 'password'
      ? { provider: 'password', subject: userId, secret: login.hash }
      : { ...login, secret: null }
  await tx.insert(tables.logins).values({ id: newId(env, 'login'), userId, ...row, createdAt: env.now() })
}

function trialCredit({ policy }: Identity, roles: readonly Role[]): Money {
  return roles.includes('client') ? parseUsd(policy.current().trialCredit) : 0n
}

async function isTaken(db: Db, email: string): Promise<boolean> {
  return (await db.query.$count(db.tables.users, eq(db.tables.users.email, email))) > 0
}
