// People. Their money, requests and machines live elsewhere and point here by id.
import { asc, eq, gt } from 'drizzle-orm'
import { type Db, isUniqueViolation } from '../../db/open.ts'
import type { AcceptedTerms, Role } from '../../db/schema/people.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'

export type { AcceptedTerms, Role, TermsRole } from '../../db/schema/people.ts'

export interface User {
  id: string
  email: string
  name: string | null
  /** ISO 3166-1, as they declared it. */
  country: string | null
  roles: Role[]
  /** The role whose pages they saw last; null: they were never asked. */
  hat: Role | null
  /** The newest terms they accepted, by role; null: they were never asked. */
  terms: AcceptedTerms | null
  /** Kinds of news they want no letters about; null: none. */
  muted: string[] | null
  createdAt: number
  /** Since when their keys and hosts are refused; null for everybody else. */
  suspendedAt: number | null
  /** Why, as they are told; null: they are not suspended, or nobody said. */
  suspendedFor: string | null
  /** Since when nobody knows any more who this was; null for everybody else. */
  erasedAt: number | null
}

const LONGEST_EMAIL = 254

/** One spelling for each address, so that `Ada@Example.com ` signs in as `ada@example.com`. @throws HubError */
export function normalEmail(text: string): string {
  const email = text.normalize('NFKC').trim().toLowerCase()
  if (email.length > LONGEST_EMAIL || !/^[^\s@"<>]+@[^\s@"<>]+$/.test(email)) {
    throw new HubError('invalid_request', 'That is not an e-mail address. Write it like ada@example.com.', {
      param: 'email',
    })
  }
  return email
}

/** The ledger account that a client's requests are paid from. */
export function clientAccount(userId: string): string {
  return `client:${userId}`
}

/** A user who is not in the database yet. There is none whose address is not known to be theirs. */
export function newUser(
  env: Env,
  person: Pick<User, 'email' | 'roles'> & Partial<Pick<User, 'country' | 'name' | 'terms'>>,
): User {
  return {
    id: newId(env, 'usr'),
    email: normalEmail(person.email),
    name: person.name ?? null,
    country: person.country ?? null,
    roles: [...new Set(person.roles)],
    hat: null,
    terms: person.terms ?? null,
    muted: null,
    createdAt: env.now(),
    suspendedAt: null,
    suspendedFor: null,
    erasedAt: null,
  }
}

/** For the team, which vouches for the address. @throws HubError when it is taken. */
export async function addUser(env: Env, db: Db, person: { email: string; roles: Role[] }): Promise<User> {
  const user = newUser(env, person)
  try {
    await db.query.insert(db.tables.users).values(user)
  } catch (error) {
    if (!isUniqueViolation(error)) throw error
    throw new HubError('invalid_request', `${user.email} is already a user here.`, { param: 'email', cause: error })
  }
  return user
}

export async function findUser(db: Db, email: string): Promise<User | null> {
  const { users } = db.tables
  const [user] = await db.query
    .select()
    .from(users)
    .where(eq(users.email, normalEmail(email)))
  return user ?? null
}

export async function userById(db: Db, id: string): Promise<User | null> {
  const { users } = db.tables
  const [user] = await db.query.select().from(users).where(eq(users.id, id))
  return user ?? null
}

/** Oldest first, after the id `after`. */
export async function listUsers(db: Db, page: { limit: number; after?: string }): Promise<User[]> {
  const { users } = db.tables
  const query = db.query.select().from(users).orderBy(asc(users.id)).limit(page.limit)
  return page.after === undefined ? query : query.where(gt(users.id, page.after))
}
