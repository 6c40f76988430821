// Pages with people in front of them: a hub in memory that has its pages, and browsers that are signed in.
import { cookieFor } from '../hub/identity/cookie.ts'
import { openSession } from '../hub/identity/sessions.ts'
import { setRoles } from '../hub/identity/testing.ts'
import { HUB_URL, startHub, type TestHub, type World } from '../hub/testing.ts'
import { transaction } from '../db/transaction.ts'
import type { Role } from '../db/schema/people.ts'
import { answerPage } from './web.tsx'

export interface Browser {
  userId: string
  get(path: string, headers?: Record<string, string>): Promise<Response>
  /** As a form of one of our own pages. */
  post(path: string, fields?: Record<string, string>, headers?: Record<string, string>): Promise<Response>
}

export interface TestPages extends TestHub {
  /** The browser of a client of the world, signed in; `roles`: what else they are. */
  browser(name: string, roles?: Role[]): Promise<Browser>
  /** Signs a client of the world in, somewhere; the id of that session. */
  sessionOf(name: string): Promise<string>
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
      get: (path: string, headers: Record<string, string> = {}) => send(path, { headers }),
      post: (
        path: string,
        fields: Record<string, string> = {},
        headers: Record<string, string> = { origin: HUB_URL },
      ) => send(path, { method: 'POST', body: new URLSearchParams(fields), headers }),
    }
  }
  const { db } = hub.world
  const signIn = (userId: string) => {
    const caller = { address: '127.0.0.1', agent: 'test', country: null }
    return transaction(db, (tx) => openSession(hub.env, db, tx, userId, caller))
  }
  return Object.assign(hub, {
    stranger: asking(null),
    sessionOf: async (name: string) => (await signIn(hub.as(name).userId)).session.id,
    async browser(name: string, roles: Role[] = ['client']) {
      const { userId } = hub.as(name)
      await setRoles(db, userId, roles)
      const cookie = cookieFor(HUB_URL, (await signIn(userId)).secret).split(';')[0] ?? ''
      return { userId, ...asking(cookie) }
    },
  })
}
