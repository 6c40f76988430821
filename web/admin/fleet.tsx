import { HubError } from '../../hub/errors.ts'
import { failuresOf, type ToldFailure } from '../../hub/fleet/failures.ts'
import { findHost, type ListedHost, listHosts } from '../../hub/fleet/list.ts'
import { recordAlone } from '../../hub/policy/acts.ts'
import { Model } from '../client/requests.tsx'
import { State } from '../host/machines.tsx'
import { short } from '../parts/amount.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const PAGE = 100

export interface FleetView {
  hosts: ListedHost[]
  all: number
  query: { state: string; search: string }
  /** Where the next page begins; null on the last. */
  next: number | null
}

export async function fleet({ hub, url }: MemberVisit): Promise<Page> {
  const query = { state: url.searchParams.get('state') ?? '', search: (url.searchParams.get('search') ?? '').trim() }
  const start = Math.max(0, Number(url.searchParams.get('from') ?? 0) || 0)
  const everyone = await listHosts(hub.env, hub.db)
  const words = query.search.toLowerCase()
  const found = everyone.filter(
    (host) =>
      (query.state === '' || host.state === query.state) &&
      [host.id, host.name, host.owner, host.hardware, ...host.models].some((text) =>
        text.toLowerCase().includes(words),
      ),
  )
  const next = start + PAGE < found.length ? start + PAGE : null
  const view = { hosts: found.slice(start, start + PAGE), all: everyone.length, query, next }
  return { title: 'Fleet', body: <FleetPage {...view} /> }
}

const STATES = ['ready', 'draining', 'tripped', 'quarantined', 'connecting', 'gone']

export function FleetPage({ hosts, all, query, next }: FleetView) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''))
  return (
    <>
      <Title note={`${all} machines, the most recently seen first.`}>Fleet</Title>
      <form method="get" action="/admin/fleet" class="filters">
        <SelectField
          name="state"
          label="State"
          value={query.state}
          options={[['', 'all'], ...STATES.map((state): [string, string] => [state, state])]}
        />
        <TextField
          name="search"
          label="Name, owner, card or model"
          value={query.search}
          type="search"
          maxLength={100}
        />
        <button>Show</button>
      </form>
      <Table
        caption="Machines"
        empty={<p>No machine is like that.</p>}
        rows={hosts}
        columns={[
          {
            name: 'Machine',
            cell: (host) => (
              <>
                <a href={`/admin/fleet/${host.id}`}>{host.name}</a> <State of={host} />
                <br />
                <span class="muted small">{host.owner}</span>
              </>
            ),
          },
          { name: 'Hardware', cell: (host) => `${host.hardware}${host.simulated ? ' (simulated)' : ''}` },
          {
            name: 'Models',
            cell: ({ models }) =>
              models.map((variant) => (
                <div>
                  <Model variant={variant} />
                </div>
              )),
          },
          {
            name: 'Failed in 7 d',
            number: true,
            cell: ({ failures }) => short(failures.engine + failures.host + failures.network),
          },
          { name: 'Seen', cell: ({ seenAt }) => <When at={seenAt} /> },
        ]}
      />
      {next !== null && (
        <p>
          <a href={`/admin/fleet?${search}${search.size > 0 ? '&' : ''}from=${next}`}>More</a>
        </p>
      )}
    </>
  )
}

export interface FleetHostView {
  host: ListedHost
  failures: ToldFailure[]
}

async function oneHost({ hub, params }: MemberVisit): Promise<ListedHost> {
  const host = await findHost(hub.env, hub.db, params.id ?? '')
  if (!host) throw new HubError('not_found', 'There is no such machine.')
  return host
}

export async function fleetHost(visit: MemberVisit): Promise<Page> {
  const host = await oneHost(visit)
  const view = { host, failures: await failuresOf(visit.hub.db, host.id) }
  return { title: host.name, body: <FleetHostPage {...view} /> }
}

export function FleetHostPage({ host, failures }: FleetHostView) {
  return (
    <>
      <Title
        note={
          <>
            {host.owner} · {host.hardware}
            {host.simulated && ' (simulated)'} · <code>{host.id}</code>
          </>
        }
      >
        {host.name} <State of={host} />
      </Title>
      {host.notices.map(({ message }) => (
        <p class="note-box warn">{message}</p>
      ))}
      <Figures
        of={[
          { label: 'Engine failures', value: short(host.failures.engine), note: '7 days' },
          { label: 'Machine failures', value: short(host.failures.host), note: '7 days' },
          { label: 'Network failures', value: short(host.failures.network), note: '7 days' },
          { label: 'Sits out for', value: host.tripped.length, note: `of ${host.models.length} models` },
        ]}
      />
      <div class="row">
        <form method="post" action={`/admin/fleet/${host.id}/drain`}>
          <button>Drain</button>
        </form>
        <form method="post" action={`/admin/fleet/${host.id}/resumption`}>
          <button>Resume</button>
        </form>
      </div>
      <Section title="Failures" note="the last 50, with their evidence">
        <Table
          caption="Failures, newest first"
          empty={<p>No request has failed here.</p>}
          rows={failures}
          columns={[
            { name: 'When', cell: ({ at }) => <When at={at} /> },
            { name: 'Whose', cell: (failure) => failure.class },
            { name: 'What', cell: ({ code, message }) => `${code}: ${message}` },
            { name: 'Request', cell: ({ requestId }) => <code>{requestId}</code> },
            { name: 'Attempt', number: true, cell: ({ attempt }) => attempt },
            { name: 'Tokens before', number: true, cell: ({ tokens }) => short(tokens) },
          ]}
        />
      </Section>
    </>
  )
}

export function wishOf(asked: 'drain' | 'resume') {
  return async (visit: MemberVisit): Promise<Response> => {
    const { hub, guest } = visit
    const host = await oneHost(visit)
    if (!hub.wish(host.id, asked, 'asked for by the people who run this hub'))
      throw new HubError('invalid_request', `${host.name} is not linked to this hub, so nothing was asked of it.`)
    await recordAlone(hub.env, hub.db, { by: { userId: guest.user.id }, what: `host.${asked}`, subject: host.id })
    return seeOther(`/admin/fleet/${host.id}`)
  }
}
