// Whether the books agree with what clients saw: read from the database itself, after every hub has left.
import { eq } from 'drizzle-orm'
import { type Db, openDb, sumOf } from '../db/open.ts'
import { balance } from '../hub/ledger/balance.ts'
import { CREDITS, FEES, RELIABILITY } from '../hub/ledger/chart.ts'
import { checkLedger } from '../hub/ledger/check.ts'
import { charge, formatUsd, type Money, usdNumber } from '../sdk/money.ts'
import type { Logbook } from './logbook.ts'

export interface Books {
  /** Amounts in nano-dollars, as decimal strings. Credit is what clients were given. */
  credit: string
  balances: string
  earnings: string
  fees: string
  /** Given back to clients by the platform, while hosts kept their share. */
  refunds: string
  /** credit − balances − earnings − fees + refunds. */
  difference: string
  /** Of all entries. */
  sum: string
  /** Accounts of which something is still set aside. */
  openHolds: number
  problems: unknown[]
  /** Complete answers that stand in the books once, at the price and cost their client was told. */
  billedOnce: number
  /** Of these, given back since the hub died before it could note that they had been delivered. */
  alsoRefunded: number
  /** What does not agree, one line each. */
  wrong: string[]
}

interface Row {
  id: string
  state: string
  cost: Money
  promptTokens: number
  completionTokens: number
  promptPicos: number
  completionPicos: number
  hostId: string | null
}

const CLEAN_MS = 90_000
const LOOK_MS = 200

export async function readBooks(databaseUrl: string, logbook: Logbook): Promise<Books> {
  const db = await openDb(databaseUrl)
  try {
    await cleared(db)
    const { accounts, entries, requests } = db.tables
    const all = await db.query.select({ id: accounts.id, balance: accounts.balance }).from(accounts)
    const total = (prefix: string) =>
      all.reduce((sum, account) => (account.id.startsWith(prefix) ? sum + account.balance : sum), 0n)
    const [balances, earnings] = [total('client:'), total('host:')]
    const credit = -(await balance(db, CREDITS))
    // From their own entries: how the hub reads its fees would make the difference below zero by itself.
    const [fees] = await db.query
      .select({ sum: sumOf(entries.amount) })
      .from(entries)
      .where(eq(entries.account, FEES))
    const refunds = -(await balance(db, RELIABILITY))
    const { sum, openHolds, problems } = await checkLedger(db)
    return {
      credit: String(credit),
      balances: String(balances),
      earnings: String(earnings),
      fees: String(fees?.sum ?? 0n),
      refunds: String(refunds),
      difference: String(credit - balances - earnings - (fees?.sum ?? 0n) + refunds),
      ...{ sum: String(sum), openHolds, problems },
      ...compare(await db.query.select().from(requests), logbook),
    }
  } finally {
    await db.close()
  }
}

/** What dead hubs held is given back within a minute; what is wrong after that stays wrong. */
async function cleared(db: Db): Promise<void> {
  const deadline = performance.now() + CLEAN_MS
  while ((await checkLedger(db)).problems.length > 0 && performance.now() < deadline) await Bun.sleep(LOOK_MS)
}

/** Every answer a client has, against its row; and every row that cost something, against what clients have. */
export function compare(rows: readonly Row[], { costs, failedIds }: Pick<Logbook, 'costs' | 'failedIds'>) {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const wrong: string[] = []
  let alsoRefunded = 0
  for (const [id, { cost }] of costs) {
    const row = byId.get(id)
    if (!row) wrong.push(`${id} is not in the books`)
    else if (usdNumber(row.cost) !== cost) wrong.push(`${id} cost ${cost}, and stands there with ${usd(row)}`)
    else if (row.cost !== priced(row)) wrong.push(`${id} was not charged at its price`)
    else if (row.hostId === null && cost > 0) wrong.push(`${id} paid no host`)
    else if (row.state === 'lost') alsoRefunded++
    else if (row.state !== 'completed') wrong.push(`${id} is ${row.state}`)
  }
  const unfounded = wrong.length
  for (const row of rows) {
    if (costs.has(row.id) || row.state === 'lost' || row.cost === 0n) continue
    const seen = failedIds.has(row.id) ? 'failed for its client' : 'was never seen by a client'
    wrong.push(`${row.id} ${seen}, and cost ${usd(row)}`)
  }
  return { billedOnce: costs.size - unfounded, alsoRefunded, wrong }
}

function usd({ cost }: Row): string {
  return formatUsd(cost)
}

function priced(row: Row): Money {
  const price = { prompt: row.promptPicos, completion: row.completionPicos }
  return charge(price, { prompt: row.promptTokens, completion: row.completionTokens })
}
