// Coming in: sign-up, sign-in, reset, GitHub and Google, the first admin.
import { Elysia, t } from 'elysia'
import { usdDecimal } from '../../../sdk/money.ts'
import { cookieFor, cookieGone, passingCookie, readPassingCookie, refusalCookie } from '../../identity/cookie.ts'
import { becomeFirstAdmin } from '../../identity/first-admin.ts'
import { whoIsSignedIn } from '../../identity/guard.ts'
import type { Identity } from '../../identity/identity.ts'
import { findInvitation } from '../../identity/invitations.ts'
import { beginWith, type CameBack, comeBackFrom } from '../../identity/oauth.ts'
import { paths } from '../../identity/paths.ts'
import { askForReset, finishReset } from '../../identity/reset.ts'
import { endSession } from '../../identity/sessions.ts'
import { signIn, signInWithCode, type SigningIn } from '../../identity/sign-in.ts'
import { confirmSignUpWith, signUp, signUpWith } from '../../identity/sign-up.ts'
import { asHubError, HubError } from '../../errors.ts'
import * as shapes from './shapes.ts'

const PROVIDERS = t.Object({ provider: t.Union([t.Literal('github'), t.Literal('google')]) })
const SIGN_UP_COOKIE = 'sign-up'
const SIGN_UP_SECONDS = 24 * 60 * 60
const PROVIDER_COOKIE = 'away'
const PROVIDER_SECONDS = 10 * 60

/** What of Elysia's `set` is touched here. */
interface Answer {
  headers: { 'set-cookie'?: string | string[] }
}

export function comingIn(identity: Identity) {
  const { callers } = identity
  const letIn = (set: Answer, secret: string) => {
    set.headers['set-cookie'] = cookieFor(identity.url(), secret)
  }
  const step = (set: Answer, came: SigningIn) => {
    if (came.next === 'done') letIn(set, came.secret)
    return { next: came.next, ticket: came.next === 'second_factor' ? came.ticket : null }
  }
  return new Elysia()
    .post(
      '/sign-up',
      async ({ request, body, set }) => {
        const signedUp = await signUp(identity, callers.of(request), body)
        if (signedUp.next === 'done') letIn(set, signedUp.secret)
        else
          set.headers['set-cookie'] = passingCookie(identity.url(), SIGN_UP_COOKIE, signedUp.browser, SIGN_UP_SECONDS)
        return { next: signedUp.next }
      },
      { body: shapes.SignUp, response: { 200: shapes.SignedUp }, detail: { summary: 'Sign up' } },
    )
    .post(
      '/sign-up/confirmation',
      async ({ request, body, set }) => {
        const browser = readPassingCookie(identity.url(), SIGN_UP_COOKIE, request)
        letIn(set, (await confirmSignUpWith(identity, callers.of(request), { ...body, browser })).secret)
        return { done: true as const }
      },
      {
        body: shapes.ConfirmSignUp,
        response: { 200: shapes.Done },
        detail: { summary: 'Confirm an address by the ticket in the letter; signs in' },
      },
    )
    .post(
      '/sign-up/with',
      async ({ request, body, set }) => {
        letIn(set, (await signUpWith(identity, callers.of(request), body)).secret)
        return { done: true as const }
      },
      {
        body: shapes.SignUpWith,
        response: { 200: shapes.Done },
        detail: { summary: 'Sign up as whom GitHub or Google named' },
      },
    )
    .post('/sign-in', async ({ request, body, set }) => step(set, await signIn(identity, callers.of(request), body)), {
      body: shapes.SignIn,
      response: { 200: shapes.SigningIn },
      detail: { summary: 'Sign in with a password' },
    })
    .post(
      '/sign-in/code',
      async ({ request, body, set }) => {
        letIn(set, (await signInWithCode(identity, callers.of(request), body)).secret)
        return { done: true as const }
      },
      { body: shapes.SignInCode, response: { 200: shapes.Done }, detail: { summary: 'The second factor' } },
    )
    .post(
      '/sign-out',
      async ({ request, set }) => {
        const signedIn = await whoIsSignedIn(identity, request)
        if (signedIn) await endSession(identity.db, { id: signedIn.session.id, userId: signedIn.user.id })
        set.headers['set-cookie'] = cookieGone(identity.url())
        return { done: true as const }
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Sign out' } },
    )
    .get(
      '/sign-in/:provider',
      async ({ request, params, query }) => {
        const linkTo = query.link === '1' ? await whoIsSignedIn(identity, request) : null
        const wish = { next: query.next, invitation: query.invitation, linkTo }
        const { location, browser } = await beginWith(identity, callers.of(request), params.provider, wish)
        return see(location, [passingCookie(identity.url(), PROVIDER_COOKIE, browser, PROVIDER_SECONDS)])
      },
      {
        params: PROVIDERS,
        query: t.Object({
          next: t.Optional(t.String({ maxLength: 500 })),
          invitation: t.Optional(t.String({ maxLength: 100 })),
          link: t.Optional(t.Literal('1')),
        }),
        detail: { summary: 'Go to GitHub or Google to sign in (303)' },
      },
    )
    .get(
      '/sign-in/:provider/callback',
      async ({ request, params, query }) => {
        const cookies = [passingCookie(identity.url(), PROVIDER_COOKIE, '', 0)]
        try {
          const came = await comeBackFrom(identity, callers.of(request), params.provider, {
            state: query.state ?? '',
            code: query.code ?? null,
            browser: readPassingCookie(identity.url(), PROVIDER_COOKIE, request),
            signedIn: await whoIsSignedIn(identity, request),
          })
          if (came.next === 'done') cookies.push(cookieFor(identity.url(), came.secret))
          return see(pageAfter(came), cookies)
        } catch (error) {
          const known = asHubError(error)
          // They showed who they are: the page may say it in full.
          if (known.code === 'account_suspended') cookies.push(refusalCookie(identity.url(), known.message))
          if (!(error instanceof HubError)) identity.log.error('sign-in failed', { error: String(error) })
          return see(`${paths.signIn}?problem=${known.code}`, cookies)
        }
      },
      {
        params: PROVIDERS,
        query: t.Object({
          state: t.Optional(t.String({ maxLength: 200 })),
          code: t.Optional(t.String({ maxLength: 2_000 })),
        }),
        detail: { summary: 'Back from GitHub or Google (303)' },
      },
    )
    .post(
      '/password/reset',
      async ({ request, body }) => {
        await askForReset(identity, callers.of(request), body.email)
        return { sent: true as const }
      },
      { body: shapes.AskReset, response: { 200: shapes.Sent }, detail: { summary: 'Ask for a new password' } },
    )
    .post(
      '/password',
      async ({ request, body }) => {
        await finishReset(identity, callers.of(request), body)
        return { done: true as const }
      },
      {
        body: shapes.FinishReset,
        response: { 200: shapes.Done },
        detail: { summary: 'Choose a new password by the ticket in the letter; ends every session' },
      },
    )
    .post(
      '/first-admin',
      async ({ request, body, set }) => {
        letIn(set, (await becomeFirstAdmin(identity, callers.of(request), body)).secret)
        return { done: true as const }
      },
      {
        body: shapes.FirstAdmin,
        response: { 200: shapes.Done },
        detail: { summary: 'Become the first admin of a fresh hub, by the ticket its start printed' },
      },
    )
    .post(
      '/invitations/opening',
      async ({ request, body }) => {
        const found = await findInvitation(identity, callers.of(request), body.invitation)
        const { email, roles, credit, expiresAt } = found
        return { email, roles, credit: usdDecimal(credit), expiresAt: new Date(expiresAt).toISOString() }
      },
      {
        body: shapes.InvitationSecret,
        response: { 200: shapes.OpenInvitation },
        detail: { summary: 'What an invitation offers; does not use it up' },
      },
    )
}

function pageAfter(came: CameBack): string {
  switch (came.next) {
    case 'done':
    case 'linked':
      return came.to
    case 'second_factor':
      return paths.secondFactor(came.ticket)
    case 'sign_up':
      return paths.signUpWith(came.ticket, came.invitation)
  }
}

function see(location: string, cookies: string[]): Response {
  const headers = new Headers({ location, 'cache-control': 'no-store', 'referrer-policy': 'no-referrer' })
  for (const cookie of cookies) headers.append('set-cookie', cookie)
  return new Response(null, { status: 303, headers })
}
