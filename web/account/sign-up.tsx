// Joining: by invitation or, where the team lets everybody in, without; the letter that confirms; the first admin.
import type { AcceptedTerms, TermsRole } from '../../hub/identity/users.ts'
import { cookieFor, passingCookie, readPassingCookie } from '../../hub/identity/cookie.ts'
import { becomeFirstAdmin } from '../../hub/identity/first-admin.ts'
import type { Identity } from '../../hub/identity/identity.ts'
import { findInvitation, type Invitation } from '../../hub/identity/invitations.ts'
import { paths } from '../../hub/identity/paths.ts'
import { confirmSignUpWith, signUp, signUpWith } from '../../hub/identity/sign-up.ts'
import { termsVersion } from '../../hub/identity/terms.ts'
import { formatUsd } from '../../sdk/money.ts'
import { type Faults, faultOf, type Form } from '../form.ts'
import { CheckField, FormFault, Hidden, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { type Page, seeOther, type Visit } from '../route.ts'
import { homeOf, LetterSent, NewPassword, OtherWays, providersOf, type SignInView } from './sign-in.tsx'

type Posted = Visit & { form: Form }

const COOKIE = 'sign-up'
const COOKIE_SECONDS = 24 * 60 * 60
const FIELDS = ['email', 'password', 'country', 'name']

export interface SignUpView {
  invitation: Pick<Invitation, 'email' | 'roles' | 'credit'> | null
  /** The invitation's secret, and the ticket of somebody whom a provider named. */
  secret: string
  ticket: string
  /** Whether strangers may join as that. */
  open: Record<TermsRole, boolean>
  role: TermsRole
  versions: Record<TermsRole, string>
  providers: SignInView['providers']
  typed?: { email: string; country: string }
  faults?: Faults
}

export async function signUpPage(visit: Visit): Promise<Page | Response> {
  const { guest, url } = visit
  if (guest) return seeOther(homeOf(guest.hat))
  const given = {
    secret: url.searchParams.get('invitation') ?? '',
    ticket: url.searchParams.get('ticket') ?? '',
    role: url.searchParams.get('role') ?? '',
  }
  try {
    return { title: 'Sign up', body: <SignUpPage {...(await readSignUp(visit, given))} /> }
  } catch (error) {
    const { faults, status } = faultOf(error)
    const view = { ...(await readSignUp(visit, { ...given, secret: '' })), faults }
    return { title: 'Sign up', status, body: <SignUpPage {...view} /> }
  }
}

async function readSignUp(
  { hub, request }: Visit,
  { secret, ticket, role }: { secret: string; ticket: string; role: string },
): Promise<SignUpView> {
  const { identity } = hub
  const settings = hub.policy.current()
  const invitation = secret === '' ? null : await findInvitation(identity, identity.callers.of(request), secret)
  return {
    invitation,
    secret,
    ticket,
    open: { client: settings.clientSignUp === 'open', host: settings.hostSignUp === 'open' },
    role: role === 'host' ? 'host' : 'client',
    versions: { client: termsVersion(settings, 'client'), host: termsVersion(settings, 'host') },
    providers: providersOf(identity),
  }
}

export async function signUpAct(visit: Posted): Promise<Page | Response> {
  const { hub, request, form } = visit
  const { identity } = hub
  const given = { secret: form.text('invitation'), ticket: form.text('ticket'), role: form.text('role') }
  const typed = { email: form.text('email'), country: form.text('country') }
  try {
    const view = await readSignUp(visit, given)
    const wish = {
      country: typed.country,
      terms: form.has('terms') ? accepted(view) : {},
      ...(given.secret === '' ? { role: view.role } : { invitation: given.secret }),
    }
    const caller = identity.callers.of(request)
    if (given.ticket !== '') {
      return letIn(identity, await signUpWith(identity, caller, { ticket: given.ticket, ...wish }))
    }
    const signedUp = await signUp(identity, caller, { ...wish, email: typed.email, password: form.text('password') })
    if (signedUp.next === 'done') return letIn(identity, signedUp)
    return {
      title: 'Look into your mail',
      body: <LetterSent email={typed.email} what="a link that confirms your address" />,
      cookies: [passingCookie(identity.url(), COOKIE, signedUp.browser, COOKIE_SECONDS)],
    }
  } catch (error) {
    const { faults, status } = faultOf(error, FIELDS)
    // An invitation that is not valid says so once, and leaves a form without it.
    const view = await readSignUp(visit, given).catch(() => readSignUp(visit, { ...given, secret: '' }))
    return { title: 'Sign up', status, body: <SignUpPage {...view} typed={typed} faults={faults} /> }
  }
}

/** One box stands for the terms of all that they will be. */
function accepted({ invitation, role, versions }: SignUpView): AcceptedTerms {
  const roles = invitation ? invitation.roles : [role]
  return Object.fromEntries(
    (['client', 'host'] as const).filter((each) => roles.includes(each)).map((each) => [each, versions[each]]),
  )
}

function letIn(identity: Identity, { secret, user }: { secret: string; user: { roles: string[] } }): Response {
  const home = user.roles.includes('client') ? '/client' : '/host'
  return seeOther(home, cookieFor(identity.url(), secret))
}

export function SignUpPage(view: SignUpView) {
  const { invitation, secret, ticket, open, role, providers, typed, faults } = view
  if (!invitation && ticket === '' && !open[role]) return <Closed {...view} />
  const what = invitation ? invitation.roles.join(' and ') : role
  return (
    <div class="narrow stack">
      <Title
        note={
          invitation && invitation.credit > 0n
            ? `You are invited as a ${what}, with ${formatUsd(invitation.credit)} to try it.`
            : `As a ${what}.`
        }
      >
        Sign up
      </Title>
      <form method="post" action={paths.signUp} class="card stack">
        <FormFault faults={faults} />
        <Hidden name="invitation" value={secret} />
        <Hidden name="ticket" value={ticket} />
        <Hidden name="role" value={role} />
        {ticket === '' && (
          <>
            <TextField
              name="email"
              label="E-mail"
              type="email"
              value={typed?.email ?? invitation?.email ?? ''}
              faults={faults}
              autocomplete="username"
              required
            />
            <NewPassword faults={faults} />
          </>
        )}
        <TextField
          name="country"
          label="Country"
          value={typed?.country ?? ''}
          hint="Two letters, like US."
          faults={faults}
          maxLength={2}
          autocomplete="country"
          required
        />
        <CheckField
          name="terms"
          label={
            <>
              I accept the <a href="/terms">terms</a>, the <a href="/acceptable-use">acceptable-use rules</a> and the{' '}
              <a href="/privacy">privacy page</a>.
            </>
          }
        />
        <div>
          <button class="primary">Sign up</button>
        </div>
      </form>
      {ticket === '' && <OtherWays providers={providers} query={`invitation=${encodeURIComponent(secret)}`} />}
      <p class="muted">
        Have an account? <a href={paths.signIn}>Sign in</a>
      </p>
    </div>
  )
}

function Closed({ faults }: SignUpView) {
  return (
    <div class="narrow stack">
      <Title>By invitation</Title>
      <FormFault faults={faults} />
      <p>
        This hub takes new people by invitation. Whoever has one opens its link, or pastes its code here. To get one,
        ask the people who run this hub.
      </p>
      <form method="get" action={paths.signUp} class="card stack">
        <TextField name="invitation" label="Invitation code" required maxLength={100} autocomplete="off" />
        <div>
          <button class="primary">Open</button>
        </div>
      </form>
      <p class="muted">
        Have an account? <a href={paths.signIn}>Sign in</a>
      </p>
    </div>
  )
}

export interface ConfirmView {
  ticket: string
  /** Another browser than the one that signed up. */
  elsewhere: boolean
  faults?: Faults
}

export function confirmPage({ hub, request, url }: Visit): Page {
  const elsewhere = readPassingCookie(hub.identity.url(), COOKIE, request) === null
  const view = { ticket: url.searchParams.get('ticket') ?? '', elsewhere }
  return { title: 'Confirm your address', body: <ConfirmPage {...view} /> }
}

export async function confirmAct({ hub, request, form }: Posted): Promise<Page | Response> {
  const { identity } = hub
  const ticket = form.text('ticket')
  const browser = readPassingCookie(identity.url(), COOKIE, request)
  const password = form.text('password') || undefined
  try {
    return letIn(
      identity,
      await confirmSignUpWith(identity, identity.callers.of(request), { ticket, browser, password }),
    )
  } catch (error) {
    const { faults, status } = faultOf(error, ['password'])
    const body = <ConfirmPage ticket={ticket} elsewhere={browser === null || password !== undefined} faults={faults} />
    return { title: 'Confirm your address', status, body }
  }
}

export function ConfirmPage({ ticket, elsewhere, faults }: ConfirmView) {
  return (
    <div class="narrow stack">
      <Title note="One click, and you are in.">Confirm your address</Title>
      <form method="post" action="/sign-up/confirm" class="card stack">
        <FormFault faults={faults} />
        <Hidden name="ticket" value={ticket} />
        {elsewhere && (
          <TextField
            name="password"
            label="The password you chose"
            type="password"
            hint="Asked for, because this is not the browser in which you signed up."
            faults={faults}
            autocomplete="current-password"
          />
        )}
        <div>
          <button class="primary">Confirm</button>
        </div>
      </form>
    </div>
  )
}

export interface FirstAdminView {
  ticket: string
  email?: string
  faults?: Faults
}

export function firstAdminPage({ url }: Visit): Page {
  return { title: 'The first admin', body: <FirstAdminPage ticket={url.searchParams.get('ticket') ?? ''} /> }
}

export async function firstAdminAct({ hub, request, form }: Posted): Promise<Page | Response> {
  const { identity } = hub
  const given = { ticket: form.text('ticket'), email: form.text('email'), password: form.text('password') }
  try {
    const { secret } = await becomeFirstAdmin(identity, identity.callers.of(request), given)
    return seeOther('/admin', cookieFor(identity.url(), secret))
  } catch (error) {
    const { faults, status } = faultOf(error, ['email', 'password'])
    const view = { ticket: given.ticket, email: given.email, faults }
    return { title: 'The first admin', status, body: <FirstAdminPage {...view} /> }
  }
}

export function FirstAdminPage({ ticket, email, faults }: FirstAdminView) {
  return (
    <div class="narrow stack">
      <Title note="This link was printed when the hub started for the first time. It works once.">
        Become this hub’s first admin
      </Title>
      <form method="post" action="/first-admin" class="card stack">
        <FormFault faults={faults} />
        <Hidden name="ticket" value={ticket} />
        <TextField
          name="email"
          label="E-mail"
          type="email"
          value={email}
          faults={faults}
          autocomplete="username"
          required
        />
        <NewPassword faults={faults} />
        <div>
          <button class="primary">Begin</button>
        </div>
      </form>
    </div>
  )
}
