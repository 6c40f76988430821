// Tickets: what lets its bearer do one thing, once, for a while. A mailed link carries one; so does the form between the
// password and the code. The database keeps the hash; taking a ticket removes it, so that of two who come at once one gets it.
import { and, eq, gt, lt } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { AcceptedTerms, Role } from '../../db/schema/people.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { hashSecret, looksLikeSecret, makeSecret } from './secret.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

/** How long a ticket is good, by purpose. */
const LIVES = {
  'sign-up': 24 * HOUR_MS,
  'sign-up-with': 30 * MINUTE_MS,
  'reset-password': HOUR_MS,
  'change-email': 24 * HOUR_MS,
  'second-factor': 10 * MINUTE_MS,
  'sign-in-with': 10 * MINUTE_MS,
  'first-admin': 24 * HOUR_MS,
} as const
export type Purpose = keyof typeof LIVES

type Nothing = Record<string, never>

/** What goes with a ticket. */
export interface Carried {
  /** Somebody who is a user once they show that the address is theirs. */
  'sign-up': {
    email: string
    name: string | null
    country: string | null
    passwordHash: string
    roles: Role[]
    terms: AcceptedTerms
    invitationId: string | null
    /** Hash of what only the browser has that signed up. */
    browser: string
  }
  /** Somebody whom a provider named, and who is to say yes to the terms. */
  'sign-up-with': { provider: 'github' | 'google'; subject: string; email: string; name: string | null }
  'reset-password': Nothing
  'change-email': { email: string }
  'second-factor': Nothing
  /** Somebody on their way to a provider and back. */
  'sign-in-with': {
    provider: 'github' | 'google'
    verifier: string
    /** Hash of what only this browser has. */
    browser: string
    /** The page to go to then. */
    next: string
    invitation: string | null
    /** Signed in already: the provider is to be one more way in. */
    linkTo: string | null
  }
  'first-admin': Nothing
}

export interface Ticket<P extends Purpose> {
  userId: string | null
  data: Carried[P]
}

const PREFIX = 'ght'

/** @returns the secret: shown once, kept nowhere */
export async function issueTicket<P extends Purpose>(
  env: Env,
  { tables }: Db,
  tx: Queries,
  purpose: P,
  { userId, data }: Ticket<P>,
): Promise<string> {
  const { secret, hash } = makeSecret(env, PREFIX)
  const createdAt = env.now()
  const expiresAt = createdAt + LIVES[purpose]
  await tx.insert(tables.tickets).values({ id: newId(env, 'tic'), purpose, hash, userId, data, createdAt, expiresAt })
  return secret
}

/** What a ticket is for, without taking it. @throws HubError `link_not_valid` */
export async function readTicket<P extends Purpose>(env: Env, db: Db, purpose: P, secret: string): Promise<Ticket<P>> {
  if (!looksLikeSecret(PREFIX, secret)) throw notValid()
  const { tickets } = db.tables
  const [row] = await db.query
    .select({ userId: tickets.userId, data: tickets.data })
    .from(tickets)
    .where(valid(env, db, purpose, secret))
  if (!row) throw notValid()
  return row as Ticket<P>
}

/** Takes a ticket: nobody gets it again, unless `tx` is undone. @throws HubError `link_not_valid` */
export async function takeTicket<P extends Purpose>(
  env: Env,
  db: Db,
  tx: Queries,
  purpose: P,
  secret: string,
): Promise<Ticket<P>> {
  if (!looksLikeSecret(PREFIX, secret)) throw notValid()
  const { tickets } = db.tables
  const [row] = await tx
    .delete(tickets)
    .where(valid(env, db, purpose, secret))
    .returning({ userId: tickets.userId, data: tickets.data })
  if (!row) throw notValid()
  return row as Ticket<P>
}

/** Makes every ticket of a user useless; of one purpose where one is named. */
export async function dropTickets({ tables }: Db, on: Queries, userId: string, purpose?: Purpose): Promise<void> {
  const { tickets } = tables
  const mine = eq(tickets.userId, userId)
  await on.delete(tickets).where(purpose === undefined ? mine : and(mine, eq(tickets.purpose, purpose)))
}

export async function sweepTickets(env: Env, db: Db): Promise<void> {
  await db.query.delete(db.tables.tickets).where(lt(db.tables.tickets.expiresAt, env.now()))
}

function valid(env: Env, { tables: { tickets } }: Db, purpose: Purpose, secret: string) {
  return and(eq(tickets.hash, hashSecret(secret)), eq(tickets.purpose, purpose), gt(tickets.expiresAt, env.now()))
}

function notValid(): HubError {
  return new HubError(
    'link_not_valid',
    'This link is not valid: it was used, it is too old, or not whole. Ask for a new one.',
  )
}
