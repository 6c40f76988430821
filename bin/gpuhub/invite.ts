import { addInvitation, invitationState, listInvitations, revokeInvitation } from '../../hub/identity/invitations.ts'
import { readSettings } from '../../hub/policy/policy.ts'
import type { TermsRole } from '../../db/schema/people.ts'
import { systemEnv } from '../../sdk/env.ts'
import { formatUsd, parseUsd } from '../../sdk/money.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { amountFrom } from './amount.ts'
import { onDatabase, place, publicUrl } from './database.ts'
import { moment } from './moment.ts'

const ROLES: readonly TermsRole[] = ['client', 'host']
const MOST_LISTED = 10_000

const add = command({
  name: 'add',
  summary: 'Invite somebody; the link is shown once, and mailed where there is an address.',
  positionals: [
    { name: 'email', help: 'The only address it is for; without one, whoever has the link.', optional: true },
  ],
  options: {
    ...place,
    role: { type: 'list', value: 'ROLE', help: `What they will be: ${ROLES.join(', ')} [default client].` },
    credit: { type: 'string', value: 'USD', help: 'Credit to start with [default: the trial credit, for clients].' },
  },
  run: ({ positionals, options, world, out, say }) => {
    const roles = rolesFrom(options.role)
    const given = options.credit === undefined ? null : amountFrom(options.credit)
    return onDatabase({ world, data: options.data, create: true }, async (db, config) => {
      const trial = roles.includes('client') ? parseUsd((await readSettings(db)).trialCredit) : 0n
      const credit = given ?? trial
      const office = { env: systemEnv, db, url: publicUrl(config), sends: true }
      const wish = { email: positionals.email, roles, credit }
      const { invitation, link } = await addInvitation(office, 'command line', wish)
      const { id, email, expiresAt } = invitation
      out({ id, link, email, roles, creditNanos: String(credit), expiresAt: moment(expiresAt) }, [link])
      say('Keep it now: it is not shown again. It works once, for 14 days.')
      if (email !== null) say(`A letter to ${email} leaves with the hub, if it has a mail server (SMTP_URL).`)
    })
  },
})

const list = command({
  name: 'list',
  summary: 'List invitations, newest first.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const now = systemEnv.now()
      const invitations = (await listInvitations(db, { limit: MOST_LISTED })).map((invitation) => ({
        id: invitation.id,
        email: invitation.email,
        hint: invitation.hint,
        roles: invitation.roles,
        creditNanos: String(invitation.credit),
        state: invitationState(invitation, now),
        createdAt: moment(invitation.createdAt),
        expiresAt: moment(invitation.expiresAt),
        usedBy: invitation.usedBy,
      }))
      const rows = invitations.map(({ id, email, hint, roles, creditNanos, state, expiresAt }) => [
        ...[id, email ?? 'whoever has the link', `…${hint}`, roles.join(', '), formatUsd(BigInt(creditNanos))],
        state === 'open' ? `open until ${expiresAt}` : state,
      ])
      const header = ['id', 'for', 'link', 'roles', 'credit', 'state']
      const empty = 'No invitations yet. Make one with: gpuhub invite add EMAIL'
      out(invitations, table({ header, rows, right: [4], empty }))
    }),
})

const revoke = command({
  name: 'revoke',
  summary: 'Make an invitation useless.',
  positionals: [{ name: 'id', help: 'Its id, as gpuhub invite list shows it.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      if (!(await revokeInvitation(systemEnv, db, 'command line', positionals.id))) {
        throw new Failure('There is no open invitation with this id.', 1, 'See: gpuhub invite list')
      }
      out({ id: positionals.id, revoked: true }, [`${positionals.id} is revoked.`])
    }),
})

function rolesFrom(given: string[]): TermsRole[] {
  const isRole = (text: string): text is TermsRole => ROLES.some((role) => role === text)
  const roles = given.flatMap((text) => text.split(',')).filter((text) => text !== '')
  const wrong = roles.find((text) => !isRole(text))
  if (wrong !== undefined) throw new Failure(`--role is one of ${ROLES.join(', ')}, not "${wrong}".`, 2)
  return roles.length > 0 ? roles.filter(isRole) : ['client']
}

export const inviteCommands: Group = {
  name: 'invite',
  summary: 'Invitations to this hub',
  commands: [add, list, revoke],
}
