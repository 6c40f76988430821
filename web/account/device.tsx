// A machine asks to join: its owner types the code it shows, sees which machine asks and from where, and decides.
import { decideDevice, findDevice, type WaitingMachine } from '../../hub/fleet/sign-in.ts'
import { acceptInvitation } from '../../hub/identity/invitations.ts'
import type { User } from '../../hub/identity/users.ts'
import { type Faults, faultOf } from '../form.ts'
import { FormFault, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

export function devicePage({ guest, url }: MemberVisit): Page {
  const invitation = ownsHosts(guest.user) ? undefined : (url.searchParams.get('invitation') ?? '').slice(0, 100)
  return { title: 'Let a machine join', body: <DevicePage invitation={invitation} /> }
}

/** Who is no owner of hosts yet becomes one by the invitation that is typed beside the code. */
export async function deviceAct({ hub, guest, request, form }: MemberVisit): Promise<Page> {
  const { identity } = hub
  const [code, invitation] = [form.text('code'), form.text('invitation').trim()]
  let { user } = guest
  try {
    const caller = identity.callers.of(request)
    if (!ownsHosts(user) && invitation !== '')
      user = { ...user, roles: await acceptInvitation(identity, caller, user, invitation) }
    const machine = await findDevice(identity, caller, user, code)
    return { title: 'Let a machine join', body: <DeviceAsks machine={machine} /> }
  } catch (error) {
    const { faults, status } = faultOf(error, ['invitation'])
    const view = { code, faults, ...(ownsHosts(user) ? {} : { invitation }) }
    return { title: 'Let a machine join', status, body: <DevicePage {...view} /> }
  }
}

function ownsHosts({ roles }: Pick<User, 'roles'>): boolean {
  return roles.includes('host')
}

export function decide(decision: 'approved' | 'refused') {
  return async ({ hub, guest, params }: MemberVisit): Promise<Page | Response> => {
    await decideDevice(hub.identity, guest.user, params.id ?? '', decision)
    if (decision === 'approved') return seeOther('/host/machines')
    return {
      title: 'Refused',
      body: (
        <div class="narrow stack">
          <Title note="It got nothing. If you did not start it, nobody else has to know.">Refused</Title>
          <p>
            <a href="/host">To your machines</a>
          </p>
        </div>
      ),
    }
  }
}

interface DeviceView {
  code?: string
  /** What was typed as one; undefined: they need none. */
  invitation?: string | undefined
  faults?: Faults
}

export function DevicePage({ code, invitation, faults }: DeviceView) {
  return (
    <div class="narrow stack">
      <Title note="gpuhost login shows a code on the machine that wants to join.">Let a machine join</Title>
      <form method="post" action="/device" class="card stack">
        <FormFault faults={faults} />
        <TextField
          name="code"
          label="Code"
          value={code}
          placeholder="BCDF-GHJK"
          autocomplete="off"
          maxLength={20}
          required
        />
        {invitation !== undefined && (
          <TextField
            name="invitation"
            label="An invitation’s code"
            hint="You are no owner of machines here yet. Whoever invited you to offer a GPU has sent you one."
            value={invitation}
            faults={faults}
            autocomplete="off"
            maxLength={100}
          />
        )}
        <div>
          <button class="primary">Go on</button>
        </div>
      </form>
    </div>
  )
}

export function DeviceAsks({ machine }: { machine: WaitingMachine }) {
  const facts: [string, preact.ComponentChildren][] = [
    ['Calls itself', machine.name],
    ['GPU', machine.gpu],
    ['From', machine.place === null ? machine.address : `${machine.address}, ${machine.place}`],
    ['Program', machine.agent],
    ['Asked', <When at={machine.askedAt} />],
  ]
  return (
    <div class="narrow stack">
      <Title>Is this your machine?</Title>
      <div class="card flush">
        <table>
          <tbody>
            {facts.map(([name, value]) => (
              <tr>
                <th scope="row" class="muted">
                  {name}
                </th>
                <td>{value}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="note-box warn">
        Approve only if you have just run <code>gpuhost login</code> on this machine yourself. Whoever sent you a code
        wants a machine of theirs to work, and be judged, in your name.
      </p>
      <div class="row">
        <form method="post" action={`/device/${machine.id}/approval`}>
          <button class="primary">It is mine: let it join</button>
        </form>
        <form method="post" action={`/device/${machine.id}/refusal`}>
          <button>Refuse</button>
        </form>
      </div>
    </div>
  )
}
