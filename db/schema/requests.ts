// The record of every admitted request, written once, when it ends.
import { sql } from 'drizzle-orm'
import type { Columns } from '../columns.ts'

/** `running` exists only in the memory of the hub that serves the request. */
export type EndState = 'completed' | 'cancelled' | 'failed' | 'lost'

export function requestTables({ table, index, text, flag, integer, money, time }: Columns) {
  const requests = table(
    'requests',
    {
      /** The answer's `x-request-id`. */
      id: text().primaryKey(),
      hubId: text().notNull(),
      userId: text().notNull(),
      keyId: text().notNull(),
      /** Catalog id of the variant that answered. */
      variant: text().notNull(),
      state: text().$type<EndState>().notNull(),
      stream: flag().notNull(),
      at: time().notNull(),
      endedAt: time().notNull(),
      firstTokenMs: integer(),
      promptTokens: integer().notNull(),
      completionTokens: integer().notNull(),
      /** What the host said it produced; null when it said nothing. Never the basis of a charge above the hub's count. */
      claimedTokens: integer(),
      /** The two counts differ by more than sampling explains. */
      countsDiffer: flag().notNull(),
      promptPicos: integer().notNull(),
      completionPicos: integer().notNull(),
      cost: money().notNull(),
      fee: money().notNull(),
      hostShare: money().notNull(),
      /** The host that finished, and so is paid; null when none did. */
      hostId: text(),
      attempts: integer().notNull(),
      /** How often the answer went on with another host after it had begun. */
      resumed: integer().notNull().default(sql`0`),
      finishReason: text(),
      errorCode: text(),
      /** The end of the answer was handed to the network. False after the hub's death means: refund. */
      delivered: flag().notNull(),
    },
    (t) => [
      index('requests_user').on(t.userId, t.at),
      index('requests_host').on(t.hostId, t.at),
      index('requests_undelivered').on(t.hubId).where(sql`not ${t.delivered}`),
      index('requests_at').on(t.at),
      index('requests_lost').on(t.endedAt).where(sql`${t.state} = 'lost'`),
    ],
  )
  return { requests }
}
