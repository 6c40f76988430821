// One of an owner's machines: why it is idle, what failed on it, what it costs, and the two things one can ask of it.
import { HubError } from '../../hub/errors.ts'
import { failuresOf, type ToldFailure } from '../../hub/fleet/failures.ts'
import { findHost, type ListedHost } from '../../hub/fleet/list.ts'
import type { Least } from '../../hub/fleet/network.ts'
import { leastOf } from '../../hub/fleet/network-round.ts'
import { setTenure } from '../../hub/fleet/tenure.ts'
import { type HostWorth, worthOf } from '../../hub/fleet/worth.ts'
import { type Check, checksOf } from '../../hub/verification/host-checks.ts'
import { usdDecimal } from '../../sdk/money.ts'
import { Model } from '../client/requests.tsx'
import { type Faults, faultOf } from '../form.ts'
import { short, Total } from '../parts/amount.tsx'
import { Figures } from '../parts/figures.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Network } from '../parts/network.tsx'
import { RentField, Rents } from '../parts/rent.tsx'
import { Stages } from '../parts/stages.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'
import { lookAt, type Machine, State } from './machines.tsx'

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
