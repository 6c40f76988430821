// The team's first page: what runs, whether it is answered, what the fleet does, what needs a person.
import { listHosts, type ListedHost } from '../../hub/fleet/list.ts'
import { countNewReports } from '../../hub/policy/reports.ts'
import { type Traffic, trafficOf } from '../../hub/ledger/traffic.ts'
import { Model } from '../client/requests.tsx'
import { live, type LivePart } from '../live.tsx'
import { roundUsd, share, short } from '../parts/amount.tsx'
import { Bars } from '../parts/chart.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { dayName, daysOf, hourName, type Period, PeriodLinks, readPeriod } from '../parts/period.tsx'
import { Table } from '../parts/table.tsx'
import type { MemberVisit, Page } from '../route.ts'

const HOUR_MS = 60 * 60 * 1_000

export interface AdminOverview {
  period: Period
  running: number
  total: Traffic | null
  steps: { at: number; traffic: Traffic | null }[]
  byModel: (Traffic & { hosts: number })[]
  hosts: ListedHost[]
  alarms: { text: string; href: string }[]
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
  const [total, steps, byModel, hosts, newReports] = await Promise.all([
    trafficOf(hub.db, 'everybody', { from, to, by: 'all' }),
    trafficOf(hub.db, 'everybody', { from, to, by: days === 1 ? 'hour' : 'day' }),
    trafficOf(hub.db, 'everybody', { from, to, by: 'variant' }),
    listHosts(hub.env, hub.db),
    countNewReports(hub.db),
  ])
  const moments = days === 1 ? Array.from({ length: 24 }, (_, i) => from + i * HOUR_MS) : daysOf(period)
  return {
    period,
    running: hub.running.size,
    total: total[0] ?? null,
    steps: moments.map((at) => ({ at, traffic: steps.find(({ group }) => group === String(at)) ?? null })),
    byModel: byModel.map((row) => ({ ...row, hosts: hub.turns.count(row.group) })),
    hosts,
    alarms: alarmsOf(
      hosts,
      total[0] ?? null,
      hub.offers.all().map(({ id }) => id),
      (variant) => hub.turns.count(variant),
      newReports,
    ),
  }
}

/** What a person should look at, the worst first. */
export function alarmsOf(
  hosts: ListedHost[],
  total: Traffic | null,
  offered: string[],
  hostsFor: (variant: string) => number,
  newReports: number,
): AdminOverview['alarms'] {
  const asked = total ? total.completed + total.failed + total.lost : 0
  const failed = total ? total.failed + total.lost : 0
  const alarms: AdminOverview['alarms'] = []
  if (newReports > 0)
    alarms.push({
      text: `${short(newReports)} new abuse ${newReports === 1 ? 'report' : 'reports'}`,
      href: '/admin/reports?state=new',
    })
  if (failed > 0.01 * asked)
    alarms.push({ text: `${short(failed)} of ${short(asked)} requests failed`, href: '/status' })
  const none = offered.filter((variant) => hostsFor(variant) === 0)
  if (hosts.length > 0 && none.length > 0 && none.length < offered.length)
    alarms.push({
      text: `No host serves ${none.slice(0, 3).join(', ')}${none.length > 3 ? ' …' : ''}`,
      href: '/admin/fleet',
    })
  for (const { name, notices } of hosts)
    if (notices.length > 0) alarms.push({ text: `${name}: ${notices[0]?.kind}`, href: '/admin/fleet' })
  const tripped = hosts.filter(({ state }) => state === 'tripped').length
  if (tripped > 0)
    alarms.push({ text: `${tripped} hosts sit out, because requests failed on them`, href: '/admin/fleet' })
  return alarms.slice(0, 10)
}

export function AdminOverviewPage(of: AdminOverview) {
  const { period, steps, byModel } = of
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
