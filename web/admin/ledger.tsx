// The books: whether they are right, and any account line by line.
import { platformBalances } from '../../hub/ledger/balance.ts'
import { FEES } from '../../hub/ledger/chart.ts'
import { type LedgerReport, checkLedger } from '../../hub/ledger/check.ts'
import { statement, type StatementLine } from '../../hub/ledger/statement.ts'
import { formatUsd, type Money } from '../../sdk/money.ts'
import { roundUsd, short } from '../parts/amount.tsx'
import { TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import type { MemberVisit, Page } from '../route.ts'

const PAGE = 50

export interface LedgerView {
  platform: { account: string; balance: Money }[]
  account: string
  lines: StatementLine[]
  /** Where the next page begins. */
  next: { at: number; posting: string } | null
  check: LedgerReport | null
}

export async function ledger(visit: MemberVisit): Promise<Page> {
  return { title: 'Ledger', body: <LedgerPage {...(await readLedger(visit))} check={null} /> }
}

/** Reads every posting: asked for by hand. */
export async function ledgerCheck(visit: MemberVisit): Promise<Page> {
  const check = await checkLedger(visit.hub.db)
  return { title: 'Ledger', body: <LedgerPage {...(await readLedger(visit))} check={check} /> }
}

async function readLedger({ hub, url }: MemberVisit): Promise<Omit<LedgerView, 'check'>> {
  const account = (url.searchParams.get('account') ?? FEES).slice(0, 100)
  const at = Number(url.searchParams.get('at'))
  const posting = url.searchParams.get('posting')
  const before = Number.isFinite(at) && posting !== null ? { at, posting } : null
  const [found, platform] = await Promise.all([
    statement(hub.db, account, { limit: PAGE + 1, before }),
    platformBalances(hub.db),
  ])
  const lines = found.slice(0, PAGE)
  return {
    platform: [...platform].map(([each, amount]) => ({ account: each, balance: amount })),
    account,
    lines,
    next: found.length > PAGE ? (lines.at(-1) ?? null) : null,
  }
}

export function LedgerPage({ platform, account, lines, next, check }: LedgerView) {
  return (
    <>
      <Title note="Double entry: every posting sums to zero, and so do the books.">Ledger</Title>
      <Figures
        of={platform.map(({ account: each, balance: amount }) => ({
          label: each,
          value: roundUsd(amount),
          note: <a href={`/admin/ledger?account=${each}`}>statement</a>,
        }))}
      />
      <Section
        title="Check"
        side={
          <form method="post" action="/admin/ledger/check">
            <button>Check the books</button>
          </form>
        }
      >
        {check === null ? (
          <p class="muted">Reads every posting and says what is wrong, if anything is.</p>
        ) : check.ok ? (
          <p class="note-box good">
            Right: {short(check.postings)} postings over {short(check.accounts)} accounts sum to {formatUsd(check.sum)}.
          </p>
        ) : (
          <div class="note-box bad" role="alert">
            <p>Wrong:</p>
            <ul>
              {check.problems.slice(0, 50).map(({ what, id }) => (
                <li>
                  {what} <code>{id}</code>
                </li>
              ))}
            </ul>
          </div>
        )}
      </Section>
      <Section title="Statement" note={account}>
        <form method="get" action="/admin/ledger" class="filters">
          <TextField name="account" label="Account" value={account} maxLength={100} placeholder="client:usr_…" />
          <button>Show</button>
        </form>
        <Table
          caption={`Lines of ${account}, newest first`}
          empty={<p>Nothing was ever posted to {account}. Accounts are client:ID, host:ID:pending and platform:….</p>}
          rows={lines}
          columns={[
            { name: 'When', cell: ({ at }) => <When at={at} /> },
            { name: 'Kind', cell: ({ kind }) => kind },
            { name: 'Posting', cell: ({ posting }) => <code>{posting}</code> },
            { name: 'Note', cell: ({ note }) => note },
            { name: 'Amount', number: true, cell: ({ amount }) => formatUsd(amount) },
          ]}
        />
        {next !== null && (
          <p>
            <a
              href={`/admin/ledger?account=${encodeURIComponent(account)}&at=${next.at}&posting=${encodeURIComponent(next.posting)}`}
            >
              Older
            </a>
          </p>
        )}
      </Section>
    </>
  )
}
