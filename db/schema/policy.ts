// What the team decided, and what its admins did.
import { sql } from 'drizzle-orm'
import type { Columns } from '../columns.ts'

export type ReportState = 'new' | 'open' | 'closed'

export function policyTables({ table, index, text, time, integer, json }: Columns) {
  /** Only what differs from the defaults in the code. */
  const settings = table('settings', {
    name: text().primaryKey(),
    value: json<unknown>().notNull(),
    changedAt: time().notNull(),
  })

  /** What admins did, as they did it. Rows are added, never changed. */
  const acts = table(
    'acts',
    {
      id: text().primaryKey(),
      at: time().notNull(),
      /** The admin's user id; `hub`: a hub by itself; null: the command line. */
      by: text(),
      what: text().notNull(),
      /** What it was done to: a setting's name, a user's or an invitation's id. Never an address or a name of a person. */
      subject: text().notNull(),
      before: json<unknown>(),
      after: json<unknown>(),
    },
    (t) => [index('acts_subject').on(t.subject)],
  )

  /** What strangers and users say is wrong with how this hub is used. */
  const reports = table(
    'reports',
    {
      id: text().primaryKey(),
      at: time().notNull(),
      kind: text().notNull(),
      /** What it is about, as they say: a request's id, a model, an address. */
      about: text().notNull(),
      text: text().notNull(),
      /** Where they want an answer; empty: nowhere. Forgotten a while after the report is closed. */
      contact: text().notNull(),
      state: text().$type<ReportState>().notNull(),
      /** The team's own. */
      note: text().notNull().default(''),
      changedAt: time().notNull(),
    },
    (t) => [index('reports_state').on(t.state, t.id)],
  )

  /** What is wrong now, and what the alert webhook was told of it. */
  const alarms = table(
    'alarms',
    {
      /** What it is about, so that the same trouble is one alarm however often it is seen. */
      id: text().primaryKey(),
      text: text().notNull(),
      raisedAt: time().notNull(),
      /** Null while it is so. */
      clearedAt: time(),
      /** What has still to be told, and when that is tried next; null: nothing. */
      nextAt: time(),
      tries: integer().notNull().default(sql`0`),
    },
    (t) => [index('alarms_next').on(t.nextAt)],
  )

  return { settings, acts, reports, alarms }
}
