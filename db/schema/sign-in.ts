// How people come in and stay in: logins, sessions, one-time tickets, second factors, invitations, and machines that
// sign in on their owner's behalf. Secrets are kept as hashes; what must be read back is sealed.
import type { Columns } from '../columns.ts'
import type { peopleTables, Role, TermsRole } from './people.ts'

export type Provider = 'password' | 'github' | 'google'

export function signInTables(
  { table, index, uniqueIndex, text, integer, money, time, json }: Columns,
  { users }: Pick<ReturnType<typeof peopleTables>, 'users'>,
) {
  const userId = () =>
    text()
      .notNull()
      .references(() => users.id, { onDelete: 'restrict' })

  /** One way in. */
  const logins = table(
    'logins',
    {
      id: text().primaryKey(),
      userId: userId(),
      provider: text().$type<Provider>().notNull(),
      /** The user at that provider; for a password, our own user. */
      subject: text().notNull(),
      /** The password's hash (argon2id, PHC string); null for the others. */
      secret: text(),
      createdAt: time().notNull(),
    },
    (t) => [uniqueIndex('logins_subject').on(t.provider, t.subject), index('logins_user').on(t.userId)],
  )

  /** A browser that is signed in. Signed out: no row. */
  const sessions = table(
    'sessions',
    {
      id: text().primaryKey(),
      userId: userId(),
      hash: text().notNull().unique(),
      createdAt: time().notNull(),
      /** To a few minutes. */
      seenAt: time().notNull(),
      /** When the password (or its like) was last asked for. */
      provedAt: time().notNull(),
      address: text().notNull(),
      agent: text().notNull(),
    },
    (t) => [index('sessions_user').on(t.userId), index('sessions_seen').on(t.seenAt)],
  )

  /** Lets its bearer do one thing, once: the secret in a mailed link, the step between password and code. Used: no row. */
  const tickets = table(
    'tickets',
    {
      id: text().primaryKey(),
      purpose: text().notNull(),
      hash: text().notNull().unique(),
      userId: text().references(() => users.id, { onDelete: 'restrict' }),
      data: json<unknown>().notNull(),
      createdAt: time().notNull(),
      expiresAt: time().notNull(),
    },
    (t) => [index('tickets_user').on(t.userId), index('tickets_expiry').on(t.expiresAt)],
  )

  const secondFactors = table('second_factors', {
    userId: userId().primaryKey(),
    /** The TOTP secret, sealed. */
    secret: text().notNull(),
    /** Null while its owner has not shown a first code. */
    confirmedAt: time(),
    /** The step of the last code that was taken: none is taken twice. */
    lastStep: integer().notNull(),
    /** Wrong codes since the last right one. */
    failures: integer().notNull(),
    lockedUntil: time(),
  })

  const recoveryCodes = table(
    'recovery_codes',
    {
      id: text().primaryKey(),
      userId: userId(),
      /** Keyed with the hub's secret: such a code is too short for a plain hash. */
      mac: text().notNull().unique(),
      usedAt: time(),
    },
    (t) => [index('recovery_codes_user').on(t.userId)],
  )

  const invitations = table('invitations', {
    id: text().primaryKey(),
    hash: text().notNull().unique(),
    hint: text().notNull(),
    /** Only for this address; null: for whoever holds the link. */
    email: text(),
    roles: json<Role[]>().notNull(),
    credit: money().notNull(),
    /** The admin who made it; null: the command line. */
    createdBy: text(),
    createdAt: time().notNull(),
    expiresAt: time().notNull(),
    usedAt: time(),
    usedBy: text(),
    revokedAt: time(),
  })

  /** What a user accepted, and when. Never changed. */
  const acceptances = table(
    'acceptances',
    {
      id: text().primaryKey(),
      userId: userId(),
      role: text().$type<TermsRole>().notNull(),
      version: text().notNull(),
      at: time().notNull(),
    },
    (t) => [index('acceptances_user').on(t.userId)],
  )

  /** Credit promised to a user in the transaction that made the promise; posted to the ledger under the same key. */
  const gifts = table(
    'gifts',
    {
      key: text().primaryKey(),
      userId: userId(),
      amount: money().notNull(),
      note: text().notNull(),
      createdAt: time().notNull(),
      postedAt: time(),
    },
    (t) => [index('gifts_user').on(t.userId)],
  )

  /** A machine that asks to join (RFC 8628). Gone once its token is handed out, it was refused, or its time is up. */
  const deviceSignIns = table(
    'device_sign_ins',
    {
      id: text().primaryKey(),
      /** Of the secret that only the machine has. */
      hash: text().notNull().unique(),
      /** What a person types. */
      code: text().notNull().unique(),
      /** Ed25519, 32 bytes, base64: the token will work for its holder only. */
      machineKey: text().notNull(),
      name: text().notNull(),
      gpu: text().notNull(),
      agent: text().notNull(),
      /** Where the machine says it is. */
      timeZone: text(),
      /** Where a trusted proxy says it is. */
      country: text(),
      address: text().notNull(),
      createdAt: time().notNull(),
      expiresAt: time().notNull(),
      polledAt: time(),
      intervalSeconds: integer().notNull(),
      /** The one user who may decide: the first who typed the code. */
      claimedBy: text(),
      decision: text().$type<'approved' | 'refused'>(),
    },
    (t) => [index('device_sign_ins_expiry').on(t.expiresAt)],
  )

  return {
    logins,
    sessions,
    tickets,
    secondFactors,
    recoveryCodes,
    invitations,
    acceptances,
    gifts,
    deviceSignIns,
  }
}
