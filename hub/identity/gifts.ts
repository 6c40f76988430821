// Credit that comes with an account. It is promised in the transaction that makes the user, so there is never one
// without the other; the ledger posts it under the promise's own key, so that however often this runs, it is given once.
import { and, asc, eq, isNull } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import type { Money } from '../../sdk/money.ts'
import type { Identity } from './identity.ts'
import { clientAccount } from './users.ts'

const AT_ONCE = 100

/** Promises a gift, in `tx`. @returns false when there is nothing to give, or this key was promised before */
export async function promiseGift(
  env: Env,
  { tables: { gifts } }: Db,
  tx: Queries,
  gift: { key: string; userId: string; amount: Money; note: string },
): Promise<boolean> {
  if (gift.amount <= 0n) return false
  const row = { ...gift, createdAt: env.now(), postedAt: null }
  const promised = await tx.insert(gifts).values(row).onConflictDoNothing().returning({ key: gifts.key })
  return promised.length > 0
}

/** Gives what is promised: to one user, or to everybody who still waits. @returns how many were given */
export async function payGifts(
  identity: Pick<Identity, 'env' | 'db' | 'credit' | 'log'>,
  userId?: string,
): Promise<number> {
  const { env, db, credit, log } = identity
  const { gifts } = db.tables
  const due = await db.query
    .select()
    .from(gifts)
    .where(and(isNull(gifts.postedAt), userId === undefined ? undefined : eq(gifts.userId, userId)))
    .orderBy(asc(gifts.createdAt))
    .limit(AT_ONCE)
  let given = 0
  for (const { key, userId: receiver, amount, note } of due) {
    try {
      await credit({ account: clientAccount(receiver), amount, key, note })
      await db.query.update(gifts).set({ postedAt: env.now() }).where(eq(gifts.key, key))
      given++
    } catch (error) {
      // One that cannot be given must not keep the others from theirs.
      log.warn('a gift waits', { user: receiver, error: String(error) })
    }
  }
  return given
}
