// A client's first page: what was spent, on what, and whether everything was answered.
import type { Money } from '../../sdk/money.ts'
import { begunWithin, folded, keyIn, type Sums, totalOf, trafficOf, variantIn } from '../../hub/ledger/traffic.ts'
import { requestsOf } from '../../hub/ledger/receipts.ts'
import { listKeys } from '../../hub/identity/keys.ts'
import { roundUsd, share, short, Total } from '../parts/amount.tsx'
import { type Bar, Bars } from '../parts/chart.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Samples } from '../parts/sample.tsx'
import { firstRequest } from '../home/samples.ts'
import { live, type LivePart } from '../live.tsx'
import type { MemberVisit, Page } from '../route.ts'
import { dayName, daysOf, hourName, type Period, PeriodLinks, readPeriod } from '../parts/period.tsx'
import { asked, Begun, Breakdown } from './breakdown.tsx'
import { Requests, type Row, rowOf } from './requests.tsx'

const LATEST = 8
const HOUR_MS = 60 * 60 * 1_000

export interface Overview {
  period: Period
  balance: Money
  held: Money
  total: Sums | null
  /** By hour for one day, else by day. */
  spend: { at: number; parts: Money[] }[]
  spendNames: string[]
  byModel: Sums[]
  byKey: (Sums & { name: string })[]
  latest: Row[]
  hasKeys: boolean
  publicUrl: string
  model: string
}

export async function overview(visit: MemberVisit): Promise<Page> {
  return { title: 'Overview', body: <OverviewPage {...(await readOverview(visit))} /> }
}

export function overviewLive(visit: MemberVisit): Response {
  return live(visit, async (): Promise<LivePart[]> => {
    const now = await readOverview(visit)
    return [
      { id: 'figures', part: <OverviewFigures {...now} /> },
      { id: 'latest', part: <Latest {...now} /> },
    ]
  })
}

async function readOverview({ hub, guest, url }: MemberVisit): Promise<Overview> {
  const { db, env } = hub
  const userId = guest.user.id
  const period = readPeriod(url.searchParams, env.now())
  const whose = { userId }
  const { from, to, days } = period
  const step = days === 1 ? 'hour' : 'day'
  const [spendable, spent, traffic, rows, keys] = await Promise.all([
    hub.ledger.spendable(`client:${userId}`),
    trafficOf(db, whose, { from, to, by: `${step} and variant`, want: 'cost' }),
    trafficOf(db, whose, { from, to, by: 'key and variant', want: 'everything' }),
    requestsOf(db, userId, { limit: LATEST, before: null }),
    listKeys(db, { userId, limit: 200 }),
  ])
  const models = folded(traffic, variantIn).sort((a, b) => (a.cost < b.cost ? 1 : -1))
  const named = models.slice(0, 2).map(({ group }) => group)
  const names = new Map(keys.map(({ id, name }) => [id, name]))
  const running = hub.running.of(userId).map((request): Row => ({ kind: 'running', ...request }))
  const offers = hub.offers.all()
  return {
    period,
    balance: spendable.balance,
    held: spendable.held,
    total: totalOf(traffic),
    spend: spendBy(spent, period, named),
    spendNames: [...named.map(short32), ...(models.length > named.length ? ['others'] : [])],
    byModel: models,
    byKey: folded(traffic, keyIn).map((row) => ({ ...row, name: names.get(row.group) ?? 'a key that is gone' })),
    latest: [...running, ...rows.map((row) => rowOf(row, names))].slice(0, LATEST),
    hasKeys: keys.some(({ revokedAt }) => revokedAt === null),
    publicUrl: hub.config.publicUrl || url.origin,
    model: (offers.find(({ id }) => hub.turns.count(id) > 0) ?? offers[0])?.model.id ?? 'Qwen/Qwen3-8B',
  }
}

const short32 = (id: string) => id.split('/').at(-1) ?? id

/** The cost of each hour or day: of the named models, then of all others. */
function spendBy(spent: Sums[], period: Period, named: string[]): Overview['spend'] {
  const costs = new Map(spent.map(({ group, cost }) => [group, cost]))
  const totals = new Map(folded(spent, (group) => group.split(' ')[0] ?? '').map(({ group, cost }) => [group, cost]))
  const { from, days } = period
  const moments = days === 1 ? Array.from({ length: 24 }, (_, i) => from + i * HOUR_MS) : daysOf(period)
  return moments.map((at) => {
    const parts = named.map((variant) => costs.get(`${at} ${variant}`) ?? 0n)
    const rest = (totals.get(String(at)) ?? 0n) - parts.reduce((sum, part) => sum + part, 0n)
    return { at, parts: rest > 0n ? [...parts, rest] : parts }
  })
}

export function OverviewPage(of: Overview) {
  const { period, total, hasKeys, publicUrl, model } = of
  return (
    <>
      <div class="heading">
        <Title note={period.words}>Overview</Title>
        <span class="side">
          <PeriodLinks period={period} path="/client" />
        </span>
      </div>
      <OverviewFigures {...of} />
      {total === null && (
        <Section title="Make your first request">
          {!hasKeys && (
            <p>
              <a class="button primary" href="/client/keys">
                Make a key
              </a>
            </p>
          )}
          <Samples id="first-request" of={firstRequest(publicUrl, model)} />
        </Section>
      )}
      {total !== null && (
        <Section title="Spend" note={`per ${period.days === 1 ? 'hour' : 'day'}, by model`}>
          <div class="card">
            <Bars
              caption="Spend over time, by model"
              format={(value) => roundUsd(BigInt(Math.round(value * 1e9)))}
              names={of.spendNames}
              bars={of.spend.map(
                ({ at, parts }): Bar => ({
                  label: period.days === 1 ? hourName(at) : dayName(at),
                  parts: parts.map((part) => Number(part) / 1e9),
                }),
              )}
            />
          </div>
        </Section>
      )}
      <Latest {...of} />
      {total !== null && (
        <>
          <Section title="By model">
            <Breakdown caption="By model" rows={of.byModel.map((row) => ({ ...row, name: row.group }))} head="Model" />
          </Section>
          <Section title="By key">
            <Breakdown caption="By key" rows={of.byKey} head="Key" />
          </Section>
        </>
      )}
      <div class="row">
        <a class="button primary" href="/client/keys">
          {hasKeys ? 'Keys' : 'New key'}
        </a>
        <a class="button" href="/docs/quickstart">
          Quickstart
        </a>
      </div>
      <div hx-sse:connect={`/client/live?period=${period.name}`} hx-swap="none" />
    </>
  )
}

export function OverviewFigures({ balance, held, total }: Overview) {
  const ended = total ? asked(total) : 0
  return (
    <div id="figures">
      <Figures
        of={[
          {
            label: 'Spent',
            value: <Total of={total?.cost ?? 0n} />,
            note: `balance ${roundUsd(balance)}${held > 0n ? `, ${roundUsd(held)} held` : ''}`,
          },
          {
            label: 'Tokens',
            value: short((total?.promptTokens ?? 0) + (total?.completionTokens ?? 0)),
            note: `${short(total?.promptTokens ?? 0)} in · ${short(total?.completionTokens ?? 0)} out`,
          },
          {
            label: 'Requests',
            value: short(ended + (total?.cancelled ?? 0)),
            note:
              total === null || ended === 0 ? (
                'none yet'
              ) : (
                <span class={total.completed === ended ? 'good' : 'warn'}>
                  {share(total.completed, ended)} answered{total.moved > 0 && `, ${short(total.moved)} moved`}
                </span>
              ),
          },
          {
            label: 'First token',
            value: total === null ? '–' : <Begun of={total} share={0.5} />,
            note:
              total === null || begunWithin(total, 0.5) === null ? (
                'for half of the answers'
              ) : (
                <>
                  for half · <Begun of={total} share={0.95} /> for 95 %
                </>
              ),
          },
        ]}
      />
    </div>
  )
}

function Latest({ latest }: Overview) {
  return (
    <div id="latest">
      <Section title="Latest requests" note="live" side={<a href="/client/usage">All requests</a>}>
        <Requests rows={latest} empty={<p>Nothing was asked yet. The first request appears here while it runs.</p>} />
      </Section>
    </div>
  )
}
