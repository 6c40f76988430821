// The team's first page: what runs, whether it is answered, what the fleet does, what needs a person.
import { type FleetHost, listHosts } from '../../hub/fleet/list.ts'
import { teamHosts } from '../../hub/fleet/tenure.ts'
import { type HostWorth, worthOf } from '../../hub/fleet/worth.ts'
import { type Alarm, readAlarms } from '../../hub/jobs/alarms.ts'
import { type Sums, totalOf, type Traffic, trafficOf } from '../../hub/ledger/traffic.ts'
import { Model } from '../client/requests.tsx'
import { live, type LivePart } from '../live.tsx'
import { roundUsd, share, short } from '../parts/amount.tsx'
import { Bars } from '../parts/chart.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { dayName, daysOf, hourName, type Period, PeriodLinks, readPeriod } from '../parts/period.tsx'
import { Rents, RentTotal } from '../parts/rent.tsx'
import { Table } from '../parts/table.tsx'
import type { MemberVisit, Page } from '../route.ts'

const HOUR_MS = 60 * 60 * 1_000

export interface AdminOverview {
  period: Period
  running: number
  total: Sums | null
  steps: { at: number; traffic: Traffic | null }[]
  byModel: (Traffic & { hosts: number })[]
  hosts: FleetHost[]
  /** The team's own machines. */
  worths: HostWorth[]
  alarms: Alarm[]
}

export async function adminOverview(visit: MemberVisit): Promise<Page> {
  return { title: 'Overview', body: <AdminOverviewPage {...(await readAdminOverview(visit))} /> }
}

export function adminLive(visit: MemberVisit): Response {
  return live(visit, async (): Promise<LivePart[]> => {
    const now = await readAdminOverview(visit)
    return [
      { id: 'figures', part: <AdminFigures {...now} /> },
      { id: 'alarms', part: <Alarms {...now} /> },
    ]
  })
}

async function readAdminOverview({ hub, url }: MemberVisit): Promise<AdminOverview> {
  const period = readPeriod(url.searchParams, hub.env.now(), 'today')
  const { from, to, days } = period
  const [steps, byModel, hosts, alarms] = await Promise.all([
    trafficOf(hub.db, 'everybody', { from, to, by: days === 1 ? 'hour' : 'day' }),
    trafficOf(hub.db, 'everybody', { from, to, by: 'variant' }),
    listHosts(hub.env, hub.db),
    readAlarms({ ...hub, offered: () => hub.offers.all().map(({ id }) => id) }),
  ])
  const teams = new Set(await teamHosts(hub.db))
  const own = hosts.filter(({ id }) => teams.has(id))
  const moments = days === 1 ? Array.from({ length: 24 }, (_, i) => from + i * HOUR_MS) : daysOf(period)
  return {
    period,
    running: hub.running.size,
    total: totalOf(byModel),
    steps: moments.map((at) => ({ at, traffic: steps.find(({ group }) => group === String(at)) ?? null })),
    byModel: byModel.map((row) => ({ ...row, hosts: hub.turns.count(row.group) })),
    hosts,
    worths: await worthOf(hub.env, hub.db, own),
    alarms,
  }
}

export function AdminOverviewPage(of: AdminOverview) {
  const { period, steps, byModel, worths } = of
  return (
    <>
      <div class="heading">
        <Title note={period.words}>Overview</Title>
        <span class="side">
          <PeriodLinks period={period} path="/admin" />
        </span>
      </div>
      <AdminFigures {...of} />
      <Alarms {...of} />
      <Section title="Requests" note={`per ${period.days === 1 ? 'hour' : 'day'}`}>
        <div class="card">
          <Bars
            caption="Requests over time"
            format={(value) => short(Math.round(value))}
            names={['answered', 'failed']}
            bars={steps.map(({ at, traffic }) => ({
              label: period.days === 1 ? hourName(at) : dayName(at),
              parts: traffic ? [traffic.completed + traffic.cancelled, traffic.failed + traffic.lost] : [0, 0],
            }))}
          />
        </div>
      </Section>
      <Section title="By model">
        <Table
          caption="Traffic by model"
          empty={<p>Nothing was asked in this time.</p>}
          rows={byModel}
          columns={[
            { name: 'Model', cell: ({ group }) => <Model variant={group} /> },
            {
              name: 'Requests',
              number: true,
              cell: (row) => short(row.completed + row.cancelled + row.failed + row.lost),
            },
            { name: 'Moved', number: true, cell: ({ moved }) => short(moved) },
            { name: 'Tokens', number: true, cell: (row) => short(row.promptTokens + row.completionTokens) },
            {
              name: 'Tokens/s',
              number: true,
              cell: ({ tokensPerSecond }) => (tokensPerSecond === null ? '–' : Math.round(tokensPerSecond)),
            },
            { name: 'Hosts', number: true, cell: ({ hosts }) => hosts },
            { name: 'Charged', number: true, cell: ({ cost }) => roundUsd(cost) },
          ]}
        />
      </Section>
      {worths.length > 0 && (
        <Section title="The team’s own machines" note="what they earned beside their rent; UTC days, today included">
          <Rents of={worths} path="/admin/fleet" />
          <RentTotal of={worths} />
        </Section>
      )}
      <div hx-sse:connect={`/admin/live?period=${period.name}`} hx-swap="none" />
    </>
  )
}

function AdminFigures({ running, total, hosts }: AdminOverview) {
  const asked = total ? total.completed + total.failed + total.lost : 0
  const ready = hosts.filter(({ state }) => state === 'ready').length
  return (
    <div id="figures">
      <Figures
        of={[
          { label: 'Running', value: short(running), note: 'on this hub, now' },
          {
            label: 'Answered',
            value: total && asked > 0 ? share(total.completed, asked) : '–',
            note: `of ${short(asked)}${total ? `, ${short(total.moved)} moved` : ''}`,
          },
          {
            label: 'Tokens',
            value: short((total?.promptTokens ?? 0) + (total?.completionTokens ?? 0)),
            note: `charged ${roundUsd(total?.cost ?? 0n)}, fees ${roundUsd((total?.cost ?? 0n) - (total?.hostShare ?? 0n))}`,
          },
          { label: 'Hosts ready', value: ready, note: `of ${hosts.length} ever seen` },
        ]}
      />
    </div>
  )
}

function Alarms({ alarms }: AdminOverview) {
  return (
    <div id="alarms" class="stack">
      {alarms.map(({ text, href }) => (
        <p class="note-box warn">
          <a href={href}>{text}</a>
        </p>
      ))}
    </div>
  )
}
