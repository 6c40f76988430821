// Users and invitations.
import type { Role } from '../../hub/identity/users.ts'
import { HubError } from '../../hub/errors.ts'
import { changeRoles, findPeople, giveCredit, reinstate, suspend } from '../../hub/identity/admin.ts'
import { addInvitation, type Invitation, listInvitations, revokeInvitation } from '../../hub/identity/invitations.ts'
import { resetLink } from '../../hub/identity/reset.ts'
import { clientAccount, type User, userById } from '../../hub/identity/users.ts'
import { balanceRow } from '../../hub/ledger/balance.ts'
import { newId } from '../../sdk/env.ts'
import { type Money, parseUsd } from '../../sdk/money.ts'
import { type Faults, faultOf } from '../form.ts'
import { roundUsd, Total } from '../parts/amount.tsx'
import { CheckField, FormFault, Hidden, SelectField, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { Command } from '../parts/sample.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther } from '../route.ts'

const PAGE = 50
const ROLES: Role[] = ['client', 'host', 'admin']

export interface UsersView {
  users: User[]
  query: { search: string; role: string; state: string }
  next: string | null
}

export async function users({ hub, url }: MemberVisit): Promise<Page> {
  const given = (name: string) => url.searchParams.get(name) ?? ''
  const query = { search: given('search').slice(0, 100), role: given('role'), state: given('state') }
  const found = await findPeople(hub.db, {
    limit: PAGE + 1,
    after: url.searchParams.get('after') ?? undefined,
    search: query.search || undefined,
    role: ROLES.find((role) => role === query.role),
    state: query.state === 'active' || query.state === 'suspended' ? query.state : undefined,
  })
  const next = found.length > PAGE ? (found[PAGE - 1]?.id ?? null) : null
  return { title: 'Users', body: <UsersPage users={found.slice(0, PAGE)} query={query} next={next} /> }
}

export function UsersPage({ users, query, next }: UsersView) {
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== ''))
  return (
    <>
      <Title note="Oldest first.">Users</Title>
      <form method="get" action="/admin/users" class="filters">
        <TextField name="search" label="Address or name" type="search" value={query.search} maxLength={100} />
        <SelectField
          name="role"
          label="Role"
          value={query.role}
          options={[['', 'all'], ...ROLES.map((role): [string, string] => [role, role])]}
        />
        <SelectField
          name="state"
          label="State"
          value={query.state}
          options={[
            ['', 'all'],
            ['active', 'active'],
            ['suspended', 'suspended'],
          ]}
        />
        <button>Show</button>
      </form>
      <Table
        caption="Users"
        empty={<p>Nobody is like that.</p>}
        rows={users}
        columns={[
          { name: 'User', cell: ({ id, email }) => <a href={`/admin/users/${id}`}>{email}</a> },
          { name: 'Roles', cell: ({ roles }) => roles.join(', ') },
          { name: 'Country', cell: ({ country }) => country ?? '–' },
          { name: 'Since', cell: ({ createdAt }) => <When at={createdAt} /> },
          { name: 'State', cell: (user) => <UserState user={user} /> },
        ]}
      />
      {next !== null && (
        <p>
          <a href={`/admin/users?${search}${search.size > 0 ? '&' : ''}after=${next}`}>More</a>
        </p>
      )}
    </>
  )
}

function UserState({ user: { suspendedAt } }: { user: User }) {
  return suspendedAt === null ? <span class="tag">active</span> : <span class="tag bad">suspended</span>
}

export interface UserView {
  user: User
  balance: Money
  granted: Money
  /** So that a form sent twice gives once. */
  creditKey: string
  link?: string
  sent?: string
  faults?: Faults
}

async function readUser({ hub, params }: MemberVisit): Promise<UserView> {
  const user = await userById(hub.db, params.id ?? '')
  if (!user || user.erasedAt !== null) throw new HubError('not_found', 'There is no such user.')
  return { user, ...(await balanceRow(hub.db, clientAccount(user.id))), creditKey: newId(hub.env, 'gift') }
}

export async function user(visit: MemberVisit): Promise<Page> {
  const view = await readUser(visit)
  return { title: view.user.email, body: <UserPage {...view} /> }
}

function part(
  name: string,
  fields: string[],
  work: (visit: MemberVisit, user: User) => Promise<Partial<UserView> | void>,
) {
  return async (visit: MemberVisit): Promise<Page | Response> => {
    const before = await readUser(visit)
    try {
      const done = await work(visit, before.user)
      if (!done) return seeOther(`/admin/users/${before.user.id}`)
      return { title: before.user.email, body: <UserPage {...before} {...done} /> }
    } catch (error) {
      const { faults, status } = faultOf(error, fields)
      return { title: before.user.email, status, body: <UserPage {...before} sent={name} faults={faults} /> }
    }
  }
}

const by = ({ guest }: MemberVisit) => ({ userId: guest.user.id })

export const userActs = {
  suspend: part('state', ['reason'], (visit, { id }) =>
    suspend(visit.hub.identity, by(visit), id, visit.form.text('reason')),
  ),
  reinstate: part('state', [], (visit, { id }) => reinstate(visit.hub.identity, by(visit), id)),
  roles: part('roles', [], (visit, { id }) =>
    changeRoles(
      visit.hub.identity,
      by(visit),
      id,
      ROLES.filter((role) => visit.form.all('role').includes(role)),
    ),
  ),
  credit: part('credit', ['amount'], async (visit, { id }) => {
    const { form, hub } = visit
    const gift = { amount: amountOf(form.text('amount')), key: form.text('key'), note: form.text('note').slice(0, 200) }
    await giveCredit(hub.identity, by(visit), id, gift)
  }),
  link: part('link', [], async (visit, user) => ({ link: await resetLink(visit.hub.identity, by(visit), user) })),
}

function amountOf(text: string): Money {
  try {
    return parseUsd(text)
  } catch (error) {
    throw new HubError('invalid_request', (error as Error).message, { param: 'amount' })
  }
}

export function UserPage({ user, balance, granted, creditKey, link, sent, faults }: UserView) {
  const of = (form: string) => (sent === form ? faults : undefined)
  return (
    <>
      <Title
        note={
          <>
            <code>{user.id}</code> · {user.country ?? 'no country'} · since <When at={user.createdAt} />
          </>
        }
      >
        {user.email} <UserState user={user} />
      </Title>
      <div class="columns">
        <Section title="Balance" note={`${roundUsd(granted)} held for requests`}>
          <div class="card stack">
            <p class="figure">
              <Total of={balance} />
            </p>
            <form method="post" action={`/admin/users/${user.id}/credit`} class="stack">
              <FormFault faults={of('credit')} />
              <Hidden name="key" value={creditKey} />
              <TextField
                name="amount"
                label="Give credit, USD"
                placeholder="5.00"
                faults={of('credit')}
                maxLength={20}
              />
              <TextField name="note" label="Why" maxLength={200} autocomplete="off" />
              <div>
                <button>Give</button>
              </div>
            </form>
            <a href={`/admin/ledger?account=client:${user.id}`}>Statement</a>
          </div>
        </Section>
        <Section title="Roles" note="whoever gains or loses one signs in again">
          <form method="post" action={`/admin/users/${user.id}/roles`} class="card stack">
            <FormFault faults={of('roles')} />
            {ROLES.map((role) => (
              <CheckField name="role" value={role} label={role} checked={user.roles.includes(role)} />
            ))}
            <div>
              <button>Save</button>
            </div>
          </form>
        </Section>
        <Section title="Access">
          <div class="card stack">
            <FormFault faults={of('state')} />
            {user.suspendedAt === null ? (
              <form method="post" action={`/admin/users/${user.id}/suspension`} class="stack">
                <p class="muted small">Sessions, keys and hosts are refused within a second. Nothing is lost.</p>
                <TextField
                  name="reason"
                  label="Why"
                  hint="They read it where they are refused. It stays on record: name nobody."
                  faults={of('state')}
                  maxLength={200}
                  required
                  autocomplete="off"
                />
                <div>
                  <button class="danger">Suspend {user.email}</button>
                </div>
              </form>
            ) : (
              <form method="post" action={`/admin/users/${user.id}/reinstatement`} class="stack">
                <p class="muted small">
                  Suspended <When at={user.suspendedAt} />
                  {user.suspendedFor !== null && `: ${user.suspendedFor}`}
                </p>
                <div>
                  <button>Reinstate</button>
                </div>
              </form>
            )}
            <form method="post" action={`/admin/users/${user.id}/reset-link`}>
              <button>Make a link for a new password</button>
            </form>
            {link !== undefined && <Command id="reset-link" text={link} />}
          </div>
        </Section>
      </div>
    </>
  )
}

export interface InvitationsView {
  invitations: Invitation[]
  next: string | null
  now: number
  trialCredit: string
  /** Just made: the only time its link is seen. */
  link?: string
  typed?: { email: string; credit: string }
  faults?: Faults
}

async function readInvitations({ hub, url }: MemberVisit): Promise<InvitationsView> {
  const found = await listInvitations(hub.db, { limit: PAGE + 1, before: url.searchParams.get('before') ?? undefined })
  return {
    invitations: found.slice(0, PAGE),
    next: found.length > PAGE ? (found[PAGE - 1]?.id ?? null) : null,
    now: hub.env.now(),
    trialCredit: hub.policy.current().trialCredit,
  }
}

export async function invitations(visit: MemberVisit): Promise<Page> {
  return { title: 'Invitations', body: <InvitationsPage {...(await readInvitations(visit))} /> }
}

export async function invite(visit: MemberVisit): Promise<Page> {
  const { hub, form } = visit
  const { identity } = hub
  const typed = { email: form.text('email').trim(), credit: form.text('credit').trim() }
  try {
    const role = form.text('role') === 'host' ? 'host' : 'client'
    const trial = role === 'client' ? hub.policy.current().trialCredit : '0'
    const office = { env: hub.env, db: hub.db, url: identity.url(), sends: identity.outbox.sends }
    const { link } = await addInvitation(office, by(visit), {
      email: typed.email || undefined,
      roles: [role],
      credit: amountOf(typed.credit || trial),
    })
    identity.outbox.wake()
    return { title: 'Invitations', body: <InvitationsPage {...(await readInvitations(visit))} link={link} /> }
  } catch (error) {
    const { faults, status } = faultOf(error, ['email', 'amount'])
    const view = { ...(await readInvitations(visit)), typed, faults }
    return { title: 'Invitations', status, body: <InvitationsPage {...view} /> }
  }
}

export async function uninvite(visit: MemberVisit): Promise<Response> {
  const { hub, params } = visit
  if (!(await revokeInvitation(hub.env, hub.db, by(visit), params.id ?? '')))
    throw new HubError('not_found', 'There is no open invitation with this id.')
  return seeOther('/admin/invitations')
}

export function InvitationsPage({ invitations, next, now, trialCredit, link, typed, faults }: InvitationsView) {
  return (
    <>
      <Title note="A link that makes one account. With an address, a letter is sent and only that address may use it.">
        Invitations
      </Title>
      {link !== undefined && (
        <Section title="Made" note="copy the link now: it is not shown again">
          <Command id="invitation" text={link} />
        </Section>
      )}
      <form method="post" action="/admin/invitations" class="filters">
        <TextField name="email" label="E-mail, or empty" value={typed?.email} faults={faults} maxLength={254} />
        <SelectField
          name="role"
          label="As"
          options={[
            ['client', 'client'],
            ['host', 'host'],
          ]}
        />
        <TextField
          name="credit"
          label="Credit, USD"
          value={typed?.credit}
          placeholder={trialCredit}
          faults={faults?.amount ? { credit: faults.amount } : {}}
          maxLength={20}
        />
        <button class="primary">Invite</button>
        <FormFault faults={faults} />
      </form>
      <Table
        caption="Invitations, newest first"
        empty={<p>Nobody was invited yet.</p>}
        rows={invitations}
        columns={[
          { name: 'For', cell: ({ email }) => email ?? 'whoever has the link' },
          { name: 'As', cell: ({ roles }) => roles.join(', ') },
          { name: 'Credit', number: true, cell: ({ credit }) => roundUsd(credit) },
          { name: 'Made', cell: ({ createdAt }) => <When at={createdAt} /> },
          { name: 'State', cell: (invitation) => <InvitationState of={invitation} now={now} /> },
        ]}
      />
      {next !== null && (
        <p>
          <a href={`/admin/invitations?before=${next}`}>Older</a>
        </p>
      )}
    </>
  )
}

function InvitationState({ of: { id, usedAt, revokedAt, expiresAt }, now }: { of: Invitation; now: number }) {
  if (usedAt !== null) return <span class="good">used</span>
  if (revokedAt !== null) return <span class="muted">revoked</span>
  if (expiresAt <= now) return <span class="muted">expired</span>
  return (
    <form method="post" action={`/admin/invitations/${id}/revocation`} class="row">
      <span>open</span>
      <button class="link">Revoke</button>
    </form>
  )
}
