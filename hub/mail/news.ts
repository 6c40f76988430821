// News that the hub writes to people of its own accord: only what they have to act on, of one thing at most one letter in
// a day, put into the outbox in the transaction that makes it so. Everybody chooses what they want.
import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { Role } from '../../db/schema/people.ts'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Letter, Links } from './letters.ts'
import { type NewsKind, newsKinds } from './news-kinds.ts'
import type { Outbox } from './outbox.ts'
import { type Mark, offPath } from './unsubscribe.ts'

export interface News {
  kind: NewsKind
  /** The id of what it is about. */
  about: string
  letter: (links: Links) => Letter
  /** Never again about the same, not only not today. */
  once?: boolean
}

const DAY_MS = 24 * 60 * 60_000
/** So that "once" is a day like any other in the table, and no day at all. */
const EVER = 0
const MOST_ADMINS = 50

export class Newsroom {
  constructor(
    private readonly world: { env: Env; db: Db; log: Log; outbox: Pick<Outbox, 'put'>; url: () => string; mark: Mark },
  ) {}

  /** Writes to a user, in `tx`, unless they want no such letters or had this one. @returns whether it did */
  async tell(tx: Queries, userId: string, { kind, about, letter, once = false }: News): Promise<boolean> {
    const { env, db, log, outbox, url, mark } = this.world
    const { tellings, users } = db.tables
    const [user] = await tx
      .select({ email: users.email, muted: users.muted })
      .from(users)
      .where(and(eq(users.id, userId), isNull(users.erasedAt), isNull(users.suspendedAt)))
    if (!user || user.muted?.includes(kind)) return false
    const day = once ? EVER : env.now() - (env.now() % DAY_MS)
    const first = await tx
      .insert(tellings)
      .values({ userId, kind, about, day })
      .onConflictDoNothing()
      .returning({ day: tellings.day })
    if (first.length === 0) return false
    try {
      const hub = url()
      const off = hub + offPath(mark, userId, kind)
      await outbox.put(tx, user.email, letter({ hub, settings: `${hub}/account#letters`, off }))
      return true
    } catch (error) {
      // What it tells is so all the same.
      if (!(error instanceof HubError)) throw error
      log.warn('news could not be written', { user: userId, kind, error: error.message })
      return false
    }
  }

  /** Writes to everybody who runs this hub. */
  async tellAdmins(tx: Queries, news: News): Promise<void> {
    const { users } = this.world.db.tables
    const admins = await tx
      .select({ id: users.id })
      .from(users)
      // Roles are kept as JSON.
      .where(and(sql`${users.roles} like ${'%"admin"%'}`, isNull(users.erasedAt), isNull(users.suspendedAt)))
      .limit(MOST_ADMINS)
    for (const { id } of admins) await this.tell(tx, id, news)
  }
}

/** What a user can choose among. */
export function newsFor(roles: readonly Role[]): NewsKind[] {
  return (Object.keys(newsKinds) as NewsKind[]).filter((kind) => roles.includes(newsKinds[kind].role))
}

/** From now on the user wants these, and no others that they could have. */
export async function wantNews(
  db: Db,
  userId: string,
  roles: readonly Role[],
  wanted: readonly string[],
): Promise<void> {
  const { users } = db.tables
  const muted = newsFor(roles).filter((kind) => !wanted.includes(kind))
  await db.query
    .update(users)
    .set({ muted: muted.length > 0 ? muted : null })
    .where(eq(users.id, userId))
}

/** Days that are over. */
export async function sweepNews(env: Env, db: Db): Promise<void> {
  const { tellings } = db.tables
  await db.query.delete(tellings).where(and(gt(tellings.day, EVER), lt(tellings.day, env.now() - 2 * DAY_MS)))
}
