// A token that two machines use under one identity is locked for that host: both are refused until the owner has
// sorted them out. A new token, or the end of the old one, ends it.
import { and, eq, gt, inArray, isNull } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'

export interface Lock {
  hostId: string
  tokenId: string
}

export const LOCKED =
  'Two machines use this identity with one token, so both are refused. A copy becomes a host of its own once the file ' +
  '"machine" in its GPUHOST_HOME is removed. The original needs a new token: make one, start with it, revoke the old. ' +
  'If you know of no second machine, revoke the old token at once: somebody else has it.'

/** Locks these tokens for the host, and tells its owner once, however many hubs noticed. */
export async function lockHost(
  env: Env,
  db: Db,
  { hostId, tokenIds }: { hostId: string; tokenIds: readonly string[] },
): Promise<void> {
  const { hosts, hostLocks, notices } = db.tables
  const at = env.now()
  await transaction(db, async (tx) => {
    const [host] = await tx.select().from(hosts).where(eq(hosts.id, hostId))
    if (!host) return
    const locked = await tx
      .insert(hostLocks)
      .values([...new Set(tokenIds)].map((tokenId) => ({ hostId, tokenId, at })))
      .onConflictDoNothing()
      .returning({ tokenId: hostLocks.tokenId })
    if (locked.length === 0) return
    await tx.insert(notices).values(
      locked.map(({ tokenId }) => ({
        ...{ id: newId(env, 'notice'), hostId, ownerId: host.ownerId, tokenId, at, clearedAt: null },
        kind: 'cloned' as const,
        message: `${host.name}: ${LOCKED}`,
      })),
    )
  })
}

/** Which of these hosts may not come with these tokens. */
export async function lockedAmong(db: Db, on: Queries, asked: readonly Lock[]): Promise<Lock[]> {
  const { hostLocks } = db.tables
  const ids = asked.map(({ hostId }) => hostId)
  const rows = await on.select().from(hostLocks).where(inArray(hostLocks.hostId, ids))
  return rows.filter((row) => asked.some(({ hostId, tokenId }) => row.hostId === hostId && row.tokenId === tokenId))
}

/** Locks made after `since`. */
export async function recentLocks(db: Db, since: number): Promise<Lock[]> {
  const { hostLocks } = db.tables
  return db.query
    .select({ hostId: hostLocks.hostId, tokenId: hostLocks.tokenId })
    .from(hostLocks)
    .where(gt(hostLocks.at, since))
}

/**
 * The host is here with a token that is not locked: what its owner was told to do about a copy is done. Whatever else
 * they were told is as true as before.
 */
export async function clearNotices(db: Db, tx: Queries, here: readonly Lock[], now: number): Promise<void> {
  const { notices } = db.tables
  const ids = here.map(({ hostId }) => hostId)
  const open = await tx
    .select({ id: notices.id, hostId: notices.hostId })
    .from(notices)
    .where(and(inArray(notices.hostId, ids), eq(notices.kind, 'cloned'), isNull(notices.clearedAt)))
  if (open.length === 0) return
  await tx
    .update(notices)
    .set({ clearedAt: now })
    .where(
      inArray(
        notices.id,
        open.map(({ id }) => id),
      ),
    )
}

/** A token that is revoked needs no lock. */
export async function unlock(db: Db, tx: Queries, tokenId: string, now: number): Promise<void> {
  const { hostLocks, notices } = db.tables
  await tx.delete(hostLocks).where(eq(hostLocks.tokenId, tokenId))
  await tx
    .update(notices)
    .set({ clearedAt: now })
    .where(and(eq(notices.tokenId, tokenId), eq(notices.kind, 'cloned'), isNull(notices.clearedAt)))
}
