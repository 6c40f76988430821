// An owner's machines: what each does, why it is idle, what failed on it, and the two things one can ask of it.
import { HubError } from '../../hub/errors.ts'
import { failuresOf, type ToldFailure } from '../../hub/fleet/failures.ts'
import { whyIdle } from '../../hub/fleet/idle.ts'
import { type FleetHost, findHost, type ListedHost, pageOfHosts } from '../../hub/fleet/list.ts'
import { countHosts, type HostPlace, LINK_STATES } from '../../hub/fleet/list-filter.ts'
import type { Least } from '../../hub/fleet/network.ts'
import { leastOf } from '../../hub/fleet/network-round.ts'
import { setTenure } from '../../hub/fleet/tenure.ts'
import { addHostToken } from '../../hub/fleet/token.ts'
import { type HostWorth, worthOf } from '../../hub/fleet/worth.ts'
import { type Check, checksOf } from '../../hub/verification/host-checks.ts'
import { type Traffic, trafficOf } from '../../hub/ledger/traffic.ts'
import { type Money, usdDecimal } from '../../sdk/money.ts'
import { type Faults, faultOf } from '../form.ts'
import { Model } from '../client/requests.tsx'
import { short, Total } from '../parts/amount.tsx'
import { SelectField, TextField } from '../parts/field.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { hostFilter, More, readPlace } from '../parts/host-list.tsx'
import { Network, NetworkTag } from '../parts/network.tsx'
import { RentField, Rents } from '../parts/rent.tsx'
import { Command } from '../parts/sample.tsx'
import { Stages } from '../parts/stages.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

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
async function lookAt({ hub }: MemberVisit, hosts: FleetHost[]): Promise<Machine[]> {
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

export interface MachineView extends Machine {
  host: ListedHost
  failures: ToldFailure[]
  /** What is asked of its connection. */
  least: Least
  /** What the hub's own questions to it brought. */
  checks: Check[]
  /** What it earned beside what it costs; null: it costs nothing, and is not the team's. */
  worth: HostWorth | null
  /** What was typed as its rent, and what is wrong with it. */
  typed?: string
  faults?: Faults
}

export async function machine(visit: MemberVisit): Promise<Page> {
  const view = await readMachine(visit)
  return { title: view.host.name, body: <MachinePage {...view} /> }
}

async function readMachine(visit: MemberVisit): Promise<MachineView> {
  const host = await ownMachine(visit)
  const { env, db, policy } = visit.hub
  const [[seen], failures, checks, [worth = null]] = await Promise.all([
    lookAt(visit, [host]),
    failuresOf(db, host.id),
    checksOf(db, host.id),
    worthOf(env, db, [host]),
  ])
  return { ...seen!, host, failures, checks, worth, least: leastOf(policy.current()) }
}

/** Its owner says what it costs. What is refused is said beside the field. */
export async function rent(visit: MemberVisit): Promise<Page | Response> {
  const { hub, guest, form, params } = visit
  const typed = form.text('rent')
  try {
    const said = { id: params.id ?? '', owner: guest.user.id, rent: typed }
    await setTenure(hub, { userId: guest.user.id }, said)
    return seeOther(`/host/machines/${params.id}`)
  } catch (error) {
    const { faults, status } = faultOf(error, ['rent'])
    const view = { ...(await readMachine(visit)), typed, faults }
    return { title: view.host.name, status, body: <MachinePage {...view} /> }
  }
}

async function ownMachine({ hub, guest, params }: MemberVisit): Promise<ListedHost> {
  const mine = await findHost(hub.env, hub.db, params.id ?? '', guest.user.id)
  if (!mine) throw new HubError('not_found', 'You have no such machine.')
  return mine
}

export function MachinePage(view: MachineView) {
  const { host, earned, requests, tokensPerSecond, idle, failures, least, checks, worth, typed, faults } = view
  const told = worth && worth.rent > 0n ? usdDecimal(worth.rent) : ''
  return (
    <>
      <Title
        note={
          <>
            {host.hardware}
            {host.simulated && ' (simulated)'} · seen <When at={host.seenAt} />
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
          { label: 'Earned', value: <Total of={earned} />, note: 'in 24 hours' },
          { label: 'Requests', value: short(requests), note: 'answered in 24 hours' },
          {
            label: 'Tokens a second',
            value: tokensPerSecond === null ? '–' : Math.round(tokensPerSecond),
            note: 'of one answer, after its first token',
          },
          {
            label: 'Failures',
            value: short(host.failures.host + host.failures.engine + host.failures.network),
            note: `7 days · engine ${host.failures.engine}, network ${host.failures.network}, machine ${host.failures.host}`,
          },
        ]}
      />
      {idle !== null && idle !== host.network?.words && <p class="note-box">{idle}</p>}
      <Network of={host.network} least={least} />
      <Section title="Standing" note="from new to checked to vetted">
        <Stages of={host} checks={checks} />
      </Section>
      <div class="row">
        <form method="post" action={`/host/machines/${host.id}/drain`}>
          <button>Drain: finish, take nothing new</button>
        </form>
        <form method="post" action={`/host/machines/${host.id}/resumption`}>
          <button>Resume</button>
        </form>
      </div>
      <Section title="Rent" note="for machines that cost money by the hour">
        {worth !== null && <Rents of={[worth]} path="/host/machines" />}
        {worth?.team && <p class="muted small">It is the team’s own: what it earns is booked and not paid out.</p>}
        <form method="post" action={`/host/machines/${host.id}/rent`} class="card stack">
          <RentField rent={typed ?? told} faults={faults} />
          <div>
            <button>Save</button>
          </div>
        </form>
      </Section>
      <Section title="Failures" note="the last 50; what the hub or a client caused never counts against the machine">
        <Table
          caption="Failures, newest first"
          empty={<p>No request has failed here.</p>}
          rows={failures}
          columns={[
            { name: 'When', cell: ({ at }) => <When at={at} /> },
            { name: 'Whose', cell: (failure) => failure.class },
            { name: 'What', cell: ({ code, message }) => `${code}: ${message}` },
            { name: 'Model', cell: ({ variant }) => <Model variant={variant} /> },
            { name: 'Tokens before', number: true, cell: ({ tokens }) => short(tokens) },
          ]}
        />
      </Section>
    </>
  )
}

export async function drain(visit: MemberVisit): Promise<Response> {
  return wish(visit, 'drain')
}

export async function resume(visit: MemberVisit): Promise<Response> {
  return wish(visit, 'resume')
}

async function wish(visit: MemberVisit, asked: 'drain' | 'resume'): Promise<Response> {
  const host = await ownMachine(visit)
  if (!visit.hub.wish(host.id, asked, 'asked for on its owner’s page'))
    throw new HubError('invalid_request', `${host.name} is not connected, so nothing was asked of it.`)
  return seeOther(`/host/machines/${host.id}`)
}

export interface NewMachineView {
  publicUrl: string
  /** This hub hands out install.sh. */
  installs?: boolean
  /** Just made: the only time it is seen. */
  token?: string
}

export function newMachine({ hub, url }: MemberVisit): Page {
  return { title: 'Add a machine', body: <NewMachinePage {...waysOf(hub, url)} /> }
}

export async function makeToken({ hub, guest, form, url }: MemberVisit): Promise<Page> {
  const name = form.text('name').normalize('NFKC').trim().slice(0, 60) || 'machine'
  const { token } = await addHostToken(hub.env, hub.db, { ownerId: guest.user.id, name })
  const view = { ...waysOf(hub, url), token }
  return { title: 'Add a machine', body: <NewMachinePage {...view} /> }
}

function waysOf(hub: MemberVisit['hub'], url: URL): NewMachineView {
  const publicUrl = hub.config.publicUrl.replace(/\/+$/, '') || url.origin
  return { publicUrl, installs: (hub.releases?.keys.length ?? 0) > 0 }
}

export function NewMachinePage({ publicUrl, installs = false, token }: NewMachineView) {
  const words = '--engine openai --engine-url http://127.0.0.1:8000 --model Qwen/Qwen3-8B'
  const line = installs
    ? `curl -fsSL ${publicUrl}/install.sh | GPUHOST_TOKEN=${token} sh -s -- -- ${words}`
    : `GPUHOST_TOKEN=${token} gpuhost start --hub ${publicUrl} ${words}`
  return (
    <>
      <Title note="A token lets one machine enrol in your name. It is shown once.">Add a machine</Title>
      {installs && token === undefined && (
        <Section
          title="With a person at it"
          note="it asks which model, and shows a code to type in here; no token needed"
        >
          <Command id="install" text={`curl -fsSL ${publicUrl}/install.sh | sh`} />
          <p class="muted small">
            Then what it says: <code>gpuhost setup</code>. <a href="/docs/hosting">How hosting works</a>
          </p>
        </Section>
      )}
      {token === undefined ? (
        <form method="post" action="/host/machines/new" class="filters">
          <div class="field">
            <label for="name">What to call the machine</label>
            <input id="name" name="name" maxLength={60} placeholder="gaming-pc" autocomplete="off" />
          </div>
          <button class="primary">Make a token</button>
        </form>
      ) : (
        <>
          <Section title="1. The token" note="copy it now: it is not shown again">
            <Command id="token" text={token} />
          </Section>
          <Section title="2. On the machine" note="with an engine that already runs there">
            <Command id="start" text={line} />
            <p class="muted small">
              It connects outward; no port is opened, and the hub cannot run commands on it. It appears under{' '}
              <a href="/host/machines">Machines</a> as soon as it is here.
            </p>
          </Section>
        </>
      )}
    </>
  )
}
