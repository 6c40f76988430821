// A question from a person's own page: asked as a program would ask it, with the key that is theirs for this.
import { playgroundKey } from '../identity/playground.ts'
import type { Connection } from './connection.ts'
import { answerInference } from './openai.ts'
import type { Platform } from './platform.ts'

interface Asked {
  /** The page's, which ends the answer when it ends. */
  request: Request
  connection: Connection
  userId: string
  /** Of a chat completion. */
  body: Record<string, unknown>
}

/** @returns what a program would be answered: events, or an error envelope. Only our own page may read it. */
export async function askForPerson(hub: Platform, { request, connection, userId, body }: Asked): Promise<Response> {
  const key = await playgroundKey(hub, userId)
  const asked = new Request(new URL('/v1/chat/completions', request.url), {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
    signal: request.signal,
  })
  const response = await answerInference(hub, { name: 'chat' }, asked, connection)
  response.headers.delete('access-control-allow-origin')
  response.headers.delete('access-control-expose-headers')
  return response
}
