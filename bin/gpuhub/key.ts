import { addKey, listKeys, revokeKey } from '../../hub/identity/keys.ts'
import { listUsers } from '../../hub/identity/users.ts'
import { systemEnv } from '../../sdk/env.ts'
import { command, type Group } from '../command.ts'
import { Failure } from '../failure.ts'
import { table } from '../lines.ts'
import { onDatabase, place } from './database.ts'
import { existingUser } from './find-user.ts'
import { moment } from './moment.ts'

const MOST_LISTED = 10_000

const add = command({
  name: 'add',
  summary: 'Make an API key for a user; it is shown once.',
  positionals: [{ name: 'email', help: 'Whose key.' }],
  options: { ...place, name: { type: 'string', value: 'NAME', help: 'What it is for, e.g. laptop.' } },
  run: ({ positionals, options, world, out, say }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const user = await existingUser(db, positionals.email)
      const { id, key, name } = await addKey(systemEnv, db, { userId: user.id, name: options.name })
      out({ id, key, name, user: user.email }, [key])
      say('Keep it now: it is not shown again.')
    }),
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
      const keys = (await listKeys(db, { userId, limit: MOST_LISTED })).map((key) => ({
        id: key.id,
        user: emails.get(key.userId) ?? key.userId,
        name: key.name,
        hint: key.hint,
        createdAt: moment(key.createdAt),
        revokedAt: key.revokedAt === null ? null : moment(key.revokedAt),
      }))
      const rows = keys.map(({ id, user, name, hint, createdAt, revokedAt }) => [
        id,
        user,
        name,
        `…${hint}`,
        createdAt,
        revokedAt ? `revoked ${revokedAt}` : 'valid',
      ])
      out(
        keys,
        table({
          header: ['id', 'user', 'name', 'key', 'made', 'state'],
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
        throw new Failure('There is no key with this id.', 1, 'See: gpuhub key list')
      }
      out({ id: positionals.id, revoked: true }, [`${positionals.id} is revoked.`])
    }),
})

export const keyCommands: Group = { name: 'key', summary: 'API keys of clients', commands: [add, list, revoke] }
