// Pages with people in front of them: a hub in memory that has its pages, and browsers that are signed in.
import { cookieFor } from '../hub/identity/cookie.ts'
import { openSession } from '../hub/identity/sessions.ts'
import { setRoles } from '../hub/identity/users.ts'
import { HUB_URL, startHub, type TestHub, type World } from '../hub/testing.ts'
import { transaction } from '../db/transaction.ts'
import type { Role } from '../db/schema/people.ts'
import { answerPage } from './web.tsx'

export interface Browser {
  userId: string
  get(path: string): Promise<Response>
  /** As a form of one of our own pages. */
  post(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<Response>
}

export interface TestPages extends TestHub {
  /** The browser of a client of the world, signed in; `roles`: what else they are. */
  browser(name: string, roles?: Role[]): Promise<Browser>
  /** Nobody's browser. */
  stranger: Omit<Browser, 'userId'>
}

export async function startPages(world: World = {}): Promise<TestPages> {
  const hub = await startHub({ ...world, pages: answerPage })
  const server = { timeout() {} } as unknown as Parameters<TestHub['hub']['fetch']>[1]
  const asking = (cookie: string | null) => {
    const send = async (path: string, init: RequestInit) => {
      const headers = new Headers(init.headers)
      headers.set('accept', 'text/html')
      if (cookie !== null) headers.set('cookie', cookie)
      const response = await hub.hub.fetch(new Request(`${HUB_URL}${path}`, { ...init, headers }), server)
      if (!response) throw new Error('the hub answered with a WebSocket')
      return response
    }
    return {
      get: (path: string) => send(path, {}),
      post: (
        path: string,
        fields: Record<string, string> = {},
        headers: Record<string, string> = { origin: HUB_URL },
      ) => send(path, { method: 'POST', body: new URLSearchParams(fields), headers }),
    }
  }
  return Object.assign(hub, {
    stranger: asking(null),
    async browser(name: string, roles: Role[] = ['client']) {
      const { userId } = hub.as(name)
      const { db } = hub.world
      await setRoles(db, userId, roles)
      const caller = { address: '127.0.0.1', agent: 'test', country: null }
      const { secret } = await transaction(db, (tx) => openSession(hub.env, db, tx, userId, caller))
      const cookie = cookieFor(HUB_URL, secret).split(';')[0] ?? ''
      return { userId, ...asking(cookie) }
    },
  })
}
