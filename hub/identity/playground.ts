// The key a person's own pages carry: one of their keys like any other, so that what is asked there counts, is billed
// and ends as usual. Nobody ever sees it: it follows from the hub's secret, and the database knows its hash alone.
import { eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { addKey, KEY_PREFIX } from './keys.ts'
import type { Seal } from './seal.ts'
import { makeSecret } from './secret.ts'

/** Whoever revokes it gets another the next time; so often. */
const MOST = 50

/** @throws HubError */
export async function playgroundKey(
  { env, db, seal }: { env: Env; db: Db; seal: Seal },
  userId: string,
): Promise<string> {
  const { keys } = db.tables
  for (let turn = 0; turn < MOST; turn++) {
    const made = makeSecret(seal.stream('playground', `${userId} ${turn}`), KEY_PREFIX)
    const find = () => db.query.select({ revokedAt: keys.revokedAt }).from(keys).where(eq(keys.hash, made.hash))
    const [known] = await find()
    if (known?.revokedAt === null) return made.secret
    if (known) continue
    try {
      await addKey(env, db, { userId, name: 'Playground', made })
    } catch (error) {
      // Two questions at once: the other one made it.
      if ((await find()).length === 0) throw error
    }
    return made.secret
  }
  throw new HubError('invalid_request', 'The playground’s key was revoked too often. Ask with a key of your own.')
}
