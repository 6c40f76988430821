import { HubError } from '../../hub/errors.ts'
import { allowancesOf, type KeyAllowance } from '../../hub/identity/allowances.ts'
import { addKey, type Key, listKeys, revokeKey } from '../../hub/identity/keys.ts'
import { trafficOf } from '../../hub/ledger/traffic.ts'
import { formatUsd, type Money, parseUsd } from '../../sdk/money.ts'
import { type Faults, faultOf, type Form } from '../form.ts'
import { firstRequest } from '../home/samples.ts'
import { roundUsd, Total } from '../parts/amount.tsx'
import { FormFault, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Command, Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
const DAYS_30_MS = 30 * DAY_MS
const MOST = 200
const FIELDS = ['name', 'budget', 'expires']

export interface ListedKey extends Key {
  /** In 30 days. */
  spent: Money
  /** The most it may ever spend, and what it has; null: as much as there is. */
  budget: { limit: Money; spent: Money } | null
  expiresAt: number | null
  expired: boolean
}

export interface KeysView {
  keys: ListedKey[]
  /** Just made: the only time it is seen. */
  fresh?: { name: string; key: string; publicUrl: string; model: string }
  typed?: { name: string; budget: string; expires: string }
  faults?: Faults
}

export async function keys(visit: MemberVisit): Promise<Page> {
  return { title: 'Keys', body: <KeysPage {...(await readKeys(visit))} /> }
}

export async function makeKey(visit: MemberVisit): Promise<Page> {
  const { hub, guest, form, url } = visit
  const typed = { name: form.text('name'), budget: form.text('budget'), expires: form.text('expires') }
  try {
    const allowance = readAllowance(form, hub.env.now())
    const { name, key } = await addKey(hub.env, hub.db, { userId: guest.user.id, name: typed.name, allowance })
    const offers = hub.offers.all()
    const model = (offers.find(({ id }) => hub.turns.count(id) > 0) ?? offers[0])?.model.id ?? 'Qwen/Qwen3-8B'
    const fresh = { name, key, publicUrl: hub.config.publicUrl || url.origin, model }
    return { title: 'Keys', body: <KeysPage {...(await readKeys(visit))} fresh={fresh} /> }
  } catch (error) {
    const { faults, status } = faultOf(error, FIELDS)
    return { title: 'Keys', status, body: <KeysPage {...(await readKeys(visit))} typed={typed} faults={faults} /> }
  }
}

/** @throws HubError */
function readAllowance(form: Form, now: number): Partial<KeyAllowance> {
  const [budget, expires] = [form.text('budget').trim(), form.text('expires').trim()]
  // The whole of the last day, in UTC, as it is billed.
  const expiresAt = Date.parse(`${expires}T00:00:00Z`) + DAY_MS
  if (expires !== '' && !(expiresAt > now))
    throw new HubError('invalid_request', 'That day is over, or is no day. Choose one to come.', { param: 'expires' })
  return {
    ...(budget === '' ? {} : { budget: amount(budget) }),
    ...(expires === '' ? {} : { expiresAt }),
  }
}

function amount(text: string): Money {
  try {
    return parseUsd(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new HubError('invalid_request', `${error.message}.`, { param: 'budget' })
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
  const allowances = await allowancesOf(
    hub.db,
    keys.map(({ id }) => id),
  )
  return {
    keys: keys.map((key) => {
      const { budget = null, spent: used = 0n, expiresAt = null } = allowances.get(key.id) ?? {}
      return {
        ...{ ...key, spent: byKey.get(key.id) ?? 0n, expiresAt, expired: expiresAt !== null && expiresAt <= now },
        budget: budget === null ? null : { limit: budget, spent: used },
      }
    }),
  }
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
          value={typed?.name}
          faults={faults}
          maxLength={60}
          placeholder="web-app"
          autocomplete="off"
        />
        <TextField
          name="budget"
          label="Budget, USD (optional)"
          value={typed?.budget}
          faults={faults}
          maxLength={20}
          placeholder="5.00"
          autocomplete="off"
        />
        <TextField
          name="expires"
          label="Last day, UTC (optional)"
          value={typed?.expires}
          faults={faults}
          maxLength={10}
          placeholder="2027-12-31"
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
            name: 'Budget left',
            number: true,
            cell: ({ budget }) =>
              budget === null ? (
                <span class="muted">no budget</span>
              ) : (
                <span class={budget.spent < budget.limit ? undefined : 'bad'} title={`of ${formatUsd(budget.limit)}`}>
                  {roundUsd(budget.spent < budget.limit ? budget.limit - budget.spent : 0n)}
                </span>
              ),
          },
          {
            name: 'Expires',
            cell: ({ expiresAt, expired }) =>
              expiresAt === null ? (
                <span class="muted">never</span>
              ) : (
                <span class={expired ? 'bad' : undefined}>
                  <When at={expiresAt} exact />
                </span>
              ),
          },
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
