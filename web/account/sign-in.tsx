// Coming in: password, code, forgotten password, and out again.
import { cookieFor, cookieGone, readRefusal } from '../../hub/identity/cookie.ts'
import type { Identity } from '../../hub/identity/identity.ts'
import { wear } from '../../hub/identity/own.ts'
import { paths, safeNext } from '../../hub/identity/paths.ts'
import { askForReset, finishReset } from '../../hub/identity/reset.ts'
import { endSession } from '../../hub/identity/sessions.ts'
import { signIn, signInWithCode } from '../../hub/identity/sign-in.ts'
import type { Role } from '../../hub/identity/users.ts'
import { type Faults, faultOf, type Form } from '../form.ts'
import { FormFault, Hidden, TextField } from '../parts/field.tsx'
import { Title } from '../parts/heading.tsx'
import { type MemberVisit, type Page, seeOther, type Visit } from '../route.ts'

type Posted = Visit & { form: Form }

/** The first page after signing in. */
const homes: Record<Role, string> = { client: '/client', host: '/host', admin: '/admin' }

export function homeOf(hat: Role): string {
  return homes[hat]
}

export interface SignInView {
  next: string
  email?: string
  faults?: Faults
  /** Ways in besides a password. */
  providers: { name: string; title: string }[]
  /** What a provider's way in met. */
  problem?: string
}

export function signInPage({ hub, request, url, guest }: Visit): Page | Response {
  if (guest) return seeOther(safeNext(url.searchParams.get('next') ?? homeOf(guest.hat)))
  const problem = url.searchParams.has('problem')
    ? (readRefusal(hub.identity.url(), request) ?? 'Signing in that way did not work. Try again, or use your password.')
    : undefined
  const view = { next: safeNext(url.searchParams.get('next')), providers: providersOf(hub.identity), problem }
  return { title: 'Sign in', body: <SignInPage {...view} /> }
}

export async function signInAct({ hub, request, form }: Posted): Promise<Page | Response> {
  const { identity } = hub
  const email = form.text('email')
  const next = safeNext(form.text('next'))
  try {
    const came = await signIn(identity, identity.callers.of(request), { email, password: form.text('password') })
    if (came.next === 'second_factor')
      return seeOther(`${paths.secondFactor(came.ticket)}&next=${encodeURIComponent(next)}`)
    return letIn(identity, came, next)
  } catch (error) {
    const { faults, status } = faultOf(error)
    const view = { next, email, faults, providers: providersOf(identity) }
    return { title: 'Sign in', status, body: <SignInPage {...view} /> }
  }
}

/** Who wears several hats and was never asked is asked first. */
function letIn(
  { url }: Identity,
  came: { secret: string; user: { roles: Role[]; hat: Role | null } },
  next: string,
): Response {
  const { roles, hat } = came.user
  const asked = hat !== null || roles.length === 1
  const home = asked ? homeOf(hat ?? roles[0] ?? 'client') : '/hat'
  return seeOther(next === '/' ? home : next, cookieFor(url(), came.secret))
}

export function providersOf({ providers }: Identity): SignInView['providers'] {
  return Object.entries(providers).flatMap(([name, provider]) => (provider ? [{ name, title: provider.title }] : []))
}

export function SignInPage({ next, email, faults, providers, problem }: SignInView) {
  return (
    <div class="narrow stack">
      <Title>Sign in</Title>
      {problem !== undefined && (
        <p class="note-box bad" role="alert">
          {problem}
        </p>
      )}
      <form method="post" action="/sign-in" class="card stack">
        <FormFault faults={faults} />
        <Hidden name="next" value={next} />
        <TextField name="email" label="E-mail" type="email" value={email} autocomplete="username" required />
        <TextField name="password" label="Password" type="password" autocomplete="current-password" required />
        <div class="row">
          <button class="primary">Sign in</button>
          <a href={paths.forgotPassword}>Forgotten?</a>
        </div>
      </form>
      <OtherWays providers={providers} query={`next=${encodeURIComponent(next)}`} />
      <p class="muted">
        No account yet? <a href={paths.signUp}>Sign up</a>
      </p>
    </div>
  )
}

export function OtherWays({ providers, query }: Pick<SignInView, 'providers'> & { query: string }) {
  if (providers.length === 0) return null
  return (
    <div class="row">
      {providers.map(({ name, title }) => (
        <a class="button" href={`/api/v1/sign-in/${name}?${query}`}>
          Continue with {title}
        </a>
      ))}
    </div>
  )
}

export interface CodeView {
  ticket: string
  next: string
  faults?: Faults
}

export function codePage({ url }: Visit): Page {
  const view = { ticket: url.searchParams.get('ticket') ?? '', next: safeNext(url.searchParams.get('next')) }
  return { title: 'Your code', body: <CodePage {...view} /> }
}

export async function codeAct({ hub, request, form }: Posted): Promise<Page | Response> {
  const { identity } = hub
  const ticket = form.text('ticket')
  const next = safeNext(form.text('next'))
  try {
    const caller = identity.callers.of(request)
    return letIn(identity, await signInWithCode(identity, caller, { ticket, code: form.text('code') }), next)
  } catch (error) {
    const { faults, status } = faultOf(error)
    return { title: 'Your code', status, body: <CodePage ticket={ticket} next={next} faults={faults} /> }
  }
}

export function CodePage({ ticket, next, faults }: CodeView) {
  return (
    <div class="narrow stack">
      <Title note="Six digits of your authenticator app, or one of your recovery codes.">Your code</Title>
      <form method="post" action="/sign-in/code" class="card stack">
        <FormFault faults={faults} />
        <Hidden name="ticket" value={ticket} />
        <Hidden name="next" value={next} />
        <TextField name="code" label="Code" autocomplete="one-time-code" required maxLength={40} />
        <div class="row">
          <button class="primary">Go on</button>
          <a href={paths.signIn}>Begin again</a>
        </div>
      </form>
    </div>
  )
}

export async function signOut({ hub, guest }: MemberVisit): Promise<Response> {
  await endSession(hub.db, { id: guest.session.id, userId: guest.user.id })
  return seeOther('/', cookieGone(hub.identity.url()))
}

export function chooseHat({ guest }: MemberVisit): Page {
  return { title: 'Which pages?', body: <ChooseHat roles={guest.user.roles} /> }
}

export async function wearHat({ hub, guest, form }: MemberVisit): Promise<Response> {
  const hat = form.text('hat') as Role
  await wear(hub.identity, guest.user, hat)
  return seeOther(homeOf(hat))
}

const HATS: Record<Role, [name: string, what: string]> = {
  client: ['Client', 'API keys, usage, costs, the playground'],
  host: ['Host', 'Machines and what they earn'],
  admin: ['Admin', 'The fleet, users, models, the books'],
}

export function ChooseHat({ roles }: { roles: Role[] }) {
  return (
    <div class="narrow stack">
      <Title note="You can switch at the right of the bar, on every page.">Which pages do you want to see?</Title>
      <form method="post" action="/hat" class="stack">
        {roles.map((role) => (
          <button name="hat" value={role} class="choice">
            {HATS[role][0]}
            <span class="muted small">{HATS[role][1]}</span>
          </button>
        ))}
      </form>
    </div>
  )
}

export function forgottenPage(): Page {
  return { title: 'Forgotten password', body: <ForgottenPage /> }
}

export async function forgottenAct({ hub, request, form }: Posted): Promise<Page> {
  const email = form.text('email')
  try {
    await askForReset(hub.identity, hub.identity.callers.of(request), email)
    return { title: 'Look into your mail', body: <LetterSent email={email} what="a link to choose a new password" /> }
  } catch (error) {
    const { faults, status } = faultOf(error, ['email'])
    return { title: 'Forgotten password', status, body: <ForgottenPage email={email} faults={faults} /> }
  }
}

export function ForgottenPage({ email, faults }: { email?: string; faults?: Faults }) {
  return (
    <div class="narrow stack">
      <Title note="We send a link to choose a new one. Every browser is signed out then.">Forgotten password</Title>
      <form method="post" action={paths.forgotPassword} class="card stack">
        <FormFault faults={faults} />
        <TextField name="email" label="E-mail" type="email" value={email} faults={faults} required />
        <div>
          <button class="primary">Send the link</button>
        </div>
      </form>
    </div>
  )
}

export function LetterSent({ email, what }: { email: string; what: string }) {
  return (
    <div class="narrow stack">
      <Title>Look into your mail</Title>
      <p>
        If there is somebody at <strong>{email}</strong>, {what} is on its way. It works once.
      </p>
      <p class="muted">Nothing after a few minutes? Look into the spam folder, or ask the people who run this hub.</p>
    </div>
  )
}

export function passwordPage({ url }: Visit): Page {
  return { title: 'A new password', body: <PasswordPage ticket={url.searchParams.get('ticket') ?? ''} /> }
}

export async function passwordAct({ hub, request, form }: Posted): Promise<Page | Response> {
  const ticket = form.text('ticket')
  try {
    await finishReset(hub.identity, hub.identity.callers.of(request), { ticket, password: form.text('password') })
    return seeOther(paths.signIn)
  } catch (error) {
    const { faults, status } = faultOf(error, ['password'])
    return { title: 'A new password', status, body: <PasswordPage ticket={ticket} faults={faults} /> }
  }
}

export function PasswordPage({ ticket, faults }: { ticket: string; faults?: Faults }) {
  return (
    <div class="narrow stack">
      <Title note="Every browser is signed out; then sign in with it.">Choose a new password</Title>
      <form method="post" action="/password" class="card stack">
        <FormFault faults={faults} />
        <Hidden name="ticket" value={ticket} />
        <NewPassword faults={faults} />
        <div>
          <button class="primary">Save</button>
        </div>
      </form>
    </div>
  )
}

export function NewPassword({ faults, name = 'password' }: { faults?: Faults; name?: string }) {
  return (
    <TextField
      name={name}
      label="New password"
      type="password"
      hint="At least 10 characters."
      faults={faults}
      autocomplete="new-password"
      required
    />
  )
}
