// API keys: made, listed, revoked. Finding one for a request is keyring.ts.
import { and, desc, eq, isNull } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { allow, type KeyAllowance } from './allowances.ts'
import { makeSecret, type Secret } from './secret.ts'

/** Client keys start with `gh_`. */
export const KEY_PREFIX = 'gh'

const MOST_KEYS = 100
const LONGEST_NAME = 60

export interface Key {
  id: string
  userId: string
  name: string
  /** Its last four characters. */
  hint: string
  createdAt: number
  revokedAt: number | null
}

/** `made`: what it is to be, where it is not made up here. @returns the key itself, too: shown once, kept nowhere. @throws HubError */
export async function addKey(
  env: Env,
  db: Db,
  wish: { userId: string; name?: string; allowance?: Partial<KeyAllowance>; made?: Secret },
): Promise<Key & { key: string }> {
  const name = (wish.name ?? '').normalize('NFKC').trim() || 'key'
  if (name.length > LONGEST_NAME) {
    throw new HubError('invalid_request', `A key's name has at most ${LONGEST_NAME} characters.`, { param: 'name' })
  }
  const { keys } = db.tables
  const live = await db.query.$count(keys, and(eq(keys.userId, wish.userId), isNull(keys.revokedAt)))
  if (live >= MOST_KEYS) {
    throw new HubError('invalid_request', `There are ${MOST_KEYS} keys already. Revoke one that is not needed.`)
  }
  const { secret, hash, hint } = wish.made ?? makeSecret(env, KEY_PREFIX)
  const key: Key = { id: newId(env, 'key'), userId: wish.userId, name, hint, createdAt: env.now(), revokedAt: null }
  // First, so that the key never works without.
  await allow(db, key.id, wish.allowance ?? {})
  await db.query.insert(keys).values({ ...key, hash })
  return { ...key, key: secret }
}

export async function keyExists(db: Db, id: string): Promise<boolean> {
  return (await db.query.$count(db.tables.keys, eq(db.tables.keys.id, id))) === 1
}

/** Newest first, revoked ones included. */
export async function listKeys(db: Db, owner: { userId?: string; limit: number }): Promise<Key[]> {
  const { keys } = db.tables
  const { id, userId, name, hint, createdAt, revokedAt } = keys
  const query = db.query.select({ id, userId, name, hint, createdAt, revokedAt }).from(keys)
  const owned = owner.userId === undefined ? query : query.where(eq(keys.userId, owner.userId))
  return owned.orderBy(desc(keys.id)).limit(owner.limit)
}

/**
 * Every hub refuses the key within a second. Revoking twice keeps the first time.
 * @returns false when there is no such key, or it is another user's.
 */
export async function revokeKey(env: Env, db: Db, which: { id: string; userId?: string }): Promise<boolean> {
  const { keys } = db.tables
  const mine =
    which.userId === undefined ? eq(keys.id, which.id) : and(eq(keys.id, which.id), eq(keys.userId, which.userId))
  await db.query
    .update(keys)
    .set({ revokedAt: env.now() })
    .where(and(mine, isNull(keys.revokedAt)))
  return (await db.query.$count(keys, mine)) === 1
}
