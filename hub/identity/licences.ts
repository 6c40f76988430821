// Who agreed to which licence. What a model's licence asks for is the catalog's to know.
import { and, asc, eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { transaction } from '../../db/transaction.ts'

export interface Acknowledgement {
  model: string
  /** Names the licence texts that were agreed to; when they change, the name does, and the user is asked again. */
  licence: string
  /** What the user said yes to, word for word. */
  statements: string[]
  at: number
}

/** How an acknowledgement is looked up on the request path: see `Bearer.acknowledged`. */
export function licenceMark(model: string, licence: string): string {
  return `${model}|${licence}`
}

/** Agreeing twice keeps the first time. */
export async function acknowledge(
  env: Env,
  db: Db,
  agreed: { userId: string; model: string; licence: string; statements: string[] },
): Promise<Acknowledgement> {
  const { acknowledgements } = db.tables
  const { model, licence, userId } = agreed
  return transaction(db, async (tx) => {
    const same = and(
      eq(acknowledgements.userId, userId),
      eq(acknowledgements.model, model),
      eq(acknowledgements.licence, licence),
    )
    const [before] = await tx.select().from(acknowledgements).where(same).limit(1)
    if (before) return { model, licence, statements: before.statements, at: before.at }
    const fresh = { model, licence, statements: agreed.statements, at: env.now() }
    await tx.insert(acknowledgements).values({ id: newId(env, 'ack'), userId, ...fresh })
    return fresh
  })
}

/** Oldest first. */
export async function listAcknowledgements(db: Db, userId: string): Promise<Acknowledgement[]> {
  const { acknowledgements } = db.tables
  const { model, licence, statements, at } = acknowledgements
  return db.query
    .select({ model, licence, statements, at })
    .from(acknowledgements)
    .where(eq(acknowledgements.userId, userId))
    .orderBy(asc(acknowledgements.id))
}
