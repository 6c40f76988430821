// The books. Only hub/ledger writes here; entries are never updated or deleted.
import { sql } from 'drizzle-orm'
import type { Columns } from '../columns.ts'

export function moneyTables({ table, index, primaryKey, check, text, integer, money, time }: Columns) {
  /** Balances that must not go below zero. Platform accounts have no row here: it would be every settlement's lock. */
  const accounts = table(
    'accounts',
    {
      id: text().primaryKey(),
      balance: money().notNull().default(sql`0`),
      /** The part of the balance that hubs may spend without asking again: the sum of this account's grants. */
      granted: money().notNull().default(sql`0`),
    },
    (t) => [
      check('accounts_granted', sql`${t.granted} >= 0`),
      check('accounts_covered', sql`${t.balance} >= ${t.granted}`),
    ],
  )

  /** One row for each thing that happened to money. Its key makes doing it twice do it once. */
  const postings = table('postings', {
    key: text().primaryKey(),
    kind: text().$type<'credit' | 'usage' | 'refund' | 'check'>().notNull(),
    note: text().notNull(),
    at: time().notNull(),
  })

  /** The lines of a posting; they sum to zero. */
  const entries = table(
    'entries',
    {
      posting: text()
        .notNull()
        .references(() => postings.key, { onDelete: 'restrict' }),
      line: integer().notNull(),
      account: text().notNull(),
      amount: money().notNull(),
      /** The posting's own instant, so that an account can be read in order of time. */
      at: time().notNull(),
    },
    (t) => [
      primaryKey({ columns: [t.posting, t.line] }),
      index('entries_account').on(t.account, t.at, t.posting),
      check('entries_nonzero', sql`${t.amount} <> 0`),
    ],
  )

  /** What one hub may spend of one account. Gone with the hub that held it. */
  const grants = table(
    'grants',
    {
      hubId: text().notNull(),
      account: text().notNull(),
      amount: money().notNull(),
    },
    (t) => [primaryKey({ columns: [t.hubId, t.account] }), check('grants_positive', sql`${t.amount} >= 0`)],
  )

  return { accounts, postings, entries, grants }
}
