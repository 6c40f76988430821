// How results are shown to people.
import type { Row } from './compare.ts'
import type { Judged } from './goals.ts'
import type { Machine } from './machine.ts'

export function header(machine: Machine, note: string): string {
  return [
    `${machine.cpu}, ${machine.cores} cores, ${machine.memoryGib} GiB, Linux ${machine.kernel}, Bun ${machine.bun}, commit ${machine.commit}`,
    `measured: core 0 alone; load client, engines, hosts: core 1. ${note}`,
  ].join('\n')
}

/** One table a scenario, the systems as rows, each with its ratio to nginx. */
export function comparison(rows: readonly Row[]): string {
  const names = [...new Set(rows.map((row) => row.scenario))]
  return names
    .map((name) =>
      scenarioTable(
        name,
        rows.filter((row) => row.scenario === name),
      ),
    )
    .join('\n\n')
}

function scenarioTable(name: string, rows: readonly Row[]): string {
  const chunks = rows[0]?.unit === 'chunks'
  const nginx = rows.find((row) => row.system === 'nginx')
  const head = [
    name,
    chunks ? 'chunks/s' : 'answers/s',
    '÷ nginx',
    chunks ? 'delay p50' : 'p50 µs',
    'p99',
    'first p50',
    'p99',
    chunks ? 'CPU µs/chunk' : 'CPU µs/answer',
    '÷ nginx',
    '± rounds',
    'RSS MB',
    'foreign',
    'load CPU',
  ]
  const body = rows.map((row) =>
    row.void
      ? [row.system, `void: ${row.void}`]
      : [
          row.system,
          whole(row.perSecond),
          ratio(row.perSecond, nginx?.perSecond),
          micro(row.p50),
          micro(row.p99),
          micro(row.first50),
          micro(row.first99),
          row.cpuUs > 0 ? row.cpuUs.toFixed(1) : '–',
          row.cpuUs > 0 ? ratio(row.cpuUs, nginx?.cpuUs) : '–',
          row.cpuUs > 0 ? percent(row.cpuSpread / 2) : '–',
          row.rssBytes > 0 ? (row.rssBytes / 1e6).toFixed(0) : '–',
          percent(row.foreign),
          percent(row.loadCpu),
        ],
  )
  return table([head, ...body])
}

export function goalTable(judged: readonly Judged[]): string {
  const number = (value: number | null | undefined, unit: string) =>
    value === null || value === undefined ? '–' : `${round(value)}${unit === '×' ? '×' : ` ${unit}`}`
  return table([
    ['goal', 'value', 'must', 'aim', 'verdict'],
    ...judged.map((each) => [
      each.name,
      number(each.value, each.unit),
      `${each.atLeast ? '≥' : '≤'} ${number(each.goal, each.unit)}`,
      number(each.aim, each.unit),
      each.note ? `${each.verdict} (${each.note})` : each.verdict,
    ]),
  ])
}

/** Columns as wide as they must be; the first to the left, numbers to the right. A short row runs over. */
export function table(rows: readonly string[][]): string {
  const full = rows.filter((row) => row.length === rows[0]!.length)
  const widths = rows[0]!.map((_, column) => Math.max(...full.map((row) => row[column]!.length)))
  const wide = Math.max(widths[0]!, ...rows.map((row) => row[0]!.length))
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(wide) : row.length < widths.length ? cell : cell.padStart(widths[column]!),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function ratio(value: number, of: number | undefined): string {
  return of ? `${(value / of).toFixed(2)}×` : '–'
}

function micro(us: number): string {
  if (Number.isNaN(us) || us === 0) return '–'
  return us >= 10_000 ? `${(us / 1_000).toFixed(1)} ms` : us.toFixed(0)
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)}%`
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en')
}

function round(value: number): string {
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(Math.abs(value) >= 10 ? 1 : 2)
}
