// Letters that are to be sent, and what became of them.
import type { Columns } from '../columns.ts'

export function mailTables({ table, index, text, integer, time }: Columns) {
  const mails = table(
    'mails',
    {
      id: text().primaryKey(),
      kind: text().notNull(),
      /** The address. */
      recipient: text().notNull(),
      subject: text().notNull(),
      /** Null once the letter is sent or given up: it may hold a link that opens an account. */
      text: text(),
      html: text(),
      createdAt: time().notNull(),
      /** When it is tried next; null: never again. */
      nextAt: time(),
      tries: integer().notNull(),
      sentAt: time(),
      error: text(),
    },
    (t) => [index('mails_next').on(t.nextAt), index('mails_recipient').on(t.recipient)],
  )
  return { mails }
}
