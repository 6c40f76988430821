// A fresh hub has nobody who could invite anybody. Until it has an admin, each start prints a link that makes one.
import { eq, sql } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { record } from '../policy/acts.ts'
import { type Caller, limitKey } from './caller.ts'
import type { Identity } from './identity.ts'
import { join } from './join.ts'
import { checkPassword } from './passwords.ts'
import { paths } from './paths.ts'
import { openSession } from './sessions.ts'
import { issueTicket, readTicket, takeTicket } from './tickets.ts'
import { normalEmail, type User } from './users.ts'

/** @returns a path that makes the first admin, once; null when there is one. Paths printed before end here. */
export async function firstAdminPath(env: Env, db: Db): Promise<string | null> {
  if (await hasAdmin(db, db.query)) return null
  const { tickets } = db.tables
  await db.query.delete(tickets).where(eq(tickets.purpose, 'first-admin'))
  return paths.firstAdmin(await issueTicket(env, db, db.query, 'first-admin', { userId: null, data: {} }))
}

/** Whoever reads the hub's terminal may; their address needs no proof. @throws HubError `link_not_valid` */
export async function becomeFirstAdmin(
  identity: Identity,
  caller: Caller,
  { ticket, email: given, password }: { ticket: string; email: string; password: string },
): Promise<{ secret: string; user: User }> {
  const { env, db, limits, passwords } = identity
  limits.take('ticketFrom', limitKey(caller.address))
  await readTicket(env, db, 'first-admin', ticket)
  const email = normalEmail(given)
  checkPassword(password, email)
  const hash = await passwords.hash(password)
  const login = { provider: 'password' as const, hash }
  const person = { email, name: null, country: null, roles: ['admin' as const, 'client' as const], terms: null }
  const user = await join(identity, { ...person, invitation: null, login }, async (tx) => {
    await takeTicket(env, db, tx, 'first-admin', ticket)
    if (await hasAdmin(db, tx)) throw new HubError('link_not_valid', 'This hub has an admin by now. Sign in.')
  })
  if (!user)
    throw new HubError(
      'invalid_request',
      'This address has an account already. Make it an admin with: gpuhub user roles EMAIL --role admin',
    )
  await record(env, db, db.query, { by: { userId: user.id }, what: 'admin.first', subject: user.id })
  const { secret } = await openSession(env, db, db.query, user.id, caller)
  return { secret, user }
}

async function hasAdmin({ tables: { users } }: Db, on: Queries): Promise<boolean> {
  return (await on.$count(users, sql`${users.roles} like '%"admin"%'`)) > 0
}
