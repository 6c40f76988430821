// Whether the books agree with what clients saw: read with the hub's own commands, after every hub has left.
import { charge, formatUsd, type Money, usdNumber } from '../sdk/money.ts'
import type { Logbook } from './logbook.ts'
import type { World } from './processes.ts'

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
  costNanos: string
  promptTokens: number
  completionTokens: number
  promptPicos: number
  completionPicos: number
  host: string | null
}

interface Check {
  ok: boolean
  sum: string
  openHolds: number
  problems: unknown[]
}

const CLEAN_MS = 90_000

export async function readBooks(world: World, clients: readonly string[], logbook: Logbook): Promise<Books> {
  const balanceOf = async (account: string) =>
    BigInt((await world.command<{ balanceNanos: string }>('ledger', 'show', account)).balanceNanos)
  const total = async (accounts: readonly string[]) => {
    let sum = 0n
    for (const account of accounts) sum += await balanceOf(account)
    return sum
  }
  const hosts = await world.command<{ id: string }[]>('hosts')
  const credit = -(await balanceOf('platform:credits'))
  const balances = await total(clients)
  const earnings = await total(hosts.map(({ id }) => `host:${id}:pending`))
  const fees = await balanceOf('platform:fees')
  const refunds = -(await balanceOf('platform:reliability'))
  const rows = await world.command<Row[]>('requests', '--limit', '100000')
  const { sum, openHolds, problems } = await checked(world)
  return {
    credit: String(credit),
    balances: String(balances),
    earnings: String(earnings),
    fees: String(fees),
    refunds: String(refunds),
    difference: String(credit - balances - earnings - fees + refunds),
    ...{ sum, openHolds, problems },
    ...compare(rows, logbook),
  }
}

/** Every answer a client has, against its row; and every row that cost something, against what clients have. */
export function compare(rows: readonly Row[], { costs, failedIds }: Pick<Logbook, 'costs' | 'failedIds'>) {
  const byId = new Map(rows.map((row) => [row.id, row]))
  const wrong: string[] = []
  let alsoRefunded = 0
  for (const [id, { cost }] of costs) {
    const row = byId.get(id)
    if (!row) wrong.push(`${id} is not in the books`)
    else if (usdNumber(BigInt(row.costNanos)) !== cost)
      wrong.push(`${id} cost ${cost}, and stands there with ${usd(row)}`)
    else if (BigInt(row.costNanos) !== priced(row)) wrong.push(`${id} was not charged at its price`)
    else if (row.host === null && cost > 0) wrong.push(`${id} paid no host`)
    else if (row.state === 'lost') alsoRefunded++
    else if (row.state !== 'completed') wrong.push(`${id} is ${row.state}`)
  }
  const unfounded = wrong.length
  for (const row of rows) {
    if (costs.has(row.id) || row.state === 'lost' || BigInt(row.costNanos) === 0n) continue
    const seen = failedIds.has(row.id) ? 'failed for its client' : 'was never seen by a client'
    wrong.push(`${row.id} ${seen}, and cost ${usd(row)}`)
  }
  return { billedOnce: costs.size - unfounded, alsoRefunded, wrong }
}

/** What dead hubs held is given back within a minute; what is wrong after that stays wrong. */
export async function cleared(world: World): Promise<void> {
  const deadline = performance.now() + CLEAN_MS
  while ((await checked(world)).problems.length > 0 && performance.now() < deadline) await Bun.sleep(200)
}

async function checked(world: World): Promise<Check> {
  return world.command<Check>('ledger', 'check').catch((error: Error) => {
    // It exits with 1 when the books are wrong, and says why.
    const said = /\{.*\}/s.exec(error.message)?.[0]
    if (!said) throw error
    return JSON.parse(said) as Check
  })
}

function usd({ costNanos }: Row): string {
  return formatUsd(BigInt(costNanos))
}

function priced(row: Row): Money {
  const price = { prompt: row.promptPicos, completion: row.completionPicos }
  return charge(price, { prompt: row.promptTokens, completion: row.completionTokens })
}
