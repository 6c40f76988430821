import { allowancesOf } from '../../hub/identity/allowances.ts'
import { mayAsk } from '../../hub/identity/key-models.ts'
import { addKey, type Key, listKeys, revokeKey } from '../../hub/identity/keys.ts'
import { trafficOf } from '../../hub/ledger/traffic.ts'
import { formatUsd, type Money } from '../../sdk/money.ts'
import { type Faults, faultOf } from '../form.ts'
import { firstRequest } from '../home/samples.ts'
import { roundUsd, Total } from '../parts/amount.tsx'
import { FormFault, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Command, Samples } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'
import {
  BudgetField,
  changedLimits,
  LastDayField,
  LIMIT_FIELDS,
  NO_LIMITS,
  ownKey,
  type TypedLimits,
  typedLimits,
} from './key-limits.tsx'

const DAY_MS = 24 * 60 * 60 * 1_000
const DAYS_30_MS = 30 * DAY_MS
const MOST = 200
const FIELDS = ['name', ...LIMIT_FIELDS]
const NOTHING_TYPED = { name: '', ...NO_LIMITS }

export interface ListedKey extends Key {
  /** In 30 days. */
  spent: Money
  /** The most it may ever spend, and what it has; null: as much as there is. */
  budget: { limit: Money; spent: Money } | null
  expiresAt: number | null
  expired: boolean
  /** What it may ask for; null: everything. */
  models: readonly string[] | null
}

export interface KeysView {
  keys: ListedKey[]
  /** Just made: the only time it is seen. */
  fresh?: { name: string; key: string; publicUrl: string; model: string }
  typed?: TypedLimits & { name: string }
  faults?: Faults
}

export async function keys(visit: MemberVisit): Promise<Page> {
  return { title: 'Keys', body: <KeysPage {...(await readKeys(visit))} /> }
}

export async function makeKey(visit: MemberVisit): Promise<Page> {
  const { hub, guest, form, url } = visit
  const typed = { name: form.text('name'), ...typedLimits(form) }
  try {
    const allowance = changedLimits(typed, NO_LIMITS, hub.env.now())
    const { name, key } = await addKey(hub.env, hub.db, { userId: guest.user.id, name: typed.name, allowance })
    const offers = hub.offers
      .all()
      .filter((offer) => mayAsk(allowance.models ? new Set(allowance.models) : null, offer))
    const model = (offers.find(({ id }) => hub.turns.count(id) > 0) ?? offers[0])?.model.id ?? 'Qwen/Qwen3-8B'
    const fresh = { name, key, publicUrl: hub.config.publicUrl || url.origin, model }
    return { title: 'Keys', body: <KeysPage {...(await readKeys(visit))} fresh={fresh} /> }
  } catch (error) {
    const { faults, status } = faultOf(error, FIELDS)
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
      const { budget = null, spent: used = 0n, expiresAt = null, models = null } = allowances.get(key.id) ?? {}
      return {
        ...{ ...key, spent: byKey.get(key.id) ?? 0n, expiresAt, expired: expiresAt !== null && expiresAt <= now },
        models,
        budget: budget === null ? null : { limit: budget, spent: used },
      }
    }),
  }
}

export function KeysPage({ keys, fresh, typed = NOTHING_TYPED, faults }: KeysView) {
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
          value={typed.name}
          faults={faults}
          maxLength={60}
          placeholder="web-app"
          autocomplete="off"
        />
        <BudgetField typed={typed} faults={faults} optional />
        <LastDayField typed={typed} faults={faults} optional />
        <TextField
          name="models"
          label="Models (optional)"
          value={typed.models}
          faults={faults}
          maxLength={5_000}
          placeholder="all; or A, B"
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
          { name: 'Models', cell: ({ models }) => <Models of={models} /> },
          {
            name: 'State',
            cell: ({ id, name, revokedAt }) =>
              revokedAt === null ? (
                <>
                  <a href={`/client/keys/${id}/limits`} aria-label={`Change the limits of ${name}`}>
                    Limits
                  </a>
                  {' · '}
                  <a href={`/client/keys/${id}/revocation`} aria-label={`Revoke ${name}`}>
                    Revoke
                  </a>
                </>
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

function Models({ of }: { of: readonly string[] | null }) {
  if (of === null) return <span class="muted">all</span>
  const [first = ''] = of
  return (
    <span title={of.join('\n')}>{of.length === 1 ? (first.split('/').at(-1) ?? first) : `${of.length} models`}</span>
  )
}
