// A machine asks to join: its owner types the code it shows, sees which machine asks and from where, and decides.
import { decideDevice, findDevice, type WaitingMachine } from '../../hub/fleet/sign-in.ts'
import { type Faults, faultOf } from '../form.ts'
import { FormFault, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

export function devicePage(): Page {
  return { title: 'Let a machine join', body: <DevicePage /> }
}

export async function deviceAct({ hub, guest, request, form }: MemberVisit): Promise<Page> {
  const code = form.text('code')
  try {
    const machine = await findDevice(hub.identity, hub.identity.callers.of(request), guest.user, code)
    return { title: 'Let a machine join', body: <DeviceAsks machine={machine} /> }
  } catch (error) {
    const { faults, status } = faultOf(error)
    return { title: 'Let a machine join', status, body: <DevicePage code={code} faults={faults} /> }
  }
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

export function DevicePage({ code, faults }: { code?: string; faults?: Faults }) {
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
