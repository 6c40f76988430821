// Host tokens: what an owner's machines enrol with.
import { and, count, eq, inArray, isNull } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { AcceptedTerms } from '../../db/schema/people.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { looksLikeSecret, makeSecret } from '../identity/secret.ts'
import { unlock } from './locks.ts'

const PREFIX = 'gph'
const MOST_PER_OWNER = 1_000

/** Who a valid token speaks for. */
export interface Bearer {
  tokenId: string
  ownerId: string
}

export interface KnownToken extends Bearer {
  /** Ed25519, 32 bytes, base64: who shows the token must prove to have it. Null: the token alone is enough. */
  machineKey: string | null
  /** What its owner accepted. */
  terms: AcceptedTerms | null
}

/** Makes a token. It is returned once and kept nowhere. @throws HubError when there is no such user */
export async function addHostToken(
  env: Env,
  db: Db,
  token: { ownerId: string; name: string },
): Promise<{ id: string; token: string }> {
  return transaction(db, (tx) => insertHostToken(env, db, tx, { ...token, machineKey: null }))
}

/** As `addHostToken`, in `tx`; `machineKey` names the one machine it works for. @throws HubError */
export async function insertHostToken(
  env: Env,
  db: Db,
  tx: Queries,
  { ownerId, name, machineKey }: { ownerId: string; name: string; machineKey: string | null },
): Promise<{ id: string; token: string }> {
  const { hostTokens, users } = db.tables
  const { secret, hash, hint } = makeSecret(env, PREFIX)
  const id = newId(env, 'token')
  const [owner] = await tx.select({ id: users.id }).from(users).where(eq(users.id, ownerId))
  if (!owner) throw new HubError('not_found', 'There is no such user. Add the user first.')
  const live = and(eq(hostTokens.ownerId, ownerId), isNull(hostTokens.revokedAt))
  const [held] = await tx.select({ tokens: count() }).from(hostTokens).where(live)
  if (Number(held?.tokens ?? 0) >= MOST_PER_OWNER)
    throw new HubError('invalid_request', `An owner can have ${MOST_PER_OWNER} host tokens. Revoke some first.`)
  const row = { id, ownerId, name: name.slice(0, 60), hash, hint, machineKey, createdAt: env.now() }
  await tx.insert(hostTokens).values(row)
  return { id, token: secret }
}

/** Whether there was such a live token, of this owner where one is named. Links that use it close within a second. */
export async function revokeHostToken(
  env: Env,
  db: Db,
  { id, ownerId }: { id: string; ownerId?: string },
): Promise<boolean> {
  const { hostTokens } = db.tables
  const owned = ownerId === undefined ? undefined : eq(hostTokens.ownerId, ownerId)
  const now = env.now()
  return transaction(db, async (tx) => {
    const revoked = await tx
      .update(hostTokens)
      .set({ revokedAt: now })
      .where(and(eq(hostTokens.id, id), isNull(hostTokens.revokedAt), owned))
      .returning({ id: hostTokens.id })
    if (revoked.length > 0) await unlock(db, tx, id, now)
    return revoked.length > 0
  })
}

/** Whether `text` can be a host token at all; asks nobody. */
export function looksLikeHostToken(text: string): boolean {
  return looksLikeSecret(PREFIX, text)
}

/** For each hash: who its token speaks for, `suspended` where that is nobody for now, `unknown` or revoked. */
export async function bearersOf(db: Db, hashes: string[]): Promise<(KnownToken | 'suspended' | 'unknown')[]> {
  const { hostTokens, users } = db.tables
  const rows = await db.query
    .select({
      hash: hostTokens.hash,
      tokenId: hostTokens.id,
      ownerId: hostTokens.ownerId,
      machineKey: hostTokens.machineKey,
      terms: users.terms,
      suspendedAt: users.suspendedAt,
    })
    .from(hostTokens)
    .innerJoin(users, eq(users.id, hostTokens.ownerId))
    .where(and(inArray(hostTokens.hash, hashes), isNull(hostTokens.revokedAt)))
  const found = new Map(rows.map((row) => [row.hash, row]))
  return hashes.map((hash) => {
    const row = found.get(hash)
    if (!row) return 'unknown'
    const { tokenId, ownerId, machineKey, terms, suspendedAt } = row
    return suspendedAt === null ? { tokenId, ownerId, machineKey, terms } : 'suspended'
  })
}
