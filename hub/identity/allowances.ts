// What a key or an account may do, where it is not what everybody may.
import { inArray } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Tables } from '../../db/schema.ts'
import type { Money } from '../../sdk/money.ts'

/** Null: as the hub's settings say. 0: no limit. */
export interface Allowance {
  requestsPerMinute: number | null
  tokensPerMinute: number | null
  /** Requests in progress at a time. */
  concurrency: number | null
}

export interface KeyAllowance extends Allowance {
  /** The most it may ever spend; null: as much as its account has. */
  budget: Money | null
  /** From then on it is refused; null: never. */
  expiresAt: number | null
  /** What it may ask for, as `keyModelsFrom` writes it; null: everything. */
  models: string[] | null
}

export type AllowanceRow = Tables['limits']['$inferSelect']

export const NO_ALLOWANCE: Allowance = { requestsPerMinute: null, tokensPerMinute: null, concurrency: null }

/** It may do less, or more, than others of its account. */
export function saysSomething(allowance: KeyAllowance): boolean {
  const { requestsPerMinute, tokensPerMinute, concurrency, budget, expiresAt, models } = allowance
  return [requestsPerMinute, tokensPerMinute, concurrency, budget, expiresAt, models].some((said) => said !== null)
}

/** Changes what is given and leaves the rest; every hub knows within a second. `subject`: the id of a key or of a user. */
export async function allow(db: Db, subject: string, change: Partial<KeyAllowance>): Promise<void> {
  if (Object.keys(change).length === 0) return
  const { limits } = db.tables
  await db.query
    .insert(limits)
    .values({ subject, ...change })
    .onConflictDoUpdate({ target: limits.subject, set: change })
}

/** What is said about keys or users, by id; about the others nothing is. */
export async function allowancesOf(db: Db, subjects: string[]): Promise<Map<string, AllowanceRow>> {
  const { limits } = db.tables
  const rows = await db.query.select().from(limits).where(inArray(limits.subject, subjects))
  return new Map(rows.map((row) => [row.subject, row]))
}
