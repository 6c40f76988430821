import { clientAccount } from '../../hub/ledger/chart.ts'
import { checkLedger } from '../../hub/ledger/check.ts'
import { balance } from '../../hub/ledger/balance.ts'
import { statement } from '../../hub/ledger/statement.ts'
import { formatUsd } from '../../sdk/money.ts'
import { command, type Group } from '../command.ts'
import { columns, table } from '../lines.ts'
import { onDatabase, place } from './database.ts'
import { existingUser } from './find-user.ts'
import { moment } from './moment.ts'

const check = command({
  name: 'check',
  summary: 'Check that the books are right; exit code 1 when they are not.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const report = await checkLedger(db)
      out({ ...report, sum: String(report.sum), granted: String(report.granted) }, [
        ...columns([
          ['books', report.ok ? 'right' : 'WRONG'],
          ['sum of all entries', formatUsd(report.sum)],
          ['accounts', String(report.accounts)],
          ['postings', String(report.postings)],
          ['grants held by hubs', String(report.openHolds)],
        ]),
        ...report.problems.map(({ what, id }) => `${what}: ${id}`),
      ])
      return report.ok ? 0 : 1
    }),
})

const show = command({
  name: 'show',
  summary: 'Show an account, newest line first.',
  positionals: [{ name: 'account', help: 'An account (platform:fees, host:ID:pending) or a client’s e-mail address.' }],
  options: {
    ...place,
    limit: { type: 'integer', value: 'N', default: 20, min: 1, max: 100_000, help: 'How many lines.' },
  },
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const named = positionals.account
      const account = named.includes('@') ? clientAccount((await existingUser(db, named)).id) : named
      const lines = await statement(db, account, { limit: options.limit, before: null })
      const has = await balance(db, account)
      const rows = lines.map((line) => [moment(line.at), line.kind, line.posting, formatUsd(line.amount)])
      const shown = lines.map((line) => ({ ...line, at: moment(line.at), amount: String(line.amount) }))
      out({ account, balanceNanos: String(has), balance: formatUsd(has), lines: shown }, [
        `${account} has ${formatUsd(has)}.`,
        ...table({
          header: ['at', 'kind', 'posting', 'amount'],
          rows,
          right: [3],
          empty: 'Nothing has happened here yet.',
        }),
      ])
    }),
})

export const ledgerCommands: Group = { name: 'ledger', summary: 'The books.', commands: [check, show] }
