// One kind of news, switched off by the link in a letter of it: without signing in, for whoever has the letter, and for
// nothing else. RFC 2369 and, for one click in a mail program, RFC 8058.
import { timingSafeEqual } from 'node:crypto'
import { and, eq, isNull } from 'drizzle-orm'
import { type Db, forUpdate } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import { HubError } from '../errors.ts'
import { isNewsKind, type NewsKind } from './news-kinds.ts'

/** What nobody without the hub's secret can make of a text. */
export type Mark = (text: string) => string

/** Whose letters of which kind, and the mark that says that the hub wrote so. */
export interface Off {
  of: string
  kind: string
  mark: string
}

/** The path of the link; a GET of it changes nothing. */
export function offPath(mark: Mark, userId: string, kind: NewsKind): string {
  const query = new URLSearchParams({ of: userId, kind, mark: mark(marked(userId, kind)) })
  return `/letters/off?${query}`
}

/** They get no more letters of that kind, as if they had chosen so themselves. @throws HubError `link_not_valid` */
export async function letterOff(db: Db, mark: Mark, { of, kind, mark: given }: Off): Promise<void> {
  if (!isNewsKind(kind) || !equal(given, mark(marked(of, kind)))) throw notValid()
  const { users } = db.tables
  await transaction(db, async (tx) => {
    const [user] = await forUpdate(
      tx
        .select({ muted: users.muted })
        .from(users)
        .where(and(eq(users.id, of), isNull(users.erasedAt))),
    )
    if (!user) throw notValid()
    const muted = [...new Set([...(user.muted ?? []), kind])]
    await tx.update(users).set({ muted }).where(eq(users.id, of))
  })
}

function marked(userId: string, kind: NewsKind): string {
  return `${userId} ${kind}`
}

function equal(given: string, right: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(right)]
  return a.length === b.length && timingSafeEqual(a, b)
}

function notValid(): HubError {
  return new HubError(
    'link_not_valid',
    'This link is not whole, or not ours. Sign in and choose under Account, Letters.',
  )
}
