// Letters that are to be sent, and what became of them.
import type { Columns } from '../columns.ts'

export function mailTables({ table, index, primaryKey, text, integer, time }: Columns) {
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
      /** Where its reader switches this kind of letter off, until it is sent; null: it always comes. */
      off: text(),
      createdAt: time().notNull(),
      /** When it is tried next; null: never again. */
      nextAt: time(),
      tries: integer().notNull(),
      sentAt: time(),
      error: text(),
    },
    (t) => [index('mails_next').on(t.nextAt), index('mails_recipient').on(t.recipient)],
  )
  /** Whom news was sent of what today: of one thing nobody gets two letters in a day. */
  const tellings = table(
    'tellings',
    {
      userId: text().notNull(),
      kind: text().notNull(),
      /** What it is about: a key's, host's or alarm's id. */
      about: text().notNull(),
      /** Midnight UTC at which the day began. */
      day: time().notNull(),
    },
    (t) => [primaryKey({ columns: [t.userId, t.kind, t.about, t.day] }), index('tellings_day').on(t.day)],
  )

  return { mails, tellings }
}
