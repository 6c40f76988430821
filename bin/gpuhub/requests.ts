import { desc, eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { formatUsd } from '../../sdk/money.ts'
import { command } from '../command.ts'
import { table } from '../lines.ts'
import { onDatabase, place } from './database.ts'
import { existingUser } from './find-user.ts'
import { moment } from './moment.ts'

export const requestsCommand = command({
  name: 'requests',
  summary: 'List requests, newest first.',
  options: {
    ...place,
    user: { type: 'string', value: 'EMAIL', help: 'Only this user’s.' },
    limit: { type: 'integer', value: 'N', default: 20, min: 1, max: 100_000, help: 'How many.' },
  },
  run: ({ options, world, out }) =>
    onDatabase({ world, data: options.data }, async (db) => {
      const userId = options.user ? (await existingUser(db, options.user)).id : undefined
      const requests = await latest(db, { userId, limit: options.limit })
      const rows = requests.map((each) => [
        each.at,
        each.id,
        each.user,
        each.model,
        each.state,
        String(each.promptTokens),
        String(each.completionTokens),
        formatUsd(BigInt(each.costNanos)),
      ])
      const header = ['at', 'id', 'user', 'model', 'state', 'prompt', 'answer', 'cost']
      out(requests, table({ header, rows, right: [5, 6, 7], empty: 'No requests yet.' }))
    }),
})

async function latest(db: Db, which: { userId: string | undefined; limit: number }) {
  const { requests, users } = db.tables
  const query = db.query
    .select({ request: requests, email: users.email })
    .from(requests)
    .leftJoin(users, eq(users.id, requests.userId))
  const chosen = which.userId === undefined ? query : query.where(eq(requests.userId, which.userId))
  const rows = await chosen.orderBy(desc(requests.at), desc(requests.id)).limit(which.limit)
  return rows.map(({ request, email }) => ({
    id: request.id,
    at: moment(request.at),
    user: email ?? request.userId,
    model: request.variant,
    state: request.state,
    promptTokens: request.promptTokens,
    completionTokens: request.completionTokens,
    costNanos: String(request.cost),
    feeNanos: String(request.fee),
    hostShareNanos: String(request.hostShare),
    promptPicos: request.promptPicos,
    completionPicos: request.completionPicos,
    attempts: request.attempts,
    resumed: request.resumed,
    host: request.hostId,
    stream: request.stream,
    durationMs: request.endedAt - request.at,
    firstTokenMs: request.firstTokenMs,
    finishReason: request.finishReason,
    error: request.errorCode,
    claimedTokens: request.claimedTokens,
    countsDiffer: request.countsDiffer,
    delivered: request.delivered,
  }))
}
