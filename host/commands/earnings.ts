// `gpuhost earnings`: what this machine was paid, by the hub's own books.
import type { HostEarnings } from '../../sdk/host-earnings.ts'
import { parseUsd, usdDecimal } from '../../sdk/money.ts'
import { earningsSince, type Member } from '../hub/member.ts'
import { dayBegan } from '../owner/hours.ts'

export interface Earned {
  /** Whose days these are, IANA. */
  zone: string
  today: HostEarnings
  /** Of the last 7 days, today included. */
  week: HostEarnings
  /** Of the last 30. */
  month: HostEarnings
}

/** @throws HostError when the hub cannot be asked */
export async function earnings(member: Member, machine: string, zone: string): Promise<Earned> {
  const since = (daysAgo: number) => earningsSince(member, machine, dayBegan(member.env.now(), zone, daysAgo))
  const [today, week, month] = await Promise.all([since(0), since(6), since(29)])
  return { zone, today, week, month }
}

export const EARNINGS_HEADER = ['model', 'today', '7 days', '30 days', 'answers', 'tokens in', 'tokens out']
/** Columns of numbers. */
export const EARNINGS_NUMBERS = [1, 2, 3, 4, 5, 6]

/** A row for each model that earned in 30 days, and one for all of them. Counts are of the 30 days. */
export function earningsRows({ today, week, month }: Earned): string[][] {
  const of = (span: HostEarnings, model: string) => span.data.find((each) => each.model === model)?.earned ?? '0'
  const rows = month.data.map(({ model, requests, promptTokens, completionTokens, earned }) => [
    model,
    ...[of(today, model), of(week, model), earned].map(usd),
    ...[requests, promptTokens, completionTokens].map((count) => count.toLocaleString('en-US')),
  ])
  const all = (count: 'requests' | 'promptTokens' | 'completionTokens') =>
    month.data.reduce((sum, each) => sum + each[count], 0).toLocaleString('en-US')
  const total = [
    'all',
    ...[today.earned, week.earned, month.earned].map(usd),
    ...[all('requests'), all('promptTokens'), all('completionTokens')],
  ]
  const beside = rentRows(today, week, month)
  return rows.length === 0 && beside.length === 0 ? [] : [...rows, total, ...beside]
}

/** What the machine cost meanwhile, and what is left of it; none where it costs nothing. */
function rentRows(...spans: [today: HostEarnings, week: HostEarnings, month: HostEarnings]): string[][] {
  if (spans.every(({ rent }) => rent === undefined)) return []
  const rents = spans.map(({ rent = '0' }) => rent)
  const left = spans.map(({ earned }, place) => usdDecimal(parseUsd(earned) - parseUsd(rents[place] ?? '0')))
  return [
    ['rent', ...rents.map(usd), '', '', ''],
    ['left of it', ...left.map(signed), '', '', ''],
  ]
}

function signed(decimal: string): string {
  return decimal.startsWith('-') ? `-${usd(decimal.slice(1))}` : usd(decimal)
}

/** What its owner has to know beside the numbers; null: nothing. */
export function earningsNote({ month }: Earned): string | null {
  return month.team ? 'It is the team’s own machine: what it earns is booked, and not paid out.' : null
}

/** Two decimals, or as many more as a small amount takes to be seen: `1.5` → `$1.50`, `0.000131` → `$0.000131`. */
export function usd(decimal: string): string {
  const [whole = '0', fraction = ''] = decimal.split('.')
  const small = whole === '0' && fraction.padEnd(2, '0').startsWith('00') && Number(decimal) > 0
  return small
    ? `$0.${fraction.slice(0, fraction.search(/[1-9]/) + 3)}`
    : `$${whole}.${fraction.padEnd(2, '0').slice(0, 2)}`
}
