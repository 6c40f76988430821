import { eq, inArray } from 'drizzle-orm'
import { type Db, sumOf } from '../../db/open.ts'
import type { Money } from '../../sdk/money.ts'
import { isMaterialised } from './chart.ts'

/** What an account has: a client's credit, a host's earnings; for the platform's accounts, the sum of their entries. */
export async function balance(db: Db, account: string): Promise<Money> {
  if (isMaterialised(account)) return (await balanceRow(db, account)).balance
  const { entries } = db.tables
  const [row] = await db.query
    .select({ sum: sumOf(entries.amount) })
    .from(entries)
    .where(eq(entries.account, account))
  return row?.sum ?? 0n
}

/** A client's or host's row: its balance, and the part of it that hubs have set aside. */
export async function balanceRow(db: Db, account: string): Promise<{ balance: Money; granted: Money }> {
  const { accounts } = db.tables
  const [row] = await db.query
    .select({ balance: accounts.balance, granted: accounts.granted })
    .from(accounts)
    .where(eq(accounts.id, account))
  return row ?? { balance: 0n, granted: 0n }
}

/** What some clients' or hosts' accounts have together. */
export async function balanceOfAll(db: Db, ids: string[]): Promise<Money> {
  const { accounts } = db.tables
  if (ids.length === 0) return 0n
  const [row] = await db.query
    .select({ sum: sumOf(accounts.balance) })
    .from(accounts)
    .where(inArray(accounts.id, ids))
  return row?.sum ?? 0n
}
