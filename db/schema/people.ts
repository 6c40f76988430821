// Who may do what: users, the keys their requests carry, the tokens their machines enrol with.
import type { Columns } from '../columns.ts'

export type Role = 'client' | 'host' | 'admin'

/** Roles that terms of service exist for. */
export type TermsRole = 'client' | 'host'
export type AcceptedTerms = Partial<Record<TermsRole, string>>

export function peopleTables({ table, index, text, time, json }: Columns) {
  const users = table('users', {
    id: text().primaryKey(),
    /** Of somebody erased: a text that is no address, so that nobody is found by it. */
    email: text().notNull().unique(),
    name: text(),
    /** ISO 3166-1, as its owner declared it. */
    country: text(),
    roles: json<Role[]>().notNull(),
    /** The role whose pages they saw last. */
    hat: text().$type<Role>(),
    /** The newest terms they accepted, by role; what they accepted when is in `acceptances`. */
    terms: json<AcceptedTerms>(),
    /** Kinds of news they want no letters about; null: none. */
    muted: json<string[]>(),
    createdAt: time().notNull(),
    suspendedAt: time(),
    /** Why, in the words they are told; null: they are not suspended, or nobody said. */
    suspendedFor: text(),
    erasedAt: time(),
  })

  const keys = table(
    'keys',
    {
      id: text().primaryKey(),
      userId: text()
        .notNull()
        .references(() => users.id, { onDelete: 'restrict' }),
      name: text().notNull(),
      /** SHA-256 of the key, hex. The key itself is shown once and kept nowhere. */
      hash: text().notNull().unique(),
      /** Its last four characters, so that a person can tell keys apart. */
      hint: text().notNull(),
      createdAt: time().notNull(),
      revokedAt: time(),
    },
    (t) => [index('keys_user').on(t.userId, t.createdAt)],
  )

  const hostTokens = table(
    'host_tokens',
    {
      id: text().primaryKey(),
      ownerId: text()
        .notNull()
        .references(() => users.id, { onDelete: 'restrict' }),
      name: text().notNull(),
      hash: text().notNull().unique(),
      hint: text().notNull(),
      /** Ed25519 public key (32 bytes, base64) of the one machine that may use it; null: any machine. */
      machineKey: text(),
      createdAt: time().notNull(),
      revokedAt: time(),
    },
    (t) => [index('host_tokens_owner').on(t.ownerId)],
  )

  const acknowledgements = table(
    'acknowledgements',
    {
      id: text().primaryKey(),
      userId: text()
        .notNull()
        .references(() => users.id, { onDelete: 'restrict' }),
      model: text().notNull(),
      /** Names the licence texts that were agreed to; another value asks again. */
      licence: text().notNull(),
      statements: json<string[]>().notNull(),
      at: time().notNull(),
    },
    (t) => [index('acknowledgements_user').on(t.userId, t.model)],
  )

  return { users, keys, hostTokens, acknowledgements }
}
