// What admins did: who, what, to what, before and after. Every act of an admin, on a page or the command line, goes
// through here, in the transaction that does it. Rows are only ever added.
import { and, desc, eq, lt } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { type Env, newId } from '../../sdk/env.ts'

/** An admin's user id, or whoever sits at the machine. */
export type Actor = { userId: string } | 'command line'

/** Whom an act is of. What a hub does by itself to what admins decide about is on record, too. */
export type By = Actor | 'hub'

/** As it is stored, and shown where there is no page about it. */
export function byName(by: By): string | null {
  if (by === 'command line') return null
  return by === 'hub' ? by : by.userId
}

export interface Act {
  id: string
  at: number
  by: By
  /** Dotted, the thing first: `setting.change`, `user.suspend`. */
  what: string
  /** An id or a setting's name; never a person's address or name, which could not be erased here. */
  subject: string
  before: unknown
  after: unknown
}

/** Writes an act down, in `tx`: the act and its record happen together or not at all. */
export async function record(
  env: Env,
  { tables }: Db,
  tx: Queries,
  { by, what, subject, before = null, after = null }: Omit<Act, 'id' | 'at' | 'before' | 'after'> & Partial<Act>,
): Promise<void> {
  await tx
    .insert(tables.acts)
    .values({ id: newId(env, 'act'), at: env.now(), by: byName(by), what, subject, before, after })
}

/** As `record`, of what leaves nothing else in the database, such as a word to a host. */
export async function recordAlone(env: Env, db: Db, act: Parameters<typeof record>[3]): Promise<void> {
  await transaction(db, (tx) => record(env, db, tx, act))
}

function readBy(by: string | null): By {
  if (by === null) return 'command line'
  return by === 'hub' ? by : { userId: by }
}

/** Newest first, before the id `before`; of one subject where one is named. */
export async function listActs(
  db: Db,
  { limit, before, subject }: { limit: number; before?: string; subject?: string },
): Promise<Act[]> {
  const { acts } = db.tables
  const rows = await db.query
    .select()
    .from(acts)
    .where(
      and(
        before === undefined ? undefined : lt(acts.id, before),
        subject === undefined ? undefined : eq(acts.subject, subject),
      ),
    )
    .orderBy(desc(acts.id))
    .limit(limit)
  return rows.map(({ by, ...row }) => ({ ...row, by: readBy(by) }))
}
