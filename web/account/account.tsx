// What is one's own: name, password, second factor, browsers, terms, other roles, the export, and the way out for good.
import type { TermsRole } from '../../hub/identity/users.ts'
import { HubError } from '../../hub/errors.ts'
import { cookieGone } from '../../hub/identity/cookie.ts'
import { eraseUser } from '../../hub/identity/erase.ts'
import { exportOf } from '../../hub/identity/export.ts'
import { acceptInvitation } from '../../hub/identity/invitations.ts'
import { payGifts } from '../../hub/identity/gifts.ts'
import { unlink, waysIn } from '../../hub/identity/oauth.ts'
import { addOwnRole, askForEmail, finishEmail, rename } from '../../hub/identity/own.ts'
import { paths } from '../../hub/identity/paths.ts'
import { changePassword } from '../../hub/identity/reset.ts'
import {
  beginSecondFactor,
  confirmSecondFactor,
  hasSecondFactor,
  newRecoveryCodes,
  recoveryCodesLeft,
  removeSecondFactor,
  type SecondFactor,
} from '../../hub/identity/second-factor.ts'
import { endSession, endSessions, listSessions, type Session } from '../../hub/identity/sessions.ts'
import { prove } from '../../hub/identity/sign-in.ts'
import { newsFor, wantNews } from '../../hub/mail/news.ts'
import { newsKinds, type NewsKind } from '../../hub/mail/news-kinds.ts'
import { acceptTerms, type TermsState, termsStates, termsVersion } from '../../hub/identity/terms.ts'
import { normalEmail } from '../../hub/identity/users.ts'
import { type Faults, faultOf, type Form } from '../form.ts'
import { CheckField, FormFault, Hidden, TextField } from '../parts/field.tsx'
import { Section, Title } from '../parts/heading.tsx'
import { QrCode } from '../parts/qr.tsx'
import { Table } from '../parts/table.tsx'
import { When } from '../parts/when.tsx'
import { type MemberVisit, type Page, seeOther, type Visit } from '../route.ts'
import { LetterSent, NewPassword } from './sign-in.tsx'

export interface AccountView {
  email: string
  name: string
  terms: TermsState[]
  waysIn: { password: boolean; github: boolean; google: boolean }
  secondFactor: { on: boolean; codesLeft: number }
  /** Just begun, to be confirmed by a code. */
  begun?: SecondFactor
  /** Just made: the only time they are seen. */
  recoveryCodes?: string[]
  sessions: (Session & { current: boolean })[]
  /** Roles that they may take by themselves, with the version of their terms. */
  mayBecome: { role: TermsRole; version: string }[]
  /** News that the hub writes to them about, and which of it they want. */
  news: { kind: NewsKind; wanted: boolean }[]
  /** Which form was sent, and what is wrong with it. */
  sent?: string
  faults?: Faults
}

export async function account(visit: MemberVisit): Promise<Page> {
  return { title: 'Account', body: <AccountPage {...(await readAccount(visit))} /> }
}

async function readAccount({ hub, guest }: MemberVisit): Promise<AccountView> {
  const { identity, db, env, policy } = hub
  const { user, session } = guest
  const settings = policy.current()
  const on = await hasSecondFactor(db, user.id)
  const open = { client: settings.clientSignUp === 'open', host: settings.hostSignUp === 'open' }
  return {
    email: user.email,
    name: user.name ?? '',
    terms: termsStates(settings, user, env.now()),
    waysIn: await waysIn(identity, user),
    secondFactor: { on, codesLeft: on ? await recoveryCodesLeft(db, user.id) : 0 },
    sessions: (await listSessions(env, db, user)).map((each) => ({ ...each, current: each.id === session.id })),
    news: newsFor(user.roles).map((kind) => ({ kind, wanted: !user.muted?.includes(kind) })),
    mayBecome: (['client', 'host'] as const)
      .filter((role) => open[role] && !user.roles.includes(role))
      .map((role) => ({ role, version: termsVersion(settings, role) })),
  }
}

/** One of the page's forms: what it does, and its own fields, beside which its faults are shown. */
function part(
  name: string,
  fields: string[],
  work: (visit: MemberVisit) => Promise<Partial<AccountView> | Page | Response | void>,
) {
  return async (visit: MemberVisit): Promise<Page | Response> => {
    try {
      const done = await work(visit)
      if (done instanceof Response || (done && 'body' in done)) return done
      if (!done) return seeOther(paths.account)
      return { title: 'Account', body: <AccountPage {...(await readAccount(visit))} {...done} /> }
    } catch (error) {
      const { faults, status } = faultOf(error, fields)
      const view = { ...(await readAccount(visit)), sent: name, faults }
      return { title: 'Account', status, body: <AccountPage {...view} /> }
    }
  }
}

const current = (form: Form) => form.text('current') || undefined

export const accountActs = {
  name: part('name', ['name'], ({ hub, guest, form }) => rename(hub.identity, guest.user, form.text('name'))),
  password: part('password', ['password'], async ({ hub, guest, form }) => {
    await prove(hub.identity, guest, current(form))
    await changePassword(hub.identity, guest, form.text('password'))
  }),
  email: part('email', ['email'], async ({ hub, guest, request, form }): Promise<Page> => {
    await prove(hub.identity, guest, current(form))
    await askForEmail(hub.identity, hub.identity.callers.of(request), guest.user, form.text('email'))
    const body = <LetterSent email={form.text('email')} what="a link that confirms the new address" />
    return { title: 'Look into your mail', body }
  }),
  beginFactor: part('factor', [], async ({ hub, guest, form }) => {
    await prove(hub.identity, guest, current(form))
    return { begun: await beginSecondFactor(hub.identity, guest.user) }
  }),
  confirmFactor: part('factor', [], async ({ hub, guest, form }) => {
    const { limits } = hub.identity
    limits.take('signInTo', guest.user.email)
    const recoveryCodes = await confirmSecondFactor(hub.identity, guest.user, form.text('code'))
    limits.forget('signInTo', guest.user.email)
    return { recoveryCodes }
  }),
  recoveryCodes: part('factor', [], async ({ hub, guest, form }) => {
    await prove(hub.identity, guest, current(form))
    return { recoveryCodes: await newRecoveryCodes(hub.identity, guest.user) }
  }),
  removeFactor: part('factor', [], async ({ hub, guest, form }) => {
    await prove(hub.identity, guest, current(form))
    await removeSecondFactor(hub.identity, guest.user)
  }),
  unlink: part('ways', [], async ({ hub, guest, form }) => {
    const provider = form.text('provider')
    if (provider !== 'github' && provider !== 'google') throw new HubError('not_found', 'There is no such way in.')
    await unlink(hub.identity, guest, provider)
  }),
  endSession: part('browsers', [], async ({ hub, guest, params }) => {
    const ended = await endSession(hub.db, { id: params.id ?? '', userId: guest.user.id })
    if (!ended) throw new HubError('not_found', 'That browser is signed out already.')
  }),
  endOthers: part('browsers', [], ({ hub, guest }) =>
    endSessions(hub.db, hub.db.query, guest.user.id, guest.session.id),
  ),
  letters: part('letters', [], async ({ hub, guest, form }) => {
    await wantNews(hub.db, guest.user.id, guest.user.roles, form.all('kind'))
    return seeOther(`${paths.account}#letters`)
  }),
  terms: part('terms', [], async ({ hub, guest, form }) => {
    const role = form.text('role') === 'host' ? 'host' : 'client'
    await acceptTerms(hub.env, hub.db, hub.policy.current(), guest.user, { role, version: form.text('version') })
  }),
  become: part('roles', [], async ({ hub, guest, form }) => {
    const role = form.text('role') === 'host' ? 'host' : 'client'
    const terms = form.has('terms') ? { [role]: form.text('version') } : {}
    await addOwnRole(hub.identity, guest.user, role, terms)
  }),
  invitation: part('roles', ['invitation'], async ({ hub, guest, request, form }) => {
    const { identity } = hub
    await acceptInvitation(identity, identity.callers.of(request), guest.user, form.text('invitation').trim())
    await payGifts(identity, guest.user.id)
  }),
  deletion: part('deletion', ['email'], async ({ hub, guest, form }) => {
    if (normalEmail(form.text('email')) !== guest.user.email)
      throw new HubError('invalid_request', 'Type your own address to delete your account.', { param: 'email' })
    await prove(hub.identity, guest, current(form))
    await eraseUser(hub.identity, guest.user)
    return seeOther('/', cookieGone(hub.identity.url()))
  }),
}

export function exportAccount({ hub, guest }: MemberVisit): Response {
  hub.identity.limits.take('exportBy', guest.user.id)
  return new Response(exportOf(hub.identity, guest.user), {
    headers: {
      'content-type': 'application/json; charset=utf-8',
      'content-disposition': `attachment; filename="gpuhub-${guest.user.id}.json"`,
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    },
  })
}

export function AccountPage(view: AccountView) {
  const { email, name, terms, secondFactor, begun, recoveryCodes, sessions, mayBecome, news, sent } = view
  const faults = (form: string) => (sent === form ? view.faults : undefined)
  return (
    <>
      <Title note={email}>Account</Title>
      {terms.some(({ accepted }) => !accepted) && (
        <Section title="Terms have changed">
          <FormFault faults={faults('terms')} />
          {terms
            .filter(({ accepted }) => !accepted)
            .map(({ role, version, demanded }) => (
              <form method="post" action="/account/terms" class="card stack">
                <p>
                  Version {version} of the <a href="/terms">terms</a> for {role}s.{' '}
                  {demanded
                    ? 'Until you accept them, your requests and machines wait.'
                    : 'Please read and accept them.'}
                </p>
                <Hidden name="role" value={role} />
                <Hidden name="version" value={version} />
                <div>
                  <button class="primary">I accept</button>
                </div>
              </form>
            ))}
        </Section>
      )}
      <Section title="Name">
        <form method="post" action="/account/name" class="filters">
          <TextField name="name" label="What to call you" value={name} faults={faults('name')} maxLength={80} />
          <button>Save</button>
        </form>
      </Section>
      <div class="columns">
        <Section title="Password" note="other browsers are signed out">
          <form method="post" action="/account/password" class="card stack">
            <FormFault faults={faults('password')} />
            <Current id="password" view={view} />
            <NewPassword faults={faults('password')} />
            <div>
              <button>Change</button>
            </div>
          </form>
        </Section>
        <Section title="E-mail" note="a letter to the new address confirms it">
          <form method="post" action="/account/email" class="card stack">
            <FormFault faults={faults('email')} />
            <Current id="email" view={view} />
            <TextField name="email" label="New e-mail" type="email" faults={faults('email')} autocomplete="email" />
            <div>
              <button>Change</button>
            </div>
          </form>
        </Section>
      </div>
      <Section
        title="Second factor"
        note={secondFactor.on ? `on, ${secondFactor.codesLeft} recovery codes left` : 'off'}
      >
        <div class="card stack">
          <FormFault faults={faults('factor')} />
          {recoveryCodes && (
            <div class="stack">
              <p>
                <strong>Your recovery codes.</strong> Each works once, in place of your app. They are not shown again.
              </p>
              <pre id="recovery-codes">{recoveryCodes.join('\n')}</pre>
              <div>
                <button type="button" class="copy" data-copy="#recovery-codes">
                  Copy
                </button>
              </div>
            </div>
          )}
          {begun && (
            <form method="post" action="/account/second-factor/confirmation" class="stack">
              <p>
                Scan the picture with your authenticator app, open the link on your phone, or type the secret; then show
                a code of it.
              </p>
              <QrCode text={begun.uri} label="The secret for your authenticator app, as a QR code" />
              <p>
                <a href={begun.uri}>Open in an app</a> · <code id="factor-secret">{begun.secret}</code>
              </p>
              <TextField name="code" label="Code" autocomplete="one-time-code" required maxLength={10} />
              <div>
                <button class="primary">Turn on</button>
              </div>
            </form>
          )}
          {!begun && !secondFactor.on && (
            <form method="post" action="/account/second-factor" class="stack">
              <p class="muted">A code of an authenticator app, besides the password.</p>
              <Current id="factor" view={view} />
              <div>
                <button>Set up</button>
              </div>
            </form>
          )}
          {secondFactor.on && !recoveryCodes && (
            <form method="post" action="/account/second-factor/removal" class="stack">
              <Current id="factor" view={view} />
              <div class="row">
                <button formAction="/account/second-factor/recovery-codes">New recovery codes</button>
                <button class="danger">Turn off</button>
              </div>
            </form>
          )}
        </div>
      </Section>
      <Section title="Browsers that are signed in">
        <FormFault faults={faults('browsers')} />
        <Table
          caption="Browsers that are signed in"
          empty={<p>None.</p>}
          rows={sessions}
          columns={[
            { name: 'Browser', cell: ({ agent }) => <span class="small">{agent || 'unknown'}</span> },
            { name: 'From', cell: ({ address }) => address },
            { name: 'Seen', cell: ({ seenAt }) => <When at={seenAt} /> },
            {
              name: 'State',
              cell: ({ id, current }) =>
                current ? (
                  <span class="good">this one</span>
                ) : (
                  <form method="post" action={`/account/sessions/${id}/end`}>
                    <button class="link">Sign out</button>
                  </form>
                ),
            },
          ]}
        />
        {sessions.length > 1 && (
          <form method="post" action="/account/sessions/end">
            <button>Sign out everywhere else</button>
          </form>
        )}
      </Section>
      <OtherWays view={view} />
      <div id="letters">
        <Section title="Letters" note="of one thing at most one a day">
          <form method="post" action="/account/letters" class="card stack">
            {news.map(({ kind, wanted }) => (
              <CheckField name="kind" value={kind} label={newsKinds[kind].label} checked={wanted} />
            ))}
            <p class="muted small">What concerns your sign-in, such as a new password, always comes.</p>
            <div>
              <button>Save</button>
            </div>
          </form>
        </Section>
      </div>
      <Section title="More roles">
        <div class="card stack">
          <FormFault faults={faults('roles')} />
          {mayBecome.map(({ role, version }) => (
            <form method="post" action="/account/roles" class="stack">
              <Hidden name="role" value={role} />
              <Hidden name="version" value={version} />
              <CheckField
                name="terms"
                label={
                  <>
                    I accept the <a href="/terms">terms</a> for {role}s.
                  </>
                }
              />
              <div>
                <button>{role === 'host' ? 'Offer a GPU, too' : 'Use the API, too'}</button>
              </div>
            </form>
          ))}
          <form method="post" action="/account/invitation" class="filters">
            <TextField
              name="invitation"
              label="An invitation’s code"
              faults={faults('roles')}
              maxLength={100}
              autocomplete="off"
            />
            <button>Use it</button>
          </form>
        </div>
      </Section>
      <Section title="Your data">
        <div class="card stack">
          <p>
            <a href="/account/export">Download everything the hub keeps about you</a>, as JSON.
          </p>
          <details>
            <summary>Delete my account</summary>
            <form method="post" action="/account/deletion" class="stack">
              <p>
                Your address, name, sign-ins and keys are erased at once, and cannot be brought back. Credit that is
                left is forfeited. Amounts stay in the books, without you.
              </p>
              <FormFault faults={faults('deletion')} />
              <Current id="deletion" view={view} />
              <TextField
                name="email"
                id="own-email"
                label={`Type ${email} to be sure`}
                type="email"
                faults={faults('deletion')}
                autocomplete="off"
              />
              <div>
                <button class="danger">Delete my account</button>
              </div>
            </form>
          </details>
        </div>
      </Section>
    </>
  )
}

/** The password again, before what cannot be taken back; who has none signs in again shortly before. */
function Current({ id, view }: { id: string; view: AccountView }) {
  if (!view.waysIn.password) return null
  return (
    <div class="field">
      <label for={`current-${id}`}>Current password</label>
      <input id={`current-${id}`} name="current" type="password" autocomplete="current-password" />
    </div>
  )
}

function OtherWays({ view: { waysIn: ways, sent, faults } }: { view: AccountView }) {
  const linked = (['github', 'google'] as const).filter((provider) => ways[provider])
  if (linked.length === 0) return null
  return (
    <Section title="Other ways in">
      <FormFault faults={sent === 'ways' ? faults : undefined} />
      <div class="card row">
        {linked.map((provider) => (
          <form method="post" action="/account/logins/removal">
            <Hidden name="provider" value={provider} />
            <button>Unlink {provider === 'github' ? 'GitHub' : 'Google'}</button>
          </form>
        ))}
      </div>
    </Section>
  )
}

export function newEmailPage({ url }: Visit): Page {
  return { title: 'A new address', body: <NewEmailPage ticket={url.searchParams.get('ticket') ?? ''} /> }
}

export async function newEmailAct({ hub, request, form }: Visit & { form: Form }): Promise<Page> {
  const ticket = form.text('ticket')
  try {
    const email = await finishEmail(hub.identity, hub.identity.callers.of(request), ticket)
    return {
      title: 'A new address',
      body: (
        <div class="narrow stack">
          <Title>Done</Title>
          <p>
            Your address is <strong>{email}</strong> from now on. <a href={paths.signIn}>Go on</a>
          </p>
        </div>
      ),
    }
  } catch (error) {
    const { faults, status } = faultOf(error)
    return { title: 'A new address', status, body: <NewEmailPage ticket={ticket} faults={faults} /> }
  }
}

export function NewEmailPage({ ticket, faults }: { ticket: string; faults?: Faults }) {
  return (
    <div class="narrow stack">
      <Title>Take your new address</Title>
      <form method="post" action="/account/email/confirmation" class="card stack">
        <FormFault faults={faults} />
        <Hidden name="ticket" value={ticket} />
        <div>
          <button class="primary">Confirm</button>
        </div>
      </form>
    </div>
  )
}
