import { allow, allowancesOf } from '../../hub/identity/allowances.ts'
import { addKey, keyExists, listKeys, revokeKey } from '../../hub/identity/keys.ts'
import { listUsers } from '../../hub/identity/users.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { allowanceInWords, allowanceJson, keyAllowanceFrom, keyAllowanceOptions, keyModels } from './allowance.ts'
import { onDatabase, place } from './database.ts'
import { existingUser } from './find-user.ts'
import { moment } from './moment.ts'

const MOST_LISTED = 10_000

const add = command({
  name: 'add',
  summary: 'Make an API key for a user; it is shown once.',
  positionals: [{ name: 'email', help: 'Whose key.' }],
  options: {
    ...place,
    name: { type: 'string', value: 'NAME', help: 'What it is for, e.g. laptop.' },
    ...keyAllowanceOptions,
  },
  run: ({ positionals, options, world, out, say }) => {
    const limits = keyAllowanceFrom(options, systemEnv.now())
    return onDatabase({ world, data: options.data }, async (db) => {
      const user = await existingUser(db, positionals.email)
      const allowance = { ...limits, ...keyModels(options.model) }
      const { id, key, name } = await addKey(systemEnv, db, { userId: user.id, name: options.name, allowance })
      out({ id, key, name, user: user.email, ...allowanceJson(allowance) }, [key])
      say('Keep it now: it is not shown again.')
    })
  },
})

const limit = command({
  name: 'limit',
  summary: 'Change what a key may do, on every hub within a second; what is not named stays.',
  positionals: [{ name: 'id', help: 'The key’s id, as gpuhub key list shows it.' }],
  options: { ...place, ...keyAllowanceOptions },
  run: ({ positionals, options, world, out }) => {
    const change = keyAllowanceFrom(options, systemEnv.now())
    return onDatabase({ world, data: options.data }, async (db) => {
      const { id } = positionals
      if (!(await keyExists(db, id))) throw noSuchKey()
      await allow(db, id, { ...change, ...keyModels(options.model) })
      const now = (await allowancesOf(db, [id])).get(id) ?? null
      out({ id, ...allowanceJson(now) }, [`${id}: ${(now && allowanceInWords(now)) || 'no limits of its own'}.`])
    })
  },
})

const list = command({
  name: 'list',
  summary: 'List API keys, newest first.',
  positionals: [{ name: 'email', help: 'Only this user’s keys.', optional: true }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const users = positionals.email
        ? [await existingUser(db, positionals.email)]
        : await listUsers(db, { limit: MOST_LISTED })
      const emails = new Map(users.map((user) => [user.id, user.email]))
      const userId = positionals.email ? users[0]?.id : undefined
      const found = await listKeys(db, { userId, limit: MOST_LISTED })
      const allowances = await allowancesOf(
        db,
        found.map(({ id }) => id),
      )
      const keys = found.map((key) => ({
        id: key.id,
        user: emails.get(key.userId) ?? key.userId,
        name: key.name,
        hint: key.hint,
        createdAt: moment(key.createdAt),
        revokedAt: key.revokedAt === null ? null : moment(key.revokedAt),
        ...allowanceJson(allowances.get(key.id) ?? null),
      }))
      const rows = keys.map(({ id, user, name, hint, createdAt, revokedAt }) => [
        id,
        user,
        name,
        `…${hint}`,
        createdAt,
        revokedAt ? `revoked ${revokedAt}` : 'valid',
        allowanceInWords(allowances.get(id) ?? {}),
      ])
      out(
        keys,
        table({
          header: ['id', 'user', 'name', 'key', 'made', 'state', 'limits'],
          rows,
          empty: 'No keys yet. Make one with: gpuhub key add EMAIL',
        }),
      )
    }),
})

const revoke = command({
  name: 'revoke',
  summary: 'Make a key useless, on every hub within a second.',
  positionals: [{ name: 'id', help: 'The key’s id, as gpuhub key list shows it.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      if (!(await revokeKey(systemEnv, db, { id: positionals.id }))) {
        throw noSuchKey()
      }
      out({ id: positionals.id, revoked: true }, [`${positionals.id} is revoked.`])
    }),
})

function noSuchKey(): Failure {
  return new Failure('There is no key with this id.', 1, 'See: gpuhub key list')
}

export const keyCommands: Group = { name: 'key', summary: 'API keys of clients', commands: [add, list, limit, revoke] }
