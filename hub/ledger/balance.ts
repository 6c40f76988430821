// What accounts have. A client's or host's is in its row. The platform's accounts have no row, and are read without one:
// every posting sums to zero, so the fees are what all other accounts lack. Nobody's request writes anything for that,
// nobody's clock matters, and a year of fees costs no more to read than a day of them.
import { and, eq, inArray, notInArray, sql } from 'drizzle-orm'
import { type Db, sumOf } from '../../db/open.ts'
import type { Money } from '../../sdk/money.ts'
import { FEES, isMaterialised, PLATFORM } from './chart.ts'
import { sumOfParts, type SumParts, sumParts } from './sum-parts.ts'

/** What an account has: a client's credit, a host's earnings, what went to or came from the platform. */
export async function balance(db: Db, account: string): Promise<Money> {
  if (isMaterialised(account)) return (await balanceRow(db, account)).balance
  return (await platformBalances(db)).get(account) ?? 0n
}

/** Of each of the platform's accounts the sum of its entries, all as of one instant. */
export async function platformBalances(db: Db): Promise<Map<string, Money>> {
  const { accounts, entries } = db.tables
  const written = PLATFORM.filter((account) => account !== FEES)
  // One statement, so that both parts see the same postings.
  const rows = await db.rows<{ account: string } & SumParts>(
    db.query,
    sql`select ${entries.account} as account, ${sql.raw(sumParts('amount'))} from ${entries}
        where ${inArray(entries.account, written)} group by ${entries.account}
        union all select '', ${sql.raw(sumParts('balance'))} from ${accounts}`,
  )
  const sums = new Map(rows.map((row) => [row.account, sumOfParts(row)]))
  const all = [...sums.values()].reduce((sum, each) => sum + each, 0n)
  return new Map(PLATFORM.map((account) => [account, account === FEES ? -all : (sums.get(account) ?? 0n)]))
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

/** What all hosts of one owner but `without` have earned together, and not been paid. */
export async function earningsOf(db: Db, ownerId: string, without: string[] = []): Promise<Money> {
  const { accounts, hosts } = db.tables
  // As `pendingAccount` names them.
  const pending = db.query
    .select({ id: sql<string>`'host:' || ${hosts.id} || ':pending'` })
    .from(hosts)
    .where(and(eq(hosts.ownerId, ownerId), notInArray(hosts.id, without)))
  const [row] = await db.query
    .select({ sum: sumOf(accounts.balance) })
    .from(accounts)
    .where(inArray(accounts.id, pending))
  return row?.sum ?? 0n
}
