import type { Db, Queries } from '../../db/open.ts'
import type { Role } from '../../db/schema/people.ts'
import { changeRoles, reinstate, suspend } from '../../hub/identity/admin.ts'
import { allow, allowancesOf } from '../../hub/identity/allowances.ts'
import { addLogin } from '../../hub/identity/join.ts'
import { checkPassword, Passwords } from '../../hub/identity/passwords.ts'
import { takeSecondFactor } from '../../hub/identity/second-factor.ts'
import { type Letter } from '../../hub/mail/letters.ts'
import { putLetter } from '../../hub/mail/outbox.ts'
import { resetLink } from '../../hub/identity/reset.ts'
import { addUser, listUsers, normalEmail } from '../../hub/identity/users.ts'
import { clientAccount } from '../../hub/ledger/chart.ts'
import { systemEnv } from '../../sdk/env.ts'
import { formatUsd, type Money } from '../../sdk/money.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { allowanceFrom, allowanceInWords, allowanceJson, allowanceOptions } from './allowance.ts'
import { amountFrom } from './amount.ts'
import { onDatabase, place, publicUrl } from './database.ts'
import { existingUser } from './find-user.ts'
import { postCredit } from '../../hub/ledger/credit.ts'
import { moment } from './moment.ts'

const ROLES: readonly Role[] = ['client', 'host', 'admin']
const MOST_LISTED = 100_000

const add = command({
  name: 'add',
  summary: 'Add a user: a client, the owner of hosts, an admin, or all of it.',
  positionals: [{ name: 'email', help: 'Their address; it names them everywhere.' }],
  options: {
    ...place,
    role: { type: 'list', value: 'ROLE', help: `What they are: ${ROLES.join(', ')} [default client].` },
    credit: { type: 'string', value: 'USD', help: 'Credit to start with, given by the platform, e.g. 5.00.' },
    'password-stdin': {
      type: 'boolean',
      help: 'Read their password from the standard input, to its first line’s end.',
    },
  },
  run: async ({ positionals, options, world, out, say }) => {
    const roles = rolesFrom(options.role)
    const credit = amountFrom(options.credit)
    const password = options['password-stdin'] ? firstLine(await world.stdin()) : null
    return onDatabase({ world, data: options.data, create: true }, async (db) => {
      const hash = password === null ? null : await hashOf(password, positionals.email)
      const user = await addUser(systemEnv, db, { email: positionals.email, roles })
      if (hash !== null) await addLogin({ env: systemEnv, db }, db.query, user.id, { provider: 'password', hash })
      if (credit > 0n) {
        const gift = {
          account: clientAccount(user.id),
          amount: credit,
          key: `start:${user.id}`,
          note: 'credit to start with',
        }
        await postCredit(systemEnv, db, gift)
      }
      const { id, email } = user
      out({ id, email, roles: user.roles, creditNanos: String(credit) }, [
        `${email} is added as ${user.roles.join(', ')}${credit > 0n ? ` with ${formatUsd(credit)}` : ''}.`,
      ])
      if (hash === null) say(`To sign in on the pages they choose a password: gpuhub user reset-link ${email}`)
    })
  },
})

const list = command({
  name: 'list',
  summary: 'List users, oldest first.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const balances = await clientBalances(db)
      const users = (await listUsers(db, { limit: MOST_LISTED })).map((user) => ({
        id: user.id,
        email: user.email,
        roles: user.roles,
        balanceNanos: String(balances.get(clientAccount(user.id)) ?? 0n),
        createdAt: moment(user.createdAt),
        suspendedAt: user.suspendedAt === null ? null : moment(user.suspendedAt),
        suspendedFor: user.suspendedFor,
      }))
      const rows = users.map((user) => [
        user.email,
        user.roles.join(', '),
        formatUsd(BigInt(user.balanceNanos)),
        user.suspendedAt ? `suspended ${user.suspendedAt}` : `since ${user.createdAt}`,
      ])
      const empty = 'Nobody yet. Add somebody with: gpuhub user add EMAIL --role client --credit 5.00'
      out(users, table({ header: ['email', 'roles', 'balance', 'state'], rows, right: [2], empty }))
    }),
})

const limit = command({
  name: 'limit',
  summary: 'Change what all keys of a user together may do, on every hub within a second; what is not named stays.',
  positionals: [{ name: 'email', help: 'Whose account.' }],
  options: { ...place, ...allowanceOptions },
  run: ({ positionals, options, world, out }) => {
    const change = allowanceFrom(options)
    return onDatabase({ world, data: options.data }, async (db) => {
      const { id, email } = await existingUser(db, positionals.email)
      await allow(db, id, change)
      const now = (await allowancesOf(db, [id])).get(id)
      const { requestsPerMinute, tokensPerMinute, concurrency } = allowanceJson(now ?? null)
      const words = (now && allowanceInWords(now)) || 'no limits of its own'
      out({ id, email, requestsPerMinute, tokensPerMinute, concurrency }, [`${email}: ${words}.`])
    })
  },
})

const roles = command({
  name: 'roles',
  summary: 'Replace what a user may be; they sign in again.',
  positionals: [{ name: 'email', help: 'Whose roles.' }],
  options: {
    ...place,
    role: { type: 'list', value: 'ROLE', help: `All they are to be: ${ROLES.join(', ')}; at least one.` },
  },
  run: ({ positionals, options, world, out }) => {
    if (options.role.length === 0) throw new Failure('--role is missing: say all they are to be.', 2)
    const wanted = rolesFrom(options.role)
    return onDatabase({ world, data: options.data }, async (db) => {
      const { id, email } = await existingUser(db, positionals.email)
      await changeRoles({ env: systemEnv, db }, 'command line', id, wanted)
      out({ id, email, roles: wanted }, [`${email} is ${wanted.join(', ')}.`])
    })
  },
})

const suspendCommand = command({
  name: 'suspend',
  summary: 'Refuse a user’s sessions, keys and hosts, on every hub within a second.',
  positionals: [{ name: 'email', help: 'Whom.' }],
  options: {
    ...place,
    reason: { type: 'string', value: 'WORDS', help: 'Why; they read it where they are refused. Required.' },
  },
  run: ({ positionals, options, world, out }) => {
    const { reason } = options
    if (reason === undefined) throw new Failure('--reason is missing: they are told why.', 2)
    return onDatabase({ world, data: options.data }, async (db) => {
      const { id, email } = await existingUser(db, positionals.email)
      await suspend({ env: systemEnv, db }, 'command line', id, reason)
      out({ id, email, suspended: true, reason }, [`${email} is suspended. Nothing of theirs is lost.`])
    })
  },
})

const reinstateCommand = command({
  name: 'reinstate',
  summary: 'Take a suspension back.',
  positionals: [{ name: 'email', help: 'Whose.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const { id, email } = await existingUser(db, positionals.email)
      await reinstate({ env: systemEnv, db }, 'command line', id)
      out({ id, email, suspended: false }, [`${email} may go on.`])
    }),
})

const resetLinkCommand = command({
  name: 'reset-link',
  summary: 'Make a link with which a user chooses a new password; it works once, for an hour.',
  positionals: [{ name: 'email', help: 'Whose.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db, config) => {
      const user = await existingUser(db, positionals.email)
      const url = publicUrl(config)
      const link = await resetLink({ env: systemEnv, db, url: () => url }, 'command line', user)
      out({ id: user.id, email: user.email, link }, [link])
    }),
})

const secondFactor = command({
  name: 'second-factor',
  summary: 'Turn a user’s second factor off, when they lost app and codes, or the hub’s secret was changed.',
  positionals: [{ name: 'email', help: 'Whose.' }],
  options: { ...place, off: { type: 'boolean', help: 'Say it, so that it is meant.' } },
  run: ({ positionals, options, world, out }) => {
    if (!options.off) throw new Failure('--off is missing: it is all that can be done from here.', 2)
    return onDatabase({ world, data: options.data }, async (db) => {
      const user = await existingUser(db, positionals.email)
      const outbox = {
        put: (tx: Queries, to: string, letter: Letter) => putLetter(systemEnv, db, tx, to, letter, true),
        wake: () => {},
      }
      await takeSecondFactor({ env: systemEnv, db, outbox }, 'command line', user)
      out({ id: user.id, email: user.email, secondFactor: false }, [`${user.email} signs in with the password alone.`])
    })
  },
})

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0] ?? ''
}

async function hashOf(password: string, email: string): Promise<string> {
  checkPassword(password, normalEmail(email))
  return new Passwords().hash(password)
}

async function clientBalances(db: Db): Promise<Map<string, Money>> {
  const { accounts } = db.tables
  const rows = await db.query.select({ id: accounts.id, balance: accounts.balance }).from(accounts)
  return new Map(rows.map(({ id, balance }) => [id, balance]))
}

function rolesFrom(given: string[]): Role[] {
  const isRole = (text: string): text is Role => ROLES.some((role) => role === text)
  const roles = given.flatMap((text) => text.split(',')).filter((text) => text !== '')
  const wrong = roles.find((text) => !isRole(text))
  if (wrong !== undefined) throw new Failure(`--role is one of ${ROLES.join(', ')}, not "${wrong}".`, 2)
  return roles.length > 0 ? roles.filter(isRole) : ['client']
}

export const userCommands: Group = {
  name: 'user',
  summary: 'The people of this hub',
  commands: [add, list, roles, limit, suspendCommand, reinstateCommand, resetLinkCommand, secondFactor],
}
