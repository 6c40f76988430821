// Deleting an account: the person is erased, the books stay whole. What remains is an id that nobody can lead back to
// anybody, and what was booked under it.
import { and, eq, isNull, ne, or, sql } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { HubError } from '../errors.ts'
import { erased } from '../mail/letters.ts'
import type { Identity } from './identity.ts'
import { dropSecondFactor } from './second-factor.ts'
import { endSessions } from './sessions.ts'
import { dropTickets } from './tickets.ts'
import type { User } from './users.ts'

const NAMELESS = 'erased'

/** Their keys and host tokens are refused within a second, on every hub. Ask `prove` first. @throws HubError */
export async function eraseUser(identity: Identity, user: User): Promise<void> {
  const { env, db, outbox } = identity
  await transaction(db, async (tx) => {
    if (user.roles.includes('admin')) await keepAnAdmin(db, tx, user.id)
    await closeWays(db, tx, user.id)
    await revokeSecrets(db, tx, user.id, env.now())
    await forgetNames(db, tx, user)
    const { users } = db.tables
    const gone = { email: `erased ${user.id}`, name: null, country: null, hat: null, suspendedFor: null }
    const at = env.now()
    await tx
      .update(users)
      .set({ ...gone, erasedAt: at, suspendedAt: at })
      .where(eq(users.id, user.id))
    if (outbox.sends) await outbox.put(tx, user.email, erased())
  })
  outbox.wake()
}

async function keepAnAdmin({ tables: { users } }: Db, tx: Queries, userId: string): Promise<void> {
  const others = and(ne(users.id, userId), isNull(users.suspendedAt), sql`${users.roles} like '%"admin"%'`)
  if ((await tx.$count(users, others)) > 0) return
  throw new HubError('invalid_request', 'You are the only admin. Make somebody else one first.')
}

async function closeWays(db: Db, tx: Queries, userId: string): Promise<void> {
  const { logins, deviceSignIns } = db.tables
  await tx.delete(logins).where(eq(logins.userId, userId))
  await endSessions(db, tx, userId)
  await dropTickets(db, tx, userId)
  await dropSecondFactor(db, tx, userId)
  await tx.delete(deviceSignIns).where(eq(deviceSignIns.claimedBy, userId))
}

async function revokeSecrets({ tables }: Db, tx: Queries, userId: string, at: number): Promise<void> {
  const { keys, hostTokens, onces } = tables
  await tx.delete(onces).where(eq(onces.userId, userId))
  await tx
    .update(keys)
    .set({ revokedAt: at })
    .where(and(eq(keys.userId, userId), isNull(keys.revokedAt)))
  await tx
    .update(hostTokens)
    .set({ revokedAt: at })
    .where(and(eq(hostTokens.ownerId, userId), isNull(hostTokens.revokedAt)))
}

/** Whatever people name after themselves. */
async function forgetNames({ tables }: Db, tx: Queries, { id, email }: User): Promise<void> {
  const { keys, hostTokens, hosts, invitations, mails } = tables
  await tx.update(keys).set({ name: NAMELESS }).where(eq(keys.userId, id))
  await tx.update(hostTokens).set({ name: NAMELESS }).where(eq(hostTokens.ownerId, id))
  await tx.update(hosts).set({ name: NAMELESS }).where(eq(hosts.ownerId, id))
  await tx
    .update(invitations)
    .set({ email: null })
    .where(or(eq(invitations.usedBy, id), eq(invitations.email, email)))
  await tx.delete(mails).where(eq(mails.recipient, email))
}
