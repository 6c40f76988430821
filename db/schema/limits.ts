// What requests are held to: allowances of keys and accounts, and what was asked with an `Idempotency-Key`.
import { sql } from 'drizzle-orm'
import type { Columns } from '../columns.ts'

export type OnceState = 'running' | 'done'

export function limitTables({ table, index, text, flag, integer, money, time, json }: Columns) {
  /** What a key or an account may do, where it is not what everybody may. Null: as the hub's settings say; 0: no limit. */
  const limits = table('limits', {
    /** Id of a key or of a user. */
    subject: text().primaryKey(),
    requestsPerMinute: integer(),
    tokensPerMinute: integer(),
    /** Requests in progress at a time. */
    concurrency: integer(),
    /** The most a key may ever spend; null: as much as its account has. */
    budget: money(),
    /** What a key has spent since it has this row. Counted where requests are settled, in the same transaction. */
    spent: money().notNull().default(sql`0`),
    /** From then on a key is refused. */
    expiresAt: time(),
    /** What a key may ask for: ids of models, which stand for all their variants, and of variants. Null: everything. */
    models: json<string[]>(),
  })

  /**
   * One row an `Idempotency-Key` of an account and route, from the first request with it until a day after its end. A
   * `running` row whose hub is gone counts for nothing.
   */
  const onces = table(
    'onces',
    {
      /** SHA-256 of account, route and key, hex. */
      id: text().primaryKey(),
      requestId: text().notNull(),
      hubId: text().notNull(),
      userId: text().notNull(),
      /** The API key that asked; `answer` can be read with it alone. */
      keyId: text().notNull(),
      /** SHA-256 of the body as canonical JSON, hex. */
      body: text().notNull(),
      stream: flag().notNull(),
      state: text().$type<OnceState>().notNull(),
      /** The whole answer, encrypted; null when it was streamed or is too large. */
      answer: text(),
      at: time().notNull(),
      expiresAt: time().notNull(),
    },
    (t) => [
      index('onces_request').on(t.requestId),
      index('onces_expires').on(t.expiresAt),
      index('onces_running').on(t.hubId).where(sql`${t.state} = 'running'`),
    ],
  )

  return { limits, onces }
}
