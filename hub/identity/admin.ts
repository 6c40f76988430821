// What admins do to people. Each act is written down in the transaction that does it.
import { and, asc, eq, gt, isNull, like, or, sql } from 'drizzle-orm'
import { contains } from '../../db/contains.ts'
import { type Db, forUpdate } from '../../db/open.ts'
import type { Role } from '../../db/schema/people.ts'
import { transaction } from '../../db/transaction.ts'
import { formatUsd, type Money, parseUsd } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import { type Actor, record } from '../policy/acts.ts'
import { payGifts, promiseGift } from './gifts.ts'
import type { Identity } from './identity.ts'
import { endSessions } from './sessions.ts'
import { reasonFrom } from './suspension.ts'
import type { User } from './users.ts'

type Tools = Pick<Identity, 'env' | 'db'>

export interface PeopleQuery {
  limit: number
  /** The id after which the page begins. */
  after?: string
  /** Part of an address or a name, or a whole id. */
  search?: string
  role?: Role
  state?: 'active' | 'suspended'
}

/** Oldest first, without the erased. */
export async function findPeople(db: Db, { limit, after, search, role, state }: PeopleQuery): Promise<User[]> {
  const { users } = db.tables
  const text = search?.trim()
  return db.query
    .select()
    .from(users)
    .where(
      and(
        isNull(users.erasedAt),
        after === undefined ? undefined : gt(users.id, after),
        text ? or(contains(users.email, text), contains(users.name, text), eq(users.id, text)) : undefined,
        role === undefined ? undefined : like(sql`${users.roles}`, `%"${role}"%`),
        state === undefined
          ? undefined
          : state === 'active'
            ? isNull(users.suspendedAt)
            : sql`${users.suspendedAt} is not null`,
      ),
    )
    .orderBy(asc(users.id))
    .limit(limit)
}

/**
 * From now on, within a second and on every hub, their sessions, keys and hosts are refused; they are told `reason`.
 * @throws HubError
 */
export async function suspend({ env, db }: Tools, by: Actor, userId: string, reason: string): Promise<void> {
  const suspendedFor = reasonFrom(reason)
  await changeUser({ env, db }, by, userId, 'user.suspend', (user) => {
    if (by !== 'command line' && by.userId === userId)
      throw new HubError('invalid_request', 'You cannot suspend yourself.')
    return user.suspendedAt === null ? { suspendedAt: env.now(), suspendedFor } : null
  })
}

/** @throws HubError */
export async function reinstate({ env, db }: Tools, by: Actor, userId: string): Promise<void> {
  await changeUser({ env, db }, by, userId, 'user.reinstate', (user) =>
    user.suspendedAt === null ? null : { suspendedAt: null, suspendedFor: null },
  )
}

/** Replaces what a user may be. Whoever gains or loses something signs in again. @throws HubError */
export async function changeRoles({ env, db }: Tools, by: Actor, userId: string, roles: Role[]): Promise<void> {
  const wanted = [...new Set(roles)]
  if (wanted.length === 0) throw new HubError('invalid_request', 'A user has at least one role.', { param: 'roles' })
  await changeUser({ env, db }, by, userId, 'user.roles', (user) => {
    const own = by !== 'command line' && by.userId === userId
    if (own && !wanted.includes('admin'))
      throw new HubError('invalid_request', 'You cannot take the role admin from yourself.')
    return Bun.deepEquals(new Set(user.roles), new Set(wanted)) ? null : { roles: wanted }
  })
}

/**
 * Gives a client credit. The same `key` gives once, however often it is asked.
 * @returns whether this was the first time @throws HubError
 */
export async function giveCredit(
  identity: Pick<Identity, 'env' | 'db' | 'credit' | 'log'>,
  by: Actor,
  userId: string,
  { amount, key, note }: { amount: Money; key: string; note: string },
): Promise<boolean> {
  if (amount <= 0n || amount > MOST_CREDIT) {
    throw new HubError('invalid_request', `Credit is more than zero and at most ${formatUsd(MOST_CREDIT)}.`, {
      param: 'amount',
    })
  }
  const { env, db } = identity
  const first = await transaction(db, async (tx) => {
    const { users } = db.tables
    const [user] = await tx
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.erasedAt)))
    if (!user) throw nobody()
    const promised = await promiseGift(env, db, tx, { key: `admin:${userId}:${key}`, userId, amount, note })
    if (promised) {
      await record(env, db, tx, { by, what: 'user.credit', subject: userId, after: { amount: String(amount), note } })
    }
    return promised
  })
  await payGifts(identity, userId)
  return first
}

const MOST_CREDIT = parseUsd('100000')

/** `change` says what becomes different, or null for nothing; then it is no act either. */
async function changeUser(
  { env, db }: Tools,
  by: Actor,
  userId: string,
  what: string,
  change: (user: User) => Partial<Pick<User, 'roles' | 'suspendedAt' | 'suspendedFor'>> | null,
): Promise<void> {
  const { users } = db.tables
  await transaction(db, async (tx) => {
    const [user] = await forUpdate(
      tx
        .select()
        .from(users)
        .where(and(eq(users.id, userId), isNull(users.erasedAt))),
    )
    if (!user) throw nobody()
    const changed = change(user)
    if (!changed) return
    await tx.update(users).set(changed).where(eq(users.id, userId))
    if (changed.roles) await endSessions(db, tx, userId)
    const name = changed.roles ? 'roles' : 'suspendedFor'
    await record(env, db, tx, { by, what, subject: userId, before: user[name], after: changed[name] })
  })
}

function nobody(): HubError {
  return new HubError('not_found', 'There is no such user.')
}
