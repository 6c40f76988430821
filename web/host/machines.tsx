// An owner's machines: what each does, and why it is idle.
import { whyIdle } from '../../hub/fleet/idle.ts'
import { type FleetHost, type ListedHost, pageOfHosts } from '../../hub/fleet/list.ts'
import { countHosts, type HostPlace, LINK_STATES } from '../../hub/fleet/list-filter.ts'
import { type Traffic, trafficOf } from '../../hub/ledger/traffic.ts'
import type { Money } from '../../sdk/money.ts'
import { Model } from '../client/requests.tsx'
import { short, Total } from '../parts/amount.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { hostFilter, More, readPlace } from '../parts/host-list.tsx'
import { NetworkTag } from '../parts/network.tsx'
import { Table } from '../parts/table.tsx'
import type { MemberVisit, Page } from '../route.ts'

const HOUR_MS = 60 * 60 * 1_000
const DAY_MS = 24 * HOUR_MS

/** Machines of a page; and of an owner’s first page, where no more than these need no filter. */
const PAGE = 50
const FIRST = 10

export interface Machine {
  host: FleetHost
  /** In 24 hours. */
  earned: Money
  requests: number
  tokensPerSecond: number | null
  /** In a sentence; null while it works. */
  idle: string | null
}

export interface MachinesView {
  machines: Machine[]
  /** However the list is filtered. */
  all: number
  query: { state: string; search: string }
  next: HostPlace | null
}

export async function machines(visit: MemberVisit): Promise<Page> {
  const { hub, guest, url } = visit
  const given = (name: string) => (url.searchParams.get(name) ?? '').trim().slice(0, 100)
  const query = { state: given('state'), search: given('search') }
  const mine = { ownerId: guest.user.id }
  const [{ hosts, next }, all] = await Promise.all([
    pageOfHosts(hub.env, hub.db, { ...mine, ...hostFilter(query), limit: PAGE, after: readPlace(url.searchParams) }),
    countHosts(hub.env, hub.db, mine),
  ])
  const view = { machines: await lookAt(visit, hosts), all, query, next }
  return { title: 'Machines', body: <MachinesPage {...view} /> }
}

export interface LatestMachines {
  machines: Machine[]
  all: number
  ready: number
}

/** An owner's machines that came or went last, and how many there are. */
export async function latestMachines(visit: MemberVisit): Promise<LatestMachines> {
  const { hub, guest } = visit
  const mine = { ownerId: guest.user.id }
  const [{ hosts }, all, ready] = await Promise.all([
    pageOfHosts(hub.env, hub.db, { ...mine, limit: FIRST, after: null }),
    countHosts(hub.env, hub.db, mine),
    countHosts(hub.env, hub.db, { ...mine, state: 'ready' }),
  ])
  return { machines: await lookAt(visit, hosts), all, ready }
}

/** Machines, and what each did. */
export async function lookAt({ hub }: MemberVisit, hosts: FleetHost[]): Promise<Machine[]> {
  const now = hub.env.now()
  const hostIds = hosts.map(({ id }) => id)
  const [day, hour, demand] = await Promise.all([
    trafficOf(hub.db, { hostIds }, { from: now - DAY_MS, to: now + 1, by: 'host' }),
    trafficOf(hub.db, { hostIds }, { from: now - HOUR_MS, to: now + 1, by: 'host' }),
    trafficOf(hub.db, 'everybody', { from: now - HOUR_MS, to: now + 1, by: 'variant' }),
  ])
  return hosts.map((host) => {
    const today = day.find(({ group }) => group === host.id)
    const busy = hour.some(({ group }) => group === host.id)
    return {
      host,
      earned: today?.hostShare ?? 0n,
      requests: answered(today),
      tokensPerSecond: today?.tokensPerSecond ?? null,
      idle: busy && host.state === 'ready' ? null : whyIdle(host, demand, (variant) => hub.turns.count(variant)),
    }
  })
}

function answered(traffic: Traffic | undefined): number {
  return traffic ? traffic.completed + traffic.cancelled : 0
}

export function MachinesPage({ machines, all, query, next }: MachinesView) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''))
  const filtered = search.size > 0
  return (
    <>
      <div class="heading">
        <Title note="What each does now, and what it earned in 24 hours.">Machines</Title>
        <span class="side">
          <a class="button primary" href="/host/machines/new">
            Add a machine
          </a>
        </span>
      </div>
      {(all > FIRST || filtered) && (
        <form method="get" action="/host/machines" class="filters">
          <SelectField
            name="state"
            label="State"
            value={query.state}
            options={[['', 'all'], ...LINK_STATES.map((state): [string, string] => [state, state])]}
          />
          <TextField name="search" label="Name, card or model" value={query.search} type="search" maxLength={100} />
          <button>Show</button>
        </form>
      )}
      <div id="machines" class="stack">
        {filtered && machines.length === 0 ? (
          <div class="card empty">
            <p>None of your {all} machines is like that.</p>
            <a href="/host/machines">Show all</a>
          </div>
        ) : (
          <Machines machines={machines} />
        )}
      </div>
      <More path="/host/machines" search={search} next={next} />
    </>
  )
}

export function Machines({ machines }: { machines: Machine[] }) {
  return (
    <Table
      caption="Machines"
      empty={
        <>
          <p>No machine of yours has been here yet. Adding one takes a few minutes.</p>
          <a class="button primary" href="/host/machines/new">
            Add a machine
          </a>
        </>
      }
      rows={machines}
      columns={[
        {
          name: 'Machine',
          cell: ({ host }) => (
            <>
              <a href={`/host/machines/${host.id}`}>{host.name}</a> <State of={host} /> <NetworkTag of={host.network} />
              <br />
              <span class="muted small">
                {host.hardware}
                {host.simulated && ' (simulated)'}
              </span>
            </>
          ),
        },
        {
          name: 'Models',
          cell: ({ host }) =>
            host.models.map((variant) => (
              <div>
                <Model variant={variant} />
              </div>
            )),
        },
        { name: 'Requests', number: true, cell: ({ requests }) => short(requests) },
        {
          name: 'Tokens/s',
          number: true,
          cell: ({ tokensPerSecond }) => (tokensPerSecond === null ? '–' : Math.round(tokensPerSecond)),
        },
        { name: 'Earned', number: true, cell: ({ earned }) => <Total of={earned} /> },
        { name: 'Idle because', cell: ({ idle }) => idle ?? <span class="good">working</span> },
      ]}
    />
  )
}

export function State({ of: { state, since } }: { of: Pick<ListedHost, 'state' | 'since'> }) {
  const tone = { ready: '', draining: 'quiet', connecting: 'quiet', gone: 'quiet', tripped: 'warn', quarantined: 'bad' }
  return (
    <span class={`tag ${tone[state]}`} title={`since ${new Date(since).toISOString()}`}>
      {state}
    </span>
  )
}
