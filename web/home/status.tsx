// How well the hub answers, from its own records: what was answered, what had to move on the way, when it went wrong.
import { firstTokens, folded, percentile, type Sums, trafficOf } from '../../hub/ledger/traffic.ts'
import { dayName } from '../parts/period.tsx'
import { milliseconds, share, short } from '../parts/amount.tsx'
import { Line } from '../parts/chart.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import type { Page, Visit } from '../route.ts'

const HOUR_MS = 60 * 60 * 1_000
const DAY_MS = 24 * HOUR_MS
const DAYS = 30
/** An hour in which a larger share of requests failed is an incident. */
const INCIDENT_SHARE = 0.01
const MOST_INCIDENTS = 50

export interface StatusView {
  hosts: number
  lastDay: Sums | null
  firstTokenMs: number | null
  days: { at: number; traffic: Sums | null }[]
  incidents: Sums[]
}

export async function status({ hub }: Visit): Promise<Page> {
  const now = hub.env.now()
  const today = Math.floor(now / DAY_MS) * DAY_MS
  const from = today - (DAYS - 1) * DAY_MS
  const to = today + DAY_MS
  const [lastDay, hours, times] = await Promise.all([
    trafficOf(hub.db, 'everybody', { from: now - DAY_MS, to: now + 1, by: 'all', want: 'outcomes' }),
    trafficOf(hub.db, 'everybody', { from, to, by: 'hour', want: 'outcomes' }),
    firstTokens(hub.db, 'everybody', { from: now - DAY_MS, limit: 1_000 }),
  ])
  const days = folded(hours, (hour) => String(Math.floor(Number(hour) / DAY_MS) * DAY_MS))
  const view: StatusView = {
    hosts: new Set(hub.offers.all().flatMap((offer) => hub.turns.hosts(offer.id))).size,
    lastDay: lastDay[0] ?? null,
    firstTokenMs: percentile(times, 0.5),
    days: Array.from({ length: DAYS }, (_, i) => from + i * DAY_MS).map((at) => ({
      at,
      traffic: days.find(({ group }) => group === String(at)) ?? null,
    })),
    incidents: hours
      .filter((hour) => hour.failed + hour.lost > INCIDENT_SHARE * asked(hour))
      .reverse()
      .slice(0, MOST_INCIDENTS),
  }
  return { title: 'Status', description: 'How well this hub answers.', body: <StatusPage {...view} /> }
}

/** Requests that wanted an answer to their end. */
function asked({ completed, failed, lost }: Sums): number {
  return completed + failed + lost
}

export function StatusPage({ hosts, lastDay, firstTokenMs, days, incidents }: StatusView) {
  const total = lastDay ? asked(lastDay) : 0
  return (
    <>
      <Title note="From the hub’s own records. A request that moved to another machine and was answered counts as answered, and is shown beside it.">
        Status
      </Title>
      <Figures
        of={[
          {
            label: 'Answered',
            value: lastDay && total > 0 ? share(lastDay.completed, total) : '–',
            note: `of ${short(total)} requests in 24 hours`,
          },
          {
            label: 'Moved on the way',
            value: lastDay && total > 0 ? share(lastDay.moved, total) : '–',
            note: 'a machine failed, the answer did not',
          },
          {
            label: 'First token',
            value: firstTokenMs === null ? '–' : milliseconds(firstTokenMs),
            note: 'median of 24 hours',
          },
          { label: 'Hosts ready', value: hosts, note: 'now' },
        ]}
      />
      <Section title="Answered, by day" note={`the last ${DAYS} days`}>
        <div class="card">
          <Line
            caption="Share of requests answered, by day"
            name="Answered"
            format={(value) => `${Math.round(value * 10) / 10} %`}
            points={days.map(({ at, traffic }) => [
              dayName(at),
              traffic && asked(traffic) > 0 ? (100 * traffic.completed) / asked(traffic) : null,
            ])}
          />
        </div>
      </Section>
      <Section title="Incidents" note="hours in which more than one request in a hundred failed">
        <Table
          caption="Incidents, newest first"
          empty={<p>None in {DAYS} days.</p>}
          rows={incidents}
          columns={[
            { name: 'Hour', cell: ({ group }) => <When at={Number(group)} exact /> },
            { name: 'Failed', number: true, cell: ({ failed, lost }) => short(failed + lost) },
            { name: 'Of', number: true, cell: (hour) => short(asked(hour)) },
            { name: 'Answered', number: true, cell: (hour) => share(hour.completed, asked(hour)) },
          ]}
        />
        <p class="muted small">What failed was not billed.</p>
      </Section>
    </>
  )
}
