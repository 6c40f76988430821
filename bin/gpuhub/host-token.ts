import { desc, eq } from 'drizzle-orm'
import { addHostToken, revokeHostToken } from '../../hub/fleet/token.ts'
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
  summary: 'Make a token with which a user’s machines join as hosts; it is shown once.',
  positionals: [{ name: 'email', help: 'Whose machines.' }],
  options: { ...place, name: { type: 'string', value: 'NAME', default: 'host', help: 'What it is for.' } },
  run: ({ positionals, options, world, out, say }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const owner = await existingUser(db, positionals.email)
      if (!owner.roles.includes('host')) {
        throw new Failure(`${owner.email} is ${owner.roles.join(', ')}, not the owner of hosts.`)
      }
      const { id, token } = await addHostToken(systemEnv, db, { ownerId: owner.id, name: options.name })
      out({ id, token, name: options.name, owner: owner.email }, [token])
      say('Keep it now: it is not shown again.')
    }),
})

const list = command({
  name: 'list',
  summary: 'List host tokens, newest first.',
  options: place,
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const { hostTokens, users } = db.tables
      const found = await db.query
        .select({ token: hostTokens, owner: users.email })
        .from(hostTokens)
        .innerJoin(users, eq(users.id, hostTokens.ownerId))
        .orderBy(desc(hostTokens.id))
        .limit(MOST_LISTED)
      const tokens = found.map(({ token, owner }) => ({
        id: token.id,
        owner,
        name: token.name,
        hint: token.hint,
        createdAt: moment(token.createdAt),
        revokedAt: token.revokedAt === null ? null : moment(token.revokedAt),
      }))
      const rows = tokens.map(({ id, owner, name, hint, createdAt, revokedAt }) => [
        id,
        owner,
        name,
        `…${hint}`,
        createdAt,
        revokedAt ? `revoked ${revokedAt}` : 'valid',
      ])
      const empty = 'No host tokens yet. Make one with: gpuhub host-token add EMAIL'
      out(tokens, table({ header: ['id', 'owner', 'name', 'token', 'made', 'state'], rows, empty }))
    }),
})

const revoke = command({
  name: 'revoke',
  summary: 'Make a host token useless; hosts that use it are cut off within a second.',
  positionals: [{ name: 'id', help: 'The token’s id, as gpuhub host-token list shows it.' }],
  options: place,
  run: ({ positionals, options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      if (!(await revokeHostToken(systemEnv, db, { id: positionals.id }))) {
        throw new Failure('There is no valid token with this id.', 1, 'See: gpuhub host-token list')
      }
      out({ id: positionals.id, revoked: true }, [`${positionals.id} is revoked.`])
    }),
})

export const hostTokenCommands: Group = {
  name: 'host-token',
  summary: 'Tokens with which machines join as hosts',
  commands: [add, list, revoke],
}
