// An owner's first page: what is being earned, by which machine, with which model.
import { type HostWorth, worthOf } from '../../hub/fleet/worth.ts'
import { balanceOfAll } from '../../hub/ledger/balance.ts'
import { pendingAccount } from '../../hub/ledger/chart.ts'
import { folded, type Sums, totalOf, trafficOf, variantIn } from '../../hub/ledger/traffic.ts'
import type { Money } from '../../sdk/money.ts'
import { Model } from '../client/requests.tsx'
import { live, type LivePart } from '../live.tsx'
import { roundUsd, short, Total } from '../parts/amount.tsx'
import { Bars } from '../parts/chart.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { dayName, daysOf, hourName, type Period, PeriodLinks, readPeriod } from '../parts/period.tsx'
import { Rents, RentTotal } from '../parts/rent.tsx'
import { Table } from '../parts/table.tsx'
import type { MemberVisit, Page } from '../route.ts'
import { lookAtMachines, type Machine, Machines } from './machines.tsx'

const HOUR_MS = 60 * 60 * 1_000

export interface HostOverview {
  period: Period
  /** All that was ever earned and not yet paid out, but for the team's own machines: theirs is not. */
  balance: Money
  /** Machines that cost rent, or are the team's own. */
  worths: HostWorth[]
  lastHour: Sums | null
  total: Sums | null
  steps: { at: number; earned: Money }[]
  machines: Machine[]
  byModel: Sums[]
  /** What everybody asked for, by variant, the most wanted first. */
  popular: { variant: string; requests: number; hosts: number }[]
}

export async function hostOverview(visit: MemberVisit): Promise<Page> {
  return { title: 'Earnings', body: <HostOverviewPage {...(await readHostOverview(visit))} /> }
}

export function hostLive(visit: MemberVisit): Response {
  return live(visit, async (): Promise<LivePart[]> => {
    const now = await readHostOverview(visit)
    return [
      { id: 'figures', part: <Earned {...now} /> },
      {
        id: 'machines',
        part: (
          <div id="machines">
            <Machines machines={now.machines} />
          </div>
        ),
      },
    ]
  })
}

async function readHostOverview(visit: MemberVisit): Promise<HostOverview> {
  const { hub, url } = visit
  const now = hub.env.now()
  const period = readPeriod(url.searchParams, now)
  const { machines, lastHour } = await lookAtMachines(visit)
  const hostIds = machines.map(({ host }) => host.id)
  const whose = { hostIds }
  const { from, to, days } = period
  const worths = await worthOf(
    hub.env,
    hub.db,
    machines.map(({ host }) => host),
  )
  const teams = new Set(worths.flatMap(({ id, team }) => (team ? [id] : [])))
  const [balance, earned, popular] = await Promise.all([
    balanceOfAll(hub.db, hostIds.filter((id) => !teams.has(id)).map(pendingAccount)),
    trafficOf(hub.db, whose, { from, to, by: days === 1 ? 'hour and variant' : 'day and variant' }),
    trafficOf(hub.db, 'everybody', { from, to, by: 'variant' }),
  ])
  const steps = new Map(
    folded(earned, (group) => group.split(' ')[0] ?? '').map(({ group, hostShare }) => [group, hostShare]),
  )
  const moments = days === 1 ? Array.from({ length: 24 }, (_, i) => from + i * HOUR_MS) : daysOf(period)
  return {
    period,
    balance,
    worths,
    lastHour: totalOf(lastHour),
    total: totalOf(earned),
    steps: moments.map((at) => ({ at, earned: steps.get(String(at)) ?? 0n })),
    machines,
    byModel: folded(earned, variantIn),
    popular: popular
      .map(({ group, completed, cancelled }) => ({
        variant: group,
        requests: completed + cancelled,
        hosts: hub.turns.count(group),
      }))
      .sort((a, b) => b.requests - a.requests)
      .slice(0, 10),
  }
}

export function HostOverviewPage(of: HostOverview) {
  const { period, steps, machines, worths, byModel, popular } = of
  return (
    <>
      <div class="heading">
        <Title note={period.words}>Earnings</Title>
        <span class="side">
          <PeriodLinks period={period} path="/host" />
        </span>
      </div>
      <Earned {...of} />
      <Section title="Earned" note={`per ${period.days === 1 ? 'hour' : 'day'}`}>
        <div class="card">
          <Bars
            caption="Earned over time"
            format={(value) => roundUsd(BigInt(Math.round(value * 1e9)))}
            names={['Earned']}
            bars={steps.map(({ at, earned }) => ({
              label: period.days === 1 ? hourName(at) : dayName(at),
              parts: [Number(earned) / 1e9],
            }))}
          />
        </div>
      </Section>
      <Section title="Machines" note="live" side={<a href="/host/machines/new">Add a machine</a>}>
        <div id="machines">
          <Machines machines={machines} />
        </div>
      </Section>
      {worths.length > 0 && (
        <Section title="Earned beside rent" note="UTC days, today included">
          <Rents of={worths} path="/host/machines" />
          <RentTotal of={worths} />
        </Section>
      )}
      <div class="columns">
        <Section title="By model">
          <Table
            caption="Earned, by model"
            empty={<p>Nothing in this time.</p>}
            rows={byModel}
            columns={[
              { name: 'Model', cell: ({ group }) => <Model variant={group} /> },
              { name: 'Tokens', number: true, cell: (row) => short(row.promptTokens + row.completionTokens) },
              { name: 'Earned', number: true, cell: ({ hostShare }) => <Total of={hostShare} /> },
            ]}
          />
        </Section>
        <Section title="What is wanted" note="by everybody">
          <Table
            caption="Models by demand"
            empty={<p>Nobody asked for anything in this time.</p>}
            rows={popular}
            columns={[
              { name: 'Model', cell: ({ variant }) => <Model variant={variant} /> },
              { name: 'Requests', number: true, cell: ({ requests }) => short(requests) },
              { name: 'Hosts', number: true, cell: ({ hosts }) => hosts },
            ]}
          />
        </Section>
      </div>
      <div hx-sse:connect={`/host/live?period=${period.name}`} hx-swap="none" />
    </>
  )
}

function Earned({ period, balance, worths, lastHour, total, machines }: HostOverview) {
  const besides = worths.some(({ team }) => team) ? ' to be paid out; the team’s own machines’ is not' : ' in all'
  const ready = machines.filter(({ host }) => host.state === 'ready').length
  return (
    <div id="figures">
      <Figures
        of={[
          {
            label: 'Earned',
            value: <Total of={total?.hostShare ?? 0n} />,
            note: `${period.words.toLowerCase()}; ${roundUsd(balance)}${besides}`,
          },
          { label: 'In the last hour', value: <Total of={lastHour?.hostShare ?? 0n} />, note: 'earning now' },
          {
            label: 'Tokens',
            value: short((total?.promptTokens ?? 0) + (total?.completionTokens ?? 0)),
            note: `in ${short((total?.completed ?? 0) + (total?.cancelled ?? 0))} answers`,
          },
          { label: 'Machines ready', value: ready, note: `of ${machines.length}` },
        ]}
      />
    </div>
  )
}
