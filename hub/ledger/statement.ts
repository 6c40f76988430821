import { and, desc, eq, sql } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Money } from '../../sdk/money.ts'
import type { PostingKind } from './items.ts'

export interface StatementLine {
  posting: string
  kind: PostingKind
  note: string
  at: number
  amount: Money
}

interface Page {
  limit: number
  /** The last line of the page before. */
  before: { at: number; posting: string } | null
}

/** What happened to one account, newest first. */
export async function statement(db: Db, account: string, { limit, before }: Page): Promise<StatementLine[]> {
  const { entries, postings } = db.tables
  // As one comparison: the index is entered there, instead of read up to there.
  const older = before ? sql`(${entries.at}, ${entries.posting}) < (${before.at}, ${before.posting})` : undefined
  return db.query
    .select({
      posting: entries.posting,
      kind: postings.kind,
      note: postings.note,
      at: entries.at,
      amount: entries.amount,
    })
    .from(entries)
    .innerJoin(postings, eq(postings.key, entries.posting))
    .where(and(eq(entries.account, account), older))
    .orderBy(desc(entries.at), desc(entries.posting))
    .limit(limit)
}
