// What a key may do, as its owner writes it: budget, last day, models.
import { HubError } from '../../hub/errors.ts'
import { allow, allowancesOf, type KeyAllowance } from '../../hub/identity/allowances.ts'
import { keyModelsFrom } from '../../hub/identity/key-models.ts'
import { type Key, listKeys } from '../../hub/identity/keys.ts'
import { formatUsd, type Money, parseUsd } from '../../sdk/money.ts'
import { type Faults, faultOf, type Form } from '../form.ts'
import { AreaField, FormFault, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const DAY_MS = 24 * 60 * 60 * 1_000
export const LIMIT_FIELDS = ['budget', 'expires', 'models']

/** As typed; empty: no such limit. */
export interface TypedLimits {
  budget: string
  expires: string
  models: string
}

export const NO_LIMITS: TypedLimits = { budget: '', expires: '', models: '' }

export function typedLimits(form: Form): TypedLimits {
  return { budget: form.text('budget'), expires: form.text('expires'), models: form.text('models') }
}

/** What is typed otherwise than it was `before`: a last day that is over may stay. @throws HubError */
export function changedLimits(typed: TypedLimits, before: TypedLimits, now: number): Partial<KeyAllowance> {
  const changed = (name: keyof TypedLimits) => typed[name].trim() !== before[name].trim()
  return {
    ...(changed('budget') ? { budget: amount(typed.budget.trim()) } : {}),
    ...(changed('expires') ? { expiresAt: endOf(typed.expires.trim(), now) } : {}),
    ...(changed('models') ? { models: keyModelsFrom(typed.models.split(/[\s,;]+/)) } : {}),
  }
}

function amount(text: string): Money | null {
  if (text === '') return null
  try {
    return parseUsd(text)
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    throw new HubError('invalid_request', `${error.message}.`, { param: 'budget' })
  }
}

/** The whole of the last day, in UTC, as it is billed. */
function endOf(day: string, now: number): number | null {
  if (day === '') return null
  const end = Date.parse(`${day}T00:00:00Z`) + DAY_MS
  if (end > now) return end
  throw new HubError('invalid_request', 'That day is over, or is no day. Choose one to come.', { param: 'expires' })
}

function written({ budget, expiresAt, models }: Partial<KeyAllowance>): TypedLimits {
  return {
    budget: typeof budget === 'bigint' ? formatUsd(budget) : '',
    // The last moment counts: what ends with a day ends on it.
    expires: typeof expiresAt === 'number' ? new Date(expiresAt - 1).toISOString().slice(0, 10) : '',
    models: (models ?? []).join('\n'),
  }
}

/** Another's key is no key. @throws HubError */
export async function ownKey({ hub, guest, params }: MemberVisit): Promise<Key> {
  const mine = await listKeys(hub.db, { userId: guest.user.id, limit: 1_000 })
  const key = mine.find(({ id }) => id === params.id)
  if (!key) throw new HubError('not_found', 'There is no such key.')
  return key
}

export interface LimitsView {
  key: Pick<Key, 'id' | 'name' | 'hint'>
  typed: TypedLimits
  faults?: Faults
}

export async function keyLimits(visit: MemberVisit): Promise<Page> {
  const key = await ownKey(visit)
  return { title: 'Limits of a key', body: <LimitsPage of={{ key, typed: await limitsNow(visit, key) }} /> }
}

export async function setKeyLimits(visit: MemberVisit): Promise<Page | Response> {
  const { hub, form } = visit
  const key = await ownKey(visit)
  const typed = typedLimits(form)
  try {
    await allow(hub.db, key.id, changedLimits(typed, await limitsNow(visit, key), hub.env.now()))
    return seeOther('/client/keys')
  } catch (error) {
    const { faults, status } = faultOf(error, LIMIT_FIELDS)
    return { title: 'Limits of a key', status, body: <LimitsPage of={{ key, typed, faults }} /> }
  }
}

async function limitsNow({ hub }: MemberVisit, { id }: Key): Promise<TypedLimits> {
  return written((await allowancesOf(hub.db, [id])).get(id) ?? {})
}

export function LimitsPage({ of: { key, typed, faults } }: { of: LimitsView }) {
  return (
    <>
      <Title note="Every hub follows within a second. What is empty is not limited.">
        Limits of “{key.name}” <code>…{key.hint}</code>
      </Title>
      <form method="post" action={`/client/keys/${key.id}/limits`} class="card stack narrow">
        <FormFault faults={faults} />
        <BudgetField typed={typed} faults={faults} hint="The most it may ever spend." />
        <LastDayField typed={typed} faults={faults} />
        <AreaField
          name="models"
          label="Models it may ask for"
          value={typed.models}
          faults={faults}
          maxLength={5_000}
          placeholder="Qwen/Qwen3-8B"
          hint={
            <>
              One a line, as <a href="/models">Models</a> lists them: a model in every precision, or with one, such as{' '}
              <code>Qwen/Qwen3-8B:fp8</code>.
            </>
          }
        />
        <div class="row">
          <button class="primary">Save</button>
          <a href="/client/keys">Leave it as it is</a>
        </div>
      </form>
    </>
  )
}

interface LimitField {
  typed: TypedLimits
  faults: Faults | undefined
  /** Among fields that must be filled. */
  optional?: boolean
  hint?: string
}

export function BudgetField({ typed, optional, ...more }: LimitField) {
  return (
    <TextField
      name="budget"
      label={optional ? 'Budget, USD (optional)' : 'Budget, USD'}
      value={typed.budget}
      maxLength={20}
      placeholder="5.00"
      autocomplete="off"
      {...more}
    />
  )
}

export function LastDayField({ typed, optional, ...more }: LimitField) {
  return (
    <TextField
      name="expires"
      label={optional ? 'Last day, UTC (optional)' : 'Last day, UTC'}
      value={typed.expires}
      maxLength={10}
      placeholder="2027-12-31"
      autocomplete="off"
      {...more}
    />
  )
}
