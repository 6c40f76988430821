// What went through, summed by hour and by day, so that a page over a year reads hundreds of rows instead of a million.
import { sql } from 'drizzle-orm'
import type { Columns } from '../columns.ts'

export type Span = 'hour' | 'day'

export function trafficTables({ table, index, primaryKey, text, integer, money, time }: Columns) {
  const count = () => integer().notNull().default(sql`0`)
  const sums = () => ({
    completed: integer().notNull(),
    cancelled: integer().notNull(),
    failed: integer().notNull(),
    lost: integer().notNull(),
    /** Completed after more than one attempt. */
    moved: integer().notNull(),
    promptTokens: integer().notNull(),
    completionTokens: integer().notNull(),
    cost: money().notNull(),
    hostShare: money().notNull(),
    /** Of completed answers: from their first token to their end, and how many tokens came in that time. */
    decodeMs: integer().notNull(),
    decodedTokens: integer().notNull(),
    /** Answers that began, and how many of them had begun within so many milliseconds. Such counts add up; a median does not. */
    begun: count(),
    within50: count(),
    within100: count(),
    within150: count(),
    within200: count(),
    within300: count(),
    within400: count(),
    within500: count(),
    within750: count(),
    within1000: count(),
    within1500: count(),
    within2000: count(),
    within3000: count(),
    within5000: count(),
    within10000: count(),
    within30000: count(),
  })

  const clientTraffic = table(
    'client_traffic',
    {
      userId: text().notNull(),
      span: text().$type<Span>().notNull(),
      /** When the hour or day begins. */
      at: time().notNull(),
      keyId: text().notNull(),
      variant: text().notNull(),
      ...sums(),
    },
    (t) => [
      primaryKey({ columns: [t.userId, t.span, t.at, t.keyId, t.variant] }),
      index('client_traffic_at').on(t.span, t.at),
    ],
  )

  /** By the host that finished, and so was paid. */
  const hostTraffic = table(
    'host_traffic',
    {
      hostId: text().notNull(),
      span: text().$type<Span>().notNull(),
      at: time().notNull(),
      variant: text().notNull(),
      ...sums(),
    },
    (t) => [primaryKey({ columns: [t.hostId, t.span, t.at, t.variant] }), index('host_traffic_at').on(t.span, t.at)],
  )

  /** Of all hosts of an owner together, whose first page would else read a row a day for each of them. */
  const ownerTraffic = table(
    'owner_traffic',
    {
      ownerId: text().notNull(),
      span: text().$type<Span>().notNull(),
      at: time().notNull(),
      variant: text().notNull(),
      ...sums(),
    },
    (t) => [primaryKey({ columns: [t.ownerId, t.span, t.at, t.variant] }), index('owner_traffic_at').on(t.span, t.at)],
  )

  /** Of the whole hub, so that what everybody did is not added up from what each did. */
  const allTraffic = table(
    'all_traffic',
    {
      span: text().$type<Span>().notNull(),
      at: time().notNull(),
      variant: text().notNull(),
      ...sums(),
    },
    (t) => [primaryKey({ columns: [t.span, t.at, t.variant] })],
  )

  /** Up to when each is summed; what ended later is read from the requests themselves. */
  const trafficUntil = table('traffic_until', { span: text().$type<Span>().primaryKey(), at: time().notNull() })

  return { clientTraffic, hostTraffic, ownerTraffic, allTraffic, trafficUntil }
}
