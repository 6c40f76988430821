import { HubError } from '../../hub/errors.ts'
import { addKey, type Key, listKeys, revokeKey } from '../../hub/identity/keys.ts'
import { trafficOf } from '../../hub/ledger/traffic.ts'
import type { Money } from '../../sdk/money.ts'
import { type Faults, faultOf } from '../form.ts'
import { firstRequest } from '../home/samples.ts'
import { Total } from '../parts/amount.tsx'
import { FormFault, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Command, Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const DAYS_30_MS = 30 * 24 * 60 * 60 * 1_000
const MOST = 200

export interface KeysView {
  keys: (Key & { spent: Money })[]
  /** Just made: the only time it is seen. */
  fresh?: { name: string; key: string; publicUrl: string; model: string }
  typed?: string
  faults?: Faults
}

export async function keys(visit: MemberVisit): Promise<Page> {
  return { title: 'Keys', body: <KeysPage {...(await readKeys(visit))} /> }
}

export async function makeKey(visit: MemberVisit): Promise<Page> {
  const { hub, guest, form, url } = visit
  const typed = form.text('name')
  try {
    const { name, key } = await addKey(hub.env, hub.db, { userId: guest.user.id, name: typed })
    const offers = hub.offers.all()
    const model = (offers.find(({ id }) => hub.turns.count(id) > 0) ?? offers[0])?.model.id ?? 'Qwen/Qwen3-8B'
    const fresh = { name, key, publicUrl: hub.config.publicUrl || url.origin, model }
    return { title: 'Keys', body: <KeysPage {...(await readKeys(visit))} fresh={fresh} /> }
  } catch (error) {
    const { faults, status } = faultOf(error, ['name'])
    return { title: 'Keys', status, body: <KeysPage {...(await readKeys(visit))} typed={typed} faults={faults} /> }
  }
}

/** Asks once, with the key's name, before it is done. */
export async function askRevocation(visit: MemberVisit): Promise<Page> {
  const key = await ownKey(visit)
  return {
    title: 'Revoke a key',
    body: (
      <>
        <Title note="Requests that carry it are refused within a second. Answers that run now still finish.">
          Revoke “{key.name}”?
        </Title>
        <form method="post" action={`/client/keys/${key.id}/revocation`} class="row">
          <button class="danger">Revoke …{key.hint}</button>
          <a href="/client/keys">Keep it</a>
        </form>
      </>
    ),
  }
}

export async function revoke(visit: MemberVisit): Promise<Response> {
  const { hub, guest } = visit
  const { id } = await ownKey(visit)
  await revokeKey(hub.env, hub.db, { id, userId: guest.user.id })
  return seeOther('/client/keys')
}

async function ownKey({ hub, guest, params }: MemberVisit): Promise<Key> {
  const mine = await listKeys(hub.db, { userId: guest.user.id, limit: 1_000 })
  const key = mine.find(({ id }) => id === params.id)
  if (!key) throw new HubError('not_found', 'There is no such key.')
  return key
}

async function readKeys({ hub, guest }: MemberVisit): Promise<KeysView> {
  const now = hub.env.now()
  const [keys, spent] = await Promise.all([
    listKeys(hub.db, { userId: guest.user.id, limit: MOST }),
    trafficOf(hub.db, { userId: guest.user.id }, { from: now - DAYS_30_MS, to: now + 1, by: 'key' }),
  ])
  const byKey = new Map(spent.map(({ group, cost }) => [group, cost]))
  return { keys: keys.map((key) => ({ ...key, spent: byKey.get(key.id) ?? 0n })) }
}

export function KeysPage({ keys, fresh, typed, faults }: KeysView) {
  return (
    <>
      <Title note="A key carries requests and pays from your balance. It is shown once, when it is made.">Keys</Title>
      {fresh && (
        <Section title={`“${fresh.name}” is ready`} note="copy it now: it is not shown again">
          <Command id="fresh-key" text={fresh.key} />
          <Samples id="first-request" of={firstRequest(fresh.publicUrl, fresh.model, fresh.key)} />
        </Section>
      )}
      <form method="post" action="/client/keys" class="filters">
        <TextField
          name="name"
          label="Name of a new key"
          value={typed}
          faults={faults}
          maxLength={60}
          placeholder="web-app"
          autocomplete="off"
        />
        <button class="primary">Make a key</button>
        <FormFault faults={faults} />
      </form>
      <Table
        caption="Keys, newest first"
        empty={<p>You have no key yet. Name the app it is for, and make one.</p>}
        rows={keys}
        columns={[
          { name: 'Name', cell: ({ name }) => name },
          { name: 'Key', cell: ({ hint }) => <code>…{hint}</code> },
          { name: 'Made', cell: ({ createdAt }) => <When at={createdAt} /> },
          { name: 'Spent in 30 days', number: true, cell: ({ spent }) => <Total of={spent} /> },
          {
            name: 'State',
            cell: ({ id, name, revokedAt }) =>
              revokedAt === null ? (
                <a href={`/client/keys/${id}/revocation`} aria-label={`Revoke ${name}`}>
                  Revoke
                </a>
              ) : (
                <span class="muted">
                  revoked <When at={revokedAt} />
                </span>
              ),
          },
        ]}
      />
    </>
  )
}
