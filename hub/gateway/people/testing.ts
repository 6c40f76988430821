// People in front of browsers, for tests: cookies are kept, requests come from our own pages, letters are read.
import { desc, eq } from 'drizzle-orm'
import type { Role } from '../../../db/schema/people.ts'
import type { Hub } from '../../hub.ts'
import { addLogin } from '../../identity/join.ts'
import { addUser, type User } from '../../identity/users.ts'
import { HUB_URL, type TestHub } from '../../testing.ts'

export interface Answered {
  status: number
  /** The error's code, where it is one. */
  code: string | null
  body: Record<string, unknown>
  text: string
  headers: Headers
}

let people = 0

/** A password that is good enough. */
export const PASSWORD = 'four words in a row'

export class Browser {
  private readonly cookies = new Map<string, string>()
  readonly address: string

  /** `address` is another one for each browser, unless given. */
  constructor(
    private readonly hub: Hub,
    { address }: { address?: string } = {},
  ) {
    const number = ++people
    this.address = address ?? `203.0.${(number >> 8) & 255}.${number & 255}`
  }

  get(path: string, headers: Record<string, string> = {}): Promise<Answered> {
    return this.send('GET', path, undefined, headers)
  }

  post(path: string, asked?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    return this.send('POST', path, asked, headers)
  }

  async send(method: string, path: string, asked?: unknown, headers: Record<string, string> = {}): Promise<Answered> {
    const sent = new Headers({ 'sec-fetch-site': 'same-origin', 'user-agent': 'Test/1', ...headers })
    for (const [name, value] of Object.entries(headers)) if (value === '') sent.delete(name)
    if (this.cookies.size > 0)
      sent.set('cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '))
    if (asked !== undefined) sent.set('content-type', 'application/json')
    const request = new Request(`${HUB_URL}${path}`, { method, headers: sent, body: JSON.stringify(asked) })
    // Nobody does two things in one millisecond; what is listed by time has an order then.
    const { env } = this.hub.platform
    if ('jump' in env && typeof env.jump === 'function') env.jump(1)
    const server = { timeout() {}, requestIP: () => ({ address: this.address, family: 'IPv4', port: 1 }) }
    const response = await this.hub.fetch(request, server as unknown as Parameters<Hub['fetch']>[1])
    if (!response) throw new Error('the hub answered with a WebSocket')
    for (const cookie of response.headers.getSetCookie()) this.keep(cookie)
    const text = await response.text()
    const json = (response.headers.get('content-type') ?? '').includes('json')
    const body = json ? (JSON.parse(text) as Record<string, unknown>) : {}
    const code = (body as { error?: { code?: string } }).error?.code ?? null
    return { status: response.status, code, body, text, headers: response.headers }
  }

  /** Whether a session cookie is kept; whether it is any good is the hub's to say. */
  get hasSession(): boolean {
    return this.cookies.has('gpuhub-dev')
  }

  /** The same cookies, as if they were stolen. */
  clone(): Browser {
    const copy = new Browser(this.hub)
    for (const [name, value] of this.cookies) copy.cookies.set(name, value)
    return copy
  }

  private keep(cookie: string): void {
    const [pair = '', ...attributes] = cookie.split('; ')
    const at = pair.indexOf('=')
    const name = pair.slice(0, at)
    if (attributes.includes('Max-Age=0')) this.cookies.delete(name)
    else this.cookies.set(name, pair.slice(at + 1))
  }
}

/** Letters to an address, newest first. */
export async function lettersTo({ world }: Pick<TestHub, 'world'>, email: string) {
  const { mails } = world.db.tables
  return world.db.query.select().from(mails).where(eq(mails.recipient, email)).orderBy(desc(mails.id))
}

/** The ticket (or invitation) in the newest letter to an address. */
export async function ticketTo(hub: Pick<TestHub, 'world'>, email: string): Promise<string> {
  const [letter] = await lettersTo(hub, email)
  const secret = /[?&](?:ticket|invitation)=(\w+)/.exec(letter?.text ?? '')?.[1]
  if (!secret) throw new Error(`no letter with a link to ${email}`)
  return secret
}

/** As good as any to sign in with, and a hundred times faster than what people get. */
const cheapHash = Bun.password.hash(PASSWORD, { algorithm: 'argon2id', memoryCost: 8, timeCost: 1 })

/** Somebody with a password. */
export async function person(hub: TestHub, email: string, ...roles: Role[]): Promise<User> {
  const { identity } = hub.hub.platform
  const user = await addUser(hub.env, hub.world.db, { email, roles })
  const hash = await cheapHash
  await addLogin(identity, hub.world.db.query, user.id, { provider: 'password', hash })
  return user
}

/** Somebody with a password, signed in. */
export async function signedIn(hub: TestHub, email: string, ...roles: Role[]): Promise<Browser & { user: User }> {
  const user = await person(hub, email, ...roles)
  const page = new Browser(hub.hub)
  const { body } = await page.post('/api/v1/sign-in', { email, password: PASSWORD })
  if (body.next !== 'done') throw new Error(`${email} was not let in: ${JSON.stringify(body)}`)
  return Object.assign(page, { user })
}
