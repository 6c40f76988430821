import type { Db } from '../../db/open.ts'
import type { Role } from '../../db/schema/people.ts'
import { allow, allowancesOf } from '../../hub/identity/allowances.ts'
import { addUser, listUsers } from '../../hub/identity/users.ts'
import { clientAccount } from '../../hub/ledger/chart.ts'
import { systemEnv } from '../../sdk/env.ts'
import { formatUsd, type Money, parseUsd } from '../../sdk/money.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { allowanceFrom, allowanceInWords, allowanceJson, allowanceOptions } from './allowance.ts'
import { onDatabase, place } from './database.ts'
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
  },
  run: ({ positionals, options, world, out }) => {
    const roles = rolesFrom(options.role)
    const credit = amountFrom(options.credit)
    return onDatabase({ world, data: options.data, create: true }, async (db) => {
      const user = await addUser(systemEnv, db, { email: positionals.email, roles })
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

function amountFrom(text: string | undefined): Money {
  if (text === undefined) return 0n
  try {
    return parseUsd(text)
  } catch (error) {
    throw new Failure(`--credit: ${(error as RangeError).message}`, 2)
  }
}

export const userCommands: Group = {
  name: 'user',
  summary: 'The people of this hub',
  commands: [add, list, limit],
}
