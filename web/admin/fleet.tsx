import { HubError } from '../../hub/errors.ts'
import { failuresOf, type ToldFailure } from '../../hub/fleet/failures.ts'
import { judgeHost, noteHost, noteOf, type Verdict } from '../../hub/fleet/judge.ts'
import { findHost, type ListedHost, pageOfHosts, withFailures } from '../../hub/fleet/list.ts'
import { countHosts, type HostPlace, LINK_STATES, type Stage } from '../../hub/fleet/list-filter.ts'
import { setTenure } from '../../hub/fleet/tenure.ts'
import { type HostWorth, worthOf } from '../../hub/fleet/worth.ts'
import type { Least } from '../../hub/fleet/network.ts'
import { leastOf } from '../../hub/fleet/network-round.ts'
import { type Check, checksOf } from '../../hub/verification/host-checks.ts'
import { missingFor } from '../../hub/verification/vetting.ts'
import { usdDecimal } from '../../sdk/money.ts'
import { recordAlone } from '../../hub/policy/acts.ts'
import { Model } from '../client/requests.tsx'
import { State } from '../host/machines.tsx'
import { short } from '../parts/amount.tsx'
import { type Faults, faultOf } from '../form.ts'
import { AreaField, CheckField, FormFault, SelectField, TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { hostFilter, More, readPlace } from '../parts/host-list.tsx'
import { Network, NetworkTag } from '../parts/network.tsx'
import { RentField, Rents } from '../parts/rent.tsx'
import { Stages } from '../parts/stages.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const PAGE = 50

export interface FleetView {
  hosts: ListedHost[]
  all: number
  query: { state: string; vetting: string; search: string }
  /** Where the next page begins; null on the last. */
  next: HostPlace | null
}

export async function fleet({ hub, url }: MemberVisit): Promise<Page> {
  const given = (name: string) => (url.searchParams.get(name) ?? '').trim().slice(0, 100)
  const query = { state: given('state'), vetting: given('vetting'), search: given('search') }
  const filter = { ...hostFilter(query), stage: STAGES.find((stage) => stage === query.vetting) }
  const [found, all] = await Promise.all([
    pageOfHosts(hub.env, hub.db, { ...filter, limit: PAGE, after: readPlace(url.searchParams) }),
    countHosts(hub.env, hub.db),
  ])
  const hosts = await withFailures(hub.env, hub.db, found.hosts)
  const view = { hosts, all, query, next: found.next }
  return { title: 'Fleet', body: <FleetPage {...view} /> }
}

const STAGES: readonly Stage[] = ['new', 'checked', 'vetted']

export function FleetPage({ hosts, all, query, next }: FleetView) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''))
  return (
    <>
      <Title note={`${all} ${all === 1 ? 'machine' : 'machines'}, the most recently seen first.`}>Fleet</Title>
      <form method="get" action="/admin/fleet" class="filters">
        <SelectField
          name="state"
          label="State"
          value={query.state}
          options={[['', 'all'], ...LINK_STATES.map((state): [string, string] => [state, state])]}
        />
        <SelectField
          name="vetting"
          label="Vetting"
          value={query.vetting}
          options={[['', 'all'], ...STAGES.map((stage): [string, string] => [stage, stage])]}
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
                <a href={`/admin/fleet/${host.id}`}>{host.name}</a> <State of={host} />{' '}
                {!host.vetted && <span class="tag quiet">{host.stage}</span>} <NetworkTag of={host.network} />
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
      <More path="/admin/fleet" search={search} next={next} />
    </>
  )
}

export interface FleetHostView {
  host: ListedHost
  checks: Check[]
  /** What is still missing for it to be vetted by itself; null: nothing, or that is off. */
  missing: string | null
  failures: ToldFailure[]
  note: string
  /** The most that hosts not vetted get together, in percent. */
  unvettedPercent: number
  least: Least
  /** What it earned beside what it costs; null: it costs nothing, and is not the team's. */
  worth: HostWorth | null
  /** Which form was sent, with what was typed, and what is wrong with it. */
  sent?: { form: string; typed: string }
  faults?: Faults
}

async function oneHost({ hub, params }: MemberVisit): Promise<ListedHost> {
  const host = await findHost(hub.env, hub.db, params.id ?? '')
  if (!host) throw new HubError('not_found', 'There is no such machine.')
  return host
}

async function readHost(visit: MemberVisit): Promise<FleetHostView> {
  const host = await oneHost(visit)
  const { env, db, policy } = visit.hub
  const [failures, note, [worth = null]] = await Promise.all([
    failuresOf(db, host.id),
    noteOf(db, host.id),
    worthOf(env, db, [host]),
  ])
  const settings = policy.current()
  const least = leastOf(settings)
  const checks = await checksOf(db, host.id)
  const missing = await missingFor(db, settings, host)
  return { host, failures, note, checks, missing, unvettedPercent: settings.unvettedTrafficPercent, least, worth }
}

export async function fleetHost(visit: MemberVisit): Promise<Page> {
  const view = await readHost(visit)
  return { title: view.host.name, body: <FleetHostPage {...view} /> }
}

export function FleetHostPage(view: FleetHostView) {
  const { host, failures, note, checks, missing, unvettedPercent, least, worth, sent, faults } = view
  const told = worth && worth.rent > 0n ? usdDecimal(worth.rent) : ''
  const of = (form: string) => (sent?.form === form ? faults : undefined)
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
        {host.name} <State of={host} /> {!host.vetted && <span class="tag quiet">{host.stage}</span>}
      </Title>
      {host.quarantine !== null && <p class="note-box bad">Kept from requests: {host.quarantine}</p>}
      {host.notices.map(({ message }) => (
        <p class="note-box warn">{message}</p>
      ))}
      <Figures
        of={[
          { label: 'Engine failures', value: short(host.failures.engine), note: '7 days' },
          { label: 'Machine failures', value: short(host.failures.host), note: '7 days' },
          { label: 'Network failures', value: short(host.failures.network), note: '7 days' },
          {
            label: 'Sits out for',
            value: host.tripped.length,
            note: `of ${host.models.length} ${host.models.length === 1 ? 'model' : 'models'}`,
          },
        ]}
      />
      <Network of={host.network} least={least} />
      <FormFault faults={of('wish')} />
      <div class="row">
        <form method="post" action={`/admin/fleet/${host.id}/drain`}>
          <button>Drain</button>
        </form>
        <form method="post" action={`/admin/fleet/${host.id}/resumption`}>
          <button>Resume</button>
        </form>
      </div>
      <div class="columns">
        <Section title="Vetting">
          <div class="card stack">
            <Stages of={host} checks={checks} />
            {missing !== null && <p class="small">Still missing to be vetted by itself: {missing}.</p>}
            <p class="muted small">
              Beside vetted hosts of a model, all others together get at most {unvettedPercent} % of its requests. Where
              none is vetted, all serve alike.
            </p>
            <FormFault faults={of('vetting')} />
            <form method="post" action={`/admin/fleet/${host.id}/${host.vetted ? 'vetting/removal' : 'vetting'}`}>
              <button>{host.vetted ? 'No longer vetted' : `Vet ${host.name}`}</button>
            </form>
          </div>
        </Section>
        <Section title="Quarantine">
          {host.quarantine === null ? (
            <form method="post" action={`/admin/fleet/${host.id}/quarantine`} class="card stack">
              <FormFault faults={of('quarantine')} />
              <TextField
                name="reason"
                label="Why; its owner reads it"
                value={sent?.form === 'quarantine' ? sent.typed : ''}
                faults={of('quarantine')}
                maxLength={200}
                autocomplete="off"
              />
              <p class="muted small">Answers that run still finish. Nothing earned is lost.</p>
              <div>
                <button class="danger">Keep {host.name} from requests</button>
              </div>
            </form>
          ) : (
            <form method="post" action={`/admin/fleet/${host.id}/release`} class="card stack">
              <FormFault faults={of('quarantine')} />
              <p class="muted small">It serves again within a second.</p>
              <div>
                <button>Release {host.name}</button>
              </div>
            </form>
          )}
        </Section>
        <Section title="Note" note="the team’s own">
          <form method="post" action={`/admin/fleet/${host.id}/note`} class="card stack">
            <AreaField
              name="note"
              label="What the next of us should know"
              value={sent?.form === 'note' ? sent.typed : note}
              faults={of('note')}
              maxLength={2_000}
            />
            <div>
              <button>Save</button>
            </div>
          </form>
        </Section>
      </div>
      <Section title="Whose it is" note="and what it costs by the hour">
        {worth !== null && <Rents of={[worth]} path="/admin/fleet" />}
        <form method="post" action={`/admin/fleet/${host.id}/tenure`} class="card stack">
          <FormFault faults={of('tenure')} />
          <RentField rent={sent?.form === 'tenure' ? sent.typed : told} faults={of('tenure')} />
          <CheckField name="team" label="The team’s own" checked={worth?.team ?? false} />
          <p class="muted small">
            What the team’s own machines earn from then on is booked like any other’s and never paid out, whoever has
            the machine later. What it earned before stays its owner’s.
          </p>
          <div>
            <button>Save</button>
          </div>
        </form>
      </Section>
      <p>
        <a href={`/admin/acts?subject=${host.id}`}>What admins did to it</a>
      </p>
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

/** One of the page's forms: what it does; what is refused is said beside it. */
function part(form: string, field: string, work: (visit: MemberVisit, host: ListedHost) => Promise<void>) {
  return async (visit: MemberVisit): Promise<Page | Response> => {
    const host = await oneHost(visit)
    try {
      await work(visit, host)
      return seeOther(`/admin/fleet/${host.id}`)
    } catch (error) {
      const { faults, status } = faultOf(error, [field])
      const view = { ...(await readHost(visit)), sent: { form, typed: visit.form.text(field) }, faults }
      return { title: host.name, status, body: <FleetHostPage {...view} /> }
    }
  }
}

const by = ({ guest }: MemberVisit) => ({ userId: guest.user.id })

const wish = (asked: 'drain' | 'resume') =>
  part('wish', '', async (visit, { id, name }) => {
    const { hub } = visit
    if (!hub.wish(id, asked, 'asked for by the people who run this hub'))
      throw new HubError('invalid_request', `${name} is not linked to this hub, so nothing was asked of it.`)
    await recordAlone(hub.env, hub.db, { by: by(visit), what: `host.${asked}`, subject: id })
  })

const verdict = (form: string, of: (visit: MemberVisit) => Verdict) =>
  part(form, 'reason', (visit, { id }) => judgeHost(visit.hub.identity, by(visit), id, of(visit)))

export const fleetActs = {
  drain: wish('drain'),
  resume: wish('resume'),
  vet: verdict('vetting', () => ({ is: 'vetted' })),
  unvet: verdict('vetting', () => ({ is: 'not vetted' })),
  quarantine: verdict('quarantine', ({ form }) => ({ is: 'quarantined', reason: form.text('reason') })),
  release: verdict('quarantine', () => ({ is: 'released' })),
  tenure: part('tenure', 'rent', (visit, { id }) =>
    setTenure(visit.hub, by(visit), { id, rent: visit.form.text('rent'), team: visit.form.has('team') }),
  ),
  note: part('note', 'note', (visit, { id }) =>
    noteHost(visit.hub.env, visit.hub.db, by(visit), id, visit.form.text('note')),
  ),
}
