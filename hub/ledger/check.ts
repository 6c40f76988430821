// Whether the books are right, as of one instant. Reads only; the hubs go on meanwhile.
//
// Sums are taken in two parts, whole dollars and the nano-dollars beyond, since SQLite's sum of int64 stops at 2⁶³.
import type { Db } from '../../db/open.ts'
import { type Read, snapshot } from '../../db/snapshot.ts'
import type { Money } from '../../sdk/money.ts'
import { FEES, PLATFORM, RELIABILITY } from './chart.ts'
import { NANOS, sumOfParts, type SumParts, sumParts } from './sum-parts.ts'

export interface LedgerReport {
  ok: boolean
  /** Of all entries: zero. */
  sum: Money
  accounts: number
  postings: number
  requests: number
  /** Accounts of which a hub has something set aside. None when nothing has run for some seconds. */
  openHolds: number
  /** What hubs have set aside in all. */
  granted: Money
  /** At most `MOST_PROBLEMS` of each kind. */
  problems: Problem[]
}

export interface Problem {
  what: string
  /** The account, posting or request at fault. */
  id: string
}

const MOST_PROBLEMS = 20

export async function checkLedger(db: Db): Promise<LedgerReport> {
  return snapshot(db, async (read) => {
    const sum = await total(read, 'select amount from entries')
    const granted = await total(read, 'select amount from grants')
    const problems = (await Promise.all(RULES.map((rule) => violations(read, rule)))).flat()
    return {
      ok: sum === 0n && problems.length === 0,
      sum,
      accounts: await count(read, 'accounts'),
      postings: await count(read, 'postings'),
      requests: await count(read, 'requests'),
      openHolds: await count(read, 'grants where amount > 0'),
      granted,
      problems,
    }
  })
}

interface Rule {
  what: string
  /** Selects the ids of what breaks it. */
  broken: string
}

/** Whether an amount is not the sum whose parts are `whole` and `rest`. */
const differs = (amount: string) =>
  `((rest - ${amount} % ${NANOS}) % ${NANOS} <> 0 or whole - ${amount} / ${NANOS} <> -((rest - ${amount} % ${NANOS}) / ${NANOS}))`
const named = (accounts: readonly string[]) => accounts.map((account) => `'${account}'`).join(', ')
const entry = (posting: string, account: string) =>
  `coalesce((select amount from entries where posting = ${posting} and account = ${account}), 0)`

const RULES: Rule[] = [
  {
    what: 'a posting does not sum to zero',
    broken: `select posting as id from (select posting, ${sumParts('amount')} from entries group by posting) s where ${differs('0')}`,
  },
  {
    what: 'a posting has no entries',
    broken: 'select key as id from postings where not exists (select 1 from entries where posting = key)',
  },
  {
    what: 'a balance is not the sum of its entries',
    broken: `select id from (
        select a.id, a.balance, s.whole, s.rest from accounts a
        join (select a.id, ${sumParts('coalesce(e.amount, 0)')} from accounts a left join entries e on e.account = a.id group by a.id) s
        on s.id = a.id
      ) b where ${differs('balance')}`,
  },
  {
    what: 'an account has entries and no balance',
    broken: `select distinct account as id from entries
      where (account like 'client:%' or account like 'host:%') and not exists (select 1 from accounts where id = account)`,
  },
  {
    what: 'an entry is of an account that is not in the chart',
    broken: `select distinct account as id from entries
      where account not like 'client:%' and account not like 'host:%' and account not in (${named(PLATFORM)})`,
  },
  {
    // Pages show these instead of a sum of all fees (balance.ts).
    what: 'the fees are not what all other accounts lack',
    broken: `select '${FEES}' as id from (select ${sumParts('amount')} from (
        select amount from entries where account in (${named(PLATFORM)}) union all select balance from accounts
      ) a) s where ${differs('0')}`,
  },
  {
    what: 'what is set aside is not the sum of its grants',
    broken: `select id from (
        select a.id, a.granted, s.whole, s.rest from accounts a
        join (select a.id, ${sumParts('coalesce(g.amount, 0)')} from accounts a left join grants g on g.account = a.id group by a.id) s
        on s.id = a.id
      ) b where ${differs('granted')}`,
  },
  {
    what: 'a grant is of no account',
    broken: 'select account as id from grants where not exists (select 1 from accounts where id = account)',
  },
  {
    what: 'a grant is held by a hub that is gone',
    broken: 'select account as id from grants where not exists (select 1 from hubs where hubs.id = grants.hub_id)',
  },
  {
    what: 'a charge does not match its request',
    broken: `select id from requests r where cost <> 0 and (
        state = 'failed' or cost <> fee + host_share
        or not exists (select 1 from postings where key = r.id and kind = 'usage')
        or ${entry('r.id', `'client:' || r.user_id`)} <> -cost
        or ${entry('r.id', `'${FEES}'`)} <> fee
        or ${entry('r.id', `'host:' || r.host_id || ':pending'`)} <> host_share)`,
  },
  {
    what: 'a charge has no request',
    broken: `select key as id from postings where kind = 'usage' and not exists (select 1 from requests where id = key and cost <> 0)`,
  },
  {
    what: 'a lost request was not refunded',
    broken: `select id from requests r where state = 'lost' and cost <> 0
        and ${entry(`'refund:' || r.id`, `'client:' || r.user_id`)} <> cost`,
  },
  {
    what: 'a refund is of no lost request',
    broken: `select key as id from postings p where kind = 'refund' and not exists (
        select 1 from requests r where state = 'lost' and 'refund:' || r.id = p.key
        and ${entry('p.key', `'${RELIABILITY}'`)} = -r.cost)`,
  },
]

async function violations(read: Read, { what, broken }: Rule): Promise<Problem[]> {
  const rows = await read<{ id: string }>(`${broken} limit ${MOST_PROBLEMS}`)
  return rows.map(({ id }) => ({ what, id }))
}

/** As the drivers give it: PostgreSQL's sums are decimal strings. */
type Integer = string | number | bigint

async function total(read: Read, amounts: string): Promise<Money> {
  const [row] = await read<SumParts>(`select ${sumParts('amount')} from (${amounts}) a`)
  return row ? sumOfParts(row) : 0n
}

async function count(read: Read, what: string): Promise<number> {
  const [row] = await read<{ n: Integer }>(`select count(*) as n from ${what}`)
  return Number(row?.n ?? 0)
}
