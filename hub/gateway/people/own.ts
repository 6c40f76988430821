// One's own account: who one is, sessions, password, second factor, terms, a copy of everything, the end.
import { Elysia, t } from 'elysia'
import type { Platform } from '../platform.ts'
import { HubError } from '../../errors.ts'
import { cookieGone } from '../../identity/cookie.ts'
import { eraseUser } from '../../identity/erase.ts'
import { exportOf } from '../../identity/export.ts'
import { requireSignedIn, type SignedIn } from '../../identity/guard.ts'
import { acceptInvitation } from '../../identity/invitations.ts'
import { unlink, waysIn } from '../../identity/oauth.ts'
import { addOwnRole, askForEmail, finishEmail, rename, wear } from '../../identity/own.ts'
import { changePassword } from '../../identity/reset.ts'
import {
  beginSecondFactor,
  confirmSecondFactor,
  hasSecondFactor,
  newRecoveryCodes,
  recoveryCodesLeft,
  removeSecondFactor,
} from '../../identity/second-factor.ts'
import { endSession, endSessions, listSessions } from '../../identity/sessions.ts'
import { prove } from '../../identity/sign-in.ts'
import { termsStates } from '../../identity/terms.ts'
import { payGifts } from '../../identity/gifts.ts'
import { normalEmail } from '../../identity/users.ts'
import * as shapes from './shapes.ts'

const done = { done: true as const }

export function ownAccount(hub: Platform) {
  const { identity } = hub
  const { callers, limits, db, env } = identity
  const own = (request: Request) => requireSignedIn(identity, request)
  return new Elysia()
    .get('/session', async ({ request }) => describe(hub, await own(request)), {
      response: { 200: shapes.Own },
      detail: { summary: 'Who is signed in' },
    })
    .patch(
      '/session',
      async ({ request, body }) => {
        const signedIn = await own(request)
        if (body.name !== undefined) await rename(identity, signedIn.user, body.name)
        if (body.hat !== undefined) await wear(identity, signedIn.user, body.hat)
        return describe(hub, await own(request))
      },
      { body: shapes.ChangeOwn, response: { 200: shapes.Own }, detail: { summary: 'Change one’s name, or the hat' } },
    )
    .get(
      '/sessions',
      async ({ request }) => {
        const { user, session: current } = await own(request)
        const sessions = await listSessions(env, db, user)
        return {
          data: sessions.map(({ id, createdAt, seenAt, address, agent }) => ({
            ...{ id, address, agent, current: id === current.id },
            ...{ createdAt: new Date(createdAt).toISOString(), seenAt: new Date(seenAt).toISOString() },
          })),
        }
      },
      { response: { 200: shapes.SessionList }, detail: { summary: 'Browsers that are signed in' } },
    )
    .delete(
      '/sessions',
      async ({ request }) => {
        const { user, session } = await own(request)
        await endSessions(db, db.query, user.id, session.id)
        return done
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Sign out everywhere else' } },
    )
    .delete(
      '/sessions/:id',
      async ({ request, params }) => {
        const { user } = await own(request)
        if (!(await endSession(db, { id: params.id, userId: user.id }))) throw notYours()
        return done
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Sign one browser out' } },
    )
    .put(
      '/me/password',
      async ({ request, body }) => {
        const signedIn = await own(request)
        await prove(identity, signedIn, body.current)
        await changePassword(identity, signedIn, body.password)
        return done
      },
      {
        body: shapes.ChangePassword,
        response: { 200: shapes.Done },
        detail: { summary: 'Change the password; signs out everywhere else' },
      },
    )
    .post(
      '/me/email',
      async ({ request, body }) => {
        const signedIn = await own(request)
        await prove(identity, signedIn, body.current)
        await askForEmail(identity, callers.of(request), signedIn.user, body.email)
        return { sent: true as const }
      },
      {
        body: shapes.ChangeEmail,
        response: { 200: shapes.Sent },
        detail: { summary: 'Ask for another address; a letter there confirms it' },
      },
    )
    .post(
      '/me/email/confirmation',
      async ({ request, body }) => ({ email: await finishEmail(identity, callers.of(request), body.ticket) }),
      {
        body: shapes.TicketOnly,
        response: { 200: shapes.EmailOnly },
        detail: { summary: 'Take the new address, by the ticket in the letter' },
      },
    )
    .post(
      '/me/second-factor',
      async ({ request, body }) => {
        const signedIn = await own(request)
        await prove(identity, signedIn, body.current)
        return beginSecondFactor(identity, signedIn.user)
      },
      {
        body: shapes.Proof,
        response: { 200: shapes.SecondFactor },
        detail: { summary: 'A secret for an authenticator app; counts once a code is shown' },
      },
    )
    .post(
      '/me/second-factor/confirmation',
      async ({ request, body }) => {
        const { user } = await own(request)
        limits.take('signInTo', user.email)
        const recoveryCodes = await confirmSecondFactor(identity, user, body.code)
        limits.forget('signInTo', user.email)
        return { recoveryCodes }
      },
      {
        body: shapes.CodeOnly,
        response: { 200: shapes.RecoveryCodes },
        detail: { summary: 'Turn the second factor on; recovery codes are shown once' },
      },
    )
    .post(
      '/me/second-factor/recovery-codes',
      async ({ request, body }) => {
        const signedIn = await own(request)
        await prove(identity, signedIn, body.current)
        return { recoveryCodes: await newRecoveryCodes(identity, signedIn.user) }
      },
      {
        body: shapes.Proof,
        response: { 200: shapes.RecoveryCodes },
        detail: { summary: 'New recovery codes; the old ones end' },
      },
    )
    .post(
      '/me/second-factor/removal',
      async ({ request, body }) => {
        const signedIn = await own(request)
        await prove(identity, signedIn, body.current)
        await removeSecondFactor(identity, signedIn.user)
        return done
      },
      { body: shapes.Proof, response: { 200: shapes.Done }, detail: { summary: 'Turn the second factor off' } },
    )
    .delete(
      '/me/logins/:provider',
      async ({ request, params }) => {
        await unlink(identity, await own(request), params.provider)
        return done
      },
      {
        params: t.Object({ provider: t.Union([t.Literal('github'), t.Literal('google')]) }),
        response: { 200: shapes.Done },
        detail: { summary: 'GitHub or Google is no way in any more' },
      },
    )
    .post(
      '/me/invitation',
      async ({ request, body }) => {
        const { user } = await own(request)
        const roles = await acceptInvitation(identity, callers.of(request), user, body.invitation)
        await payGifts(identity, user.id)
        return { roles }
      },
      {
        body: shapes.InvitationSecret,
        response: { 200: shapes.Roles },
        detail: { summary: 'Become what an invitation says, too' },
      },
    )
    .post(
      '/me/roles',
      async ({ request, body }) => {
        const { user } = await own(request)
        return { roles: await addOwnRole(identity, user, body.role, body.terms) }
      },
      {
        body: shapes.AddRole,
        response: { 200: shapes.Roles },
        detail: { summary: 'Become a client or the owner of hosts, too, where that is open' },
      },
    )
    .get(
      '/me/export',
      async ({ request }) => {
        const { user } = await own(request)
        limits.take('exportBy', user.id)
        return new Response(exportOf(identity, user), {
          headers: {
            'content-type': 'application/json; charset=utf-8',
            'content-disposition': `attachment; filename="gpuhub-${user.id}.json"`,
            'cache-control': 'no-store',
            'x-content-type-options': 'nosniff',
          },
        })
      },
      { detail: { summary: 'Everything the hub keeps about you, as one JSON document' } },
    )
    .post(
      '/me/deletion',
      async ({ request, body, set }) => {
        const signedIn = await own(request)
        if (normalEmail(body.email) !== signedIn.user.email) {
          throw new HubError('invalid_request', 'Type your own address to delete your account.', { param: 'email' })
        }
        await prove(identity, signedIn, body.current)
        await eraseUser(identity, signedIn.user)
        set.headers['set-cookie'] = cookieGone(identity.url())
        return done
      },
      {
        body: shapes.Deletion,
        response: { 200: shapes.Done },
        detail: { summary: 'Delete the account: the person is erased, the books stay whole' },
      },
    )
}

async function describe({ identity, policy }: Platform, { user, session, hat, choosesHat }: SignedIn) {
  const { env, db } = identity
  const { id, email, name, country, roles } = user
  const secondFactor = await hasSecondFactor(db, id)
  return {
    ...{ id, email, name, country, roles, hat, choosesHat, secondFactor, session: session.id },
    terms: termsStates(policy.current(), user, env.now()),
    recoveryCodesLeft: secondFactor ? await recoveryCodesLeft(db, id) : 0,
    waysIn: await waysIn(identity, user),
  }
}

function notYours(): HubError {
  return new HubError('not_found', 'There is nothing like that in this account.')
}
