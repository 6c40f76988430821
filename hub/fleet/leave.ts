import { and, eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { type Bearer, revokeHostToken } from './token.ts'

/**
 * The program was taken off a machine: it is not waited for, and a token that was made for it alone opens nothing any
 * more. One that other machines may use stays. What it earned stays, too.
 */
export async function leave(
  env: Env,
  db: Db,
  { ownerId, tokenId }: Bearer,
  machine: string,
): Promise<{ left: boolean; tokenRevoked: boolean }> {
  const { hosts, hostTokens } = db.tables
  const rows = await db.query
    .update(hosts)
    .set({ leftAt: env.now() })
    .where(and(eq(hosts.ownerId, ownerId), eq(hosts.machine, machine)))
    .returning({ id: hosts.id })
  const [token] = await db.query.select().from(hostTokens).where(eq(hostTokens.id, tokenId))
  const own = token !== undefined && token.machineKey !== null
  return { left: rows.length > 0, tokenRevoked: own && (await revokeHostToken(env, db, { id: tokenId, ownerId })) }
}
