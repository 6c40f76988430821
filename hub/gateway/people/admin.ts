// What admins do to people, settings and letters. Every address asks for the role itself, and every act is written down.
import { Elysia } from 'elysia'
import { parseUsd, usdDecimal } from '../../../sdk/money.ts'
import { HubError } from '../../errors.ts'
import { changeRoles, findPeople, giveCredit, reinstate, suspend } from '../../identity/admin.ts'
import { requireRole } from '../../identity/guard.ts'
import {
  addInvitation,
  type Invitation,
  invitationState,
  listInvitations,
  revokeInvitation,
} from '../../identity/invitations.ts'
import { resetLink } from '../../identity/reset.ts'
import { takeSecondFactor } from '../../identity/second-factor.ts'
import { type User, userById } from '../../identity/users.ts'
import { listMails, type Mail } from '../../mail/outbox.ts'
import { byName, listActs } from '../../policy/acts.ts'
import { changeSettings } from '../../policy/change.ts'
import { listSettings } from '../../policy/settings.ts'
import type { Platform } from '../platform.ts'
import * as shapes from './shapes.ts'

const DEFAULT_PAGE = 50
const done = { done: true as const }

export function administration({ identity, policy }: Platform) {
  const { env, db, outbox } = identity
  const admin = async (request: Request) => {
    const { user } = await requireRole(identity, request, 'admin')
    return { userId: user.id }
  }
  return new Elysia({ prefix: '/admin' })
    .get(
      '/settings',
      async ({ request }) => {
        await admin(request)
        return { data: listSettings(policy.current()) }
      },
      { response: { 200: shapes.SettingList }, detail: { summary: 'Settings, with their defaults' } },
    )
    .patch(
      '/settings',
      async ({ request, body }) => {
        const settings = await changeSettings(env, db, await admin(request), body)
        await policy.refresh()
        return { data: listSettings(settings) }
      },
      {
        body: shapes.ChangeSettings,
        response: { 200: shapes.SettingList },
        detail: { summary: 'Change settings: all that are named, or none' },
      },
    )
    .get(
      '/acts',
      async ({ request, query }) => {
        await admin(request)
        const { limit = DEFAULT_PAGE, before, subject } = query
        const acts = await listActs(db, { limit, before, subject })
        const data = acts.map(({ at, by, ...act }) => ({
          ...act,
          at: new Date(at).toISOString(),
          by: byName(by),
        }))
        return paged(data, limit)
      },
      {
        query: shapes.ActsQuery,
        response: { 200: shapes.ActPage },
        detail: { summary: 'What admins did, newest first' },
      },
    )
    .get(
      '/users',
      async ({ request, query }) => {
        await admin(request)
        const { limit = DEFAULT_PAGE, before, search, role, state } = query
        const people = await findPeople(db, { limit, after: before, search, role, state })
        return paged(people.map(personRow), limit)
      },
      { query: shapes.PeopleQuery, response: { 200: shapes.PersonPage }, detail: { summary: 'Users, oldest first' } },
    )
    .get(
      '/users/:id',
      async ({ request, params }) => {
        await admin(request)
        return personRow(await person(params.id))
      },
      { response: { 200: shapes.Person }, detail: { summary: 'One user' } },
    )
    .post(
      '/users/:id/suspension',
      async ({ request, params, body }) => {
        await suspend(identity, await admin(request), params.id, body.reason)
        return done
      },
      {
        body: shapes.Suspend,
        response: { 200: shapes.Done },
        detail: { summary: 'Suspend: sessions, keys and hosts are refused' },
      },
    )
    .delete(
      '/users/:id/suspension',
      async ({ request, params }) => {
        await reinstate(identity, await admin(request), params.id)
        return done
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Reinstate' } },
    )
    .put(
      '/users/:id/roles',
      async ({ request, params, body }) => {
        await changeRoles(identity, await admin(request), params.id, body.roles)
        return done
      },
      { body: shapes.Roles, response: { 200: shapes.Done }, detail: { summary: 'Replace what a user may be' } },
    )
    .post(
      '/users/:id/credit',
      async ({ request, params, body }) => {
        const { key, note } = body
        const gift = { key, note, amount: parseUsd(body.amount) }
        return { first: await giveCredit(identity, await admin(request), params.id, gift) }
      },
      { body: shapes.GiveCredit, response: { 200: shapes.GivenCredit }, detail: { summary: 'Give credit' } },
    )
    .delete(
      '/users/:id/second-factor',
      async ({ request, params }) => {
        await takeSecondFactor(identity, await admin(request), await person(params.id))
        return done
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Turn a second factor off, for somebody who lost it' } },
    )
    .post(
      '/users/:id/reset-link',
      async ({ request, params }) => {
        return { link: await resetLink(identity, await admin(request), await person(params.id)) }
      },
      {
        response: { 200: shapes.ResetLink },
        detail: { summary: 'A link for a new password, for somebody whom no letter reaches' },
      },
    )
    .get(
      '/invitations',
      async ({ request, query }) => {
        await admin(request)
        const { limit = DEFAULT_PAGE, before } = query
        const rows = await listInvitations(db, { limit, before })
        const data = rows.map((row) => invitationRow(row, env.now()))
        return paged(data, limit)
      },
      {
        query: shapes.PageQuery,
        response: { 200: shapes.InvitationPage },
        detail: { summary: 'Invitations, newest first' },
      },
    )
    .post(
      '/invitations',
      async ({ request, body }) => {
        const by = await admin(request)
        const trial = body.roles.includes('client') ? policy.current().trialCredit : '0'
        const wish = { email: body.email, roles: body.roles, credit: parseUsd(body.credit ?? trial) }
        const office = { env, db, url: identity.url(), sends: outbox.sends }
        const { invitation, link } = await addInvitation(office, by, wish)
        outbox.wake()
        return { ...invitationRow(invitation, env.now()), link }
      },
      {
        body: shapes.NewInvitation,
        response: { 200: shapes.MadeInvitation },
        detail: { summary: 'Invite somebody; with an address, a letter is sent' },
      },
    )
    .delete(
      '/invitations/:id',
      async ({ request, params }) => {
        const by = await admin(request)
        if (!(await revokeInvitation(env, db, by, params.id))) {
          throw new HubError('not_found', 'There is no open invitation with this id.')
        }
        return done
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Revoke an invitation' } },
    )
    .get(
      '/mails',
      async ({ request, query }) => {
        await admin(request)
        const { limit = DEFAULT_PAGE, before } = query
        const mails = await listMails(db, { limit, before })
        return paged(mails.map(mailRow), limit)
      },
      {
        query: shapes.PageQuery,
        response: { 200: shapes.MailPage },
        detail: { summary: 'Letters, newest first; without a mail server, with their text' },
      },
    )

  async function person(id: string): Promise<User> {
    const user = await userById(db, id)
    if (!user || user.erasedAt !== null) throw new HubError('not_found', 'There is no such user.')
    return user
  }
}

function personRow({ id, email, name, country, roles, createdAt, suspendedAt, suspendedFor }: User) {
  const time = (at: number | null) => (at === null ? null : new Date(at).toISOString())
  return {
    ...{ id, email, name, country, roles },
    ...{ createdAt: new Date(createdAt).toISOString(), suspendedAt: time(suspendedAt), suspendedFor },
  }
}

function invitationRow(invitation: Invitation, now: number) {
  const { id, hint, email, roles, credit, createdAt, expiresAt, usedBy } = invitation
  return {
    ...{ id, hint, email, roles, usedBy, credit: usdDecimal(credit), state: invitationState(invitation, now) },
    ...{ createdAt: new Date(createdAt).toISOString(), expiresAt: new Date(expiresAt).toISOString() },
  }
}

function mailRow({ createdAt, sentAt, nextAt, ...mail }: Mail) {
  const unsent = mail.text === null ? ('given up' as const) : ('not sent' as const)
  return {
    ...mail,
    state: sentAt !== null ? ('sent' as const) : nextAt !== null ? ('waiting' as const) : unsent,
    createdAt: new Date(createdAt).toISOString(),
    sentAt: sentAt === null ? null : new Date(sentAt).toISOString(),
  }
}

function paged<T extends { id: string }>(data: T[], limit: number): { data: T[]; next: string | null } {
  return { data, next: data.length === limit ? (data.at(-1)?.id ?? null) : null }
}
