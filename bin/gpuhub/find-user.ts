import type { Db } from '../../db/open.ts'
import { findUser, type User } from '../../hub/identity/users.ts'
import { Failure } from '../failure.ts'

/** @throws Failure when nobody has this address. */
export async function existingUser(db: Db, email: string): Promise<User> {
  const user = await findUser(db, email)
  if (!user) throw new Failure(`Nobody here has the address ${email}.`, 1, 'See: gpuhub user list, gpuhub user add')
  return user
}
