// For tests: what only admins and time do to people.
import { eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Role } from '../../db/schema/people.ts'
import type { Env } from '../../sdk/env.ts'

/** Replaces what a user may be; who is signed in stays so. */
export async function setRoles(db: Db, userId: string, roles: Role[]): Promise<void> {
  const { users } = db.tables
  await db.query.update(users).set({ roles }).where(eq(users.id, userId))
}

export async function suspendUser(env: Env, db: Db, userId: string, suspendedFor: string | null = null): Promise<void> {
  const { users } = db.tables
  await db.query.update(users).set({ suspendedAt: env.now(), suspendedFor }).where(eq(users.id, userId))
}
