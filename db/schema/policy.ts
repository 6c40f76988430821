// What the team decided, and what its admins did.
import type { Columns } from '../columns.ts'

export function policyTables({ table, index, text, time, json }: Columns) {
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
      /** The admin's user id; null: the command line. */
      by: text(),
      what: text().notNull(),
      /** What it was done to: a setting's name, a user's or an invitation's id. Never an address or a name of a person. */
      subject: text().notNull(),
      before: json<unknown>(),
      after: json<unknown>(),
    },
    (t) => [index('acts_subject').on(t.subject)],
  )

  return { settings, acts }
}
