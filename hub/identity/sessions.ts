// Browsers that are signed in. The cookie holds a secret, the database its hash; signing out deletes the row.
import { and, desc, eq, inArray, isNull, lt, ne, or } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { type Env, newId } from '../../sdk/env.ts'
import type { Caller } from './caller.ts'
import { hashSecret, looksLikeSecret, makeSecret } from './secret.ts'
import type { User } from './users.ts'

export interface Session {
  id: string
  userId: string
  createdAt: number
  /** To a few minutes. */
  seenAt: number
  /** When the password (or its like) was last asked for. */
  provedAt: number
  address: string
  agent: string
}

const PREFIX = 'ghs'
const DAY_MS = 24 * 60 * 60_000
const IDLE_MS = 14 * DAY_MS
const LONGEST_MS = 60 * DAY_MS
/** Who can give away money stays signed in for less. */
const ADMIN_IDLE_MS = DAY_MS
const ADMIN_LONGEST_MS = 7 * DAY_MS
const TOUCH_MS = 5 * 60_000
const MOST_PER_USER = 50

/** Signs a browser in. @returns the session and the secret for its cookie */
export async function openSession(
  env: Env,
  { tables }: Db,
  tx: Queries,
  userId: string,
  caller: Caller,
): Promise<{ session: Session; secret: string }> {
  const { sessions } = tables
  const { secret, hash } = makeSecret(env, PREFIX)
  const now = env.now()
  const { address, agent } = caller
  const session = { id: newId(env, 'ses'), userId, createdAt: now, seenAt: now, provedAt: now, address, agent }
  await tx.insert(sessions).values({ ...session, hash })
  const surplus = await tx
    .select({ id: sessions.id })
    .from(sessions)
    .where(eq(sessions.userId, userId))
    .orderBy(desc(sessions.id))
    .offset(MOST_PER_USER)
    .limit(MOST_PER_USER)
  if (surplus.length > 0) {
    const ids = surplus.map(({ id }) => id)
    await tx.delete(sessions).where(inArray(sessions.id, ids))
  }
  return { session, secret }
}

/** The session a cookie's secret belongs to, and its user; null when it is unknown, over, or its user is erased. */
export async function findSession(env: Env, db: Db, secret: string): Promise<{ session: Session; user: User } | null> {
  if (!looksLikeSecret(PREFIX, secret)) return null
  const { sessions, users } = db.tables
  const [row] = await db.query
    .select({ session: sessions, user: users })
    .from(sessions)
    .innerJoin(users, eq(users.id, sessions.userId))
    .where(and(eq(sessions.hash, hashSecret(secret)), isNull(users.erasedAt)))
  if (!row || isOver(row.session, row.user, env.now())) return null
  const { hash: _, ...session } = row.session
  if (env.now() - session.seenAt > TOUCH_MS) {
    await db.query.update(sessions).set({ seenAt: env.now() }).where(eq(sessions.id, session.id))
  }
  return { session, user: row.user }
}

/** Newest first. */
export async function listSessions(env: Env, db: Db, user: User): Promise<Session[]> {
  const { sessions } = db.tables
  const { hash: _, ...columns } = columnsOf(sessions)
  const rows = await db.query
    .select(columns)
    .from(sessions)
    .where(eq(sessions.userId, user.id))
    .orderBy(desc(sessions.id))
    .limit(MOST_PER_USER)
  return rows.filter((session) => !isOver(session, user, env.now()))
}

/** Whether there was such a session of this user; it is signed out now. */
export async function endSession(db: Db, { id, userId }: { id: string; userId: string }): Promise<boolean> {
  const { sessions } = db.tables
  const ended = await db.query
    .delete(sessions)
    .where(and(eq(sessions.id, id), eq(sessions.userId, userId)))
    .returning({ id: sessions.id })
  return ended.length > 0
}

/** Signs a user out everywhere, or everywhere but in the session `except`. */
export async function endSessions({ tables }: Db, on: Queries, userId: string, except?: string): Promise<void> {
  const { sessions } = tables
  const mine = eq(sessions.userId, userId)
  await on.delete(sessions).where(except === undefined ? mine : and(mine, ne(sessions.id, except)))
}

/** The password was asked for again, and was right. */
export async function proveSession(env: Env, db: Db, id: string): Promise<void> {
  const { sessions } = db.tables
  await db.query.update(sessions).set({ provedAt: env.now() }).where(eq(sessions.id, id))
}

/** Removes what has long been over. */
export async function sweepSessions(env: Env, db: Db): Promise<void> {
  const { sessions } = db.tables
  const now = env.now()
  await db.query
    .delete(sessions)
    .where(or(lt(sessions.seenAt, now - IDLE_MS), lt(sessions.createdAt, now - LONGEST_MS)))
}

function isOver(session: Pick<Session, 'seenAt' | 'createdAt'>, { roles }: User, now: number): boolean {
  const admin = roles.includes('admin')
  const [idle, longest] = admin ? [ADMIN_IDLE_MS, ADMIN_LONGEST_MS] : [IDLE_MS, LONGEST_MS]
  return now - session.seenAt > idle || now - session.createdAt > longest
}

function columnsOf(sessions: Db['tables']['sessions']) {
  const { id, userId, hash, createdAt, seenAt, provedAt, address, agent } = sessions
  return { id, userId, hash, createdAt, seenAt, provedAt, address, agent }
}
