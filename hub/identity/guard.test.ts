import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type TestDatabase, testDatabase, testDialects } from '../../db/testing.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { cookieFor, cookieGone } from './cookie.ts'
import { type Gate, requireRole, requireSignedIn, sameOrigin, whoIsSignedIn } from './guard.ts'
import { endSession, endSessions, listSessions, openSession, sweepSessions } from './sessions.ts'
import { setRoles, suspendUser } from './testing.ts'
import { addUser } from './users.ts'

const HOUR = 60 * 60_000
const caller = { address: '203.0.113.7', agent: 'Firefox', country: null }
const refused = (work: Promise<unknown>) =>
  work.then(
    () => 'let in',
    (error) => error.code,
  )

describe.each(testDialects)('the guard on %s', (dialect) => {
  const env = virtualEnv()
  let world: TestDatabase
  let gate: Gate
  let people = 0
  beforeAll(async () => {
    world = await testDatabase(dialect)
    gate = { env, db: world.db, url: () => 'https://hub.example' }
  })
  afterAll(() => world.drop())

  async function signedIn(...roles: ('client' | 'host' | 'admin')[]) {
    const user = await addUser(env, world.db, { email: `p${people++}@example.com`, roles })
    const { session, secret } = await openSession(env, world.db, world.db.query, user.id, caller)
    const cookie = cookieFor(gate.url(), secret).split(';')[0]!
    return { user, session, request: new Request('https://hub.example/', { headers: { cookie } }) }
  }

  test('a cookie names its user, a foreign or mistyped one nobody', async () => {
    const { user, request } = await signedIn('client')
    expect((await whoIsSignedIn(gate, request))?.user).toEqual(user)
    const cookie = request.headers.get('cookie')!
    for (const other of [
      '',
      'x=y',
      `${cookie}x`,
      cookie.replace('__Host-gpuhub', 'gpuhub-dev'),
      `${cookie.slice(0, -1)}-`,
    ])
      expect(await whoIsSignedIn(gate, new Request('https://hub.example/', { headers: { cookie: other } }))).toBeNull()
    expect(await refused(requireSignedIn(gate, new Request('https://hub.example/')))).toBe('not_signed_in')
  })

  test('only the hash of what the cookie holds is stored', async () => {
    const { request } = await signedIn('client')
    const rows = await world.db.query.select().from(world.db.tables.sessions)
    expect(JSON.stringify(rows)).not.toContain(request.headers.get('cookie')!.split('=')[1]!)
  })

  test('a role that a user lacks is refused, and one taken away is gone at once', async () => {
    const { user, request } = await signedIn('admin')
    expect((await requireRole(gate, request, 'admin')).user.id).toBe(user.id)
    expect(await refused(requireRole(gate, request, 'host'))).toBe('role_required')
    await setRoles(world.db, user.id, ['client'])
    expect(await refused(requireRole(gate, request, 'admin'))).toBe('role_required')
  })

  test('somebody with several roles chooses; somebody with one wears it', async () => {
    const one = await signedIn('host')
    expect(await whoIsSignedIn(gate, one.request)).toMatchObject({ hat: 'host', choosesHat: false })
    const many = await signedIn('client', 'host')
    expect(await whoIsSignedIn(gate, many.request)).toMatchObject({ hat: 'client', choosesHat: true })
  })

  test('who is suspended is told so, on the next request', async () => {
    const { user, request } = await signedIn('client')
    await suspendUser(env, world.db, user.id)
    expect(await refused(whoIsSignedIn(gate, request))).toBe('account_suspended')
  })

  test.each([
    ['a client', 'client' as const, 13 * 24, 14 * 24],
    ['an admin', 'admin' as const, 23, 24],
  ])('%s who stays away too long is signed out', async (_, role, away, tooLong) => {
    const { request } = await signedIn(role)
    await env.advance(away * HOUR)
    expect(await whoIsSignedIn(gate, request)).not.toBeNull()
    await env.advance(tooLong * HOUR + 1)
    expect(await whoIsSignedIn(gate, request)).toBeNull()
  })

  test('nobody stays signed in for ever', async () => {
    const { request } = await signedIn('client')
    for (let day = 0; day < 60; day++) {
      expect(await whoIsSignedIn(gate, request)).not.toBeNull()
      await env.advance(24 * HOUR)
    }
    await env.advance(1)
    expect(await whoIsSignedIn(gate, request)).toBeNull()
    await sweepSessions(env, world.db)
    expect(await world.db.query.$count(world.db.tables.sessions)).toBe(0)
  })

  test('a user sees their sessions, ends one of them, and nobody else’s', async () => {
    const ada = await signedIn('client')
    const bob = await signedIn('client')
    expect(await listSessions(env, world.db, ada.user)).toEqual([ada.session])
    expect(await endSession(world.db, { id: ada.session.id, userId: bob.user.id })).toBe(false)
    expect(await endSession(world.db, { id: ada.session.id, userId: ada.user.id })).toBe(true)
    expect(await whoIsSignedIn(gate, ada.request)).toBeNull()
    expect(await whoIsSignedIn(gate, bob.request)).not.toBeNull()
  })

  test('signing out everywhere else spares the session in use', async () => {
    const { user, session, request } = await signedIn('client')
    await openSession(env, world.db, world.db.query, user.id, caller)
    await endSessions(world.db, world.db.query, user.id, session.id)
    expect(await listSessions(env, world.db, user)).toHaveLength(1)
    expect(await whoIsSignedIn(gate, request)).not.toBeNull()
  })

  test('a user has at most fifty sessions: the oldest goes', async () => {
    const { user, request } = await signedIn('client')
    for (let i = 0; i < 50; i++) {
      await env.advance(1)
      await openSession(env, world.db, world.db.query, user.id, caller)
    }
    expect(await listSessions(env, world.db, user)).toHaveLength(50)
    expect(await whoIsSignedIn(gate, request)).toBeNull()
  })
})

describe('same origin', () => {
  const ask = (method: string, headers: Record<string, string>, url = 'https://hub.example') => {
    try {
      sameOrigin({ url: () => url }, new Request('https://hub.example/keys', { method, headers }))
      return 'passes'
    } catch (error) {
      return (error as { code: string }).code
    }
  }

  test.each([
    ['our page, by a browser of today', { 'sec-fetch-site': 'same-origin', origin: 'https://hub.example' }, 'passes'],
    ['our page, by an older browser', { origin: 'https://hub.example' }, 'passes'],
    ['nothing said', {}, 'cross_origin'],
    ['another site', { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }, 'cross_origin'],
    ['a sibling subdomain', { 'sec-fetch-site': 'same-site', origin: 'https://blog.hub.example' }, 'cross_origin'],
    ['a sibling subdomain, older browser', { origin: 'https://blog.hub.example' }, 'cross_origin'],
    ['typed by hand', { 'sec-fetch-site': 'none' }, 'cross_origin'],
    [
      'another site that claims to be us',
      { 'sec-fetch-site': 'cross-site', origin: 'https://hub.example' },
      'cross_origin',
    ],
    ['another scheme', { origin: 'http://hub.example', host: 'hub.example' }, 'cross_origin'],
    ['another port', { origin: 'https://hub.example:8443' }, 'cross_origin'],
    ['a longer name', { origin: 'https://hub.example.evil.example' }, 'cross_origin'],
    ['a sandboxed frame', { origin: 'null' }, 'cross_origin'],
    ['a referer only', { referer: 'https://hub.example/keys' }, 'cross_origin'],
    ['htmx’s own header only', { 'hx-request': 'true' }, 'cross_origin'],
  ])('%s', (_, headers, outcome) => {
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) expect(ask(method, headers)).toBe(outcome)
  })

  test('without a public address, the one in use is ours', () => {
    const headers = { origin: 'http://10.0.0.5:8080', host: '10.0.0.5:8080' }
    expect(ask('POST', headers, 'http://127.0.0.1:8080')).toBe('passes')
    expect(ask('POST', { ...headers, host: '10.0.0.6:8080' }, 'http://127.0.0.1:8080')).toBe('cross_origin')
  })

  test('reading needs no evidence', () => {
    for (const method of ['GET', 'HEAD', 'OPTIONS']) expect(ask(method, {})).toBe('passes')
  })
})

test('the cookie is bound to the host and hidden from scripts; without TLS it has another name', () => {
  expect(cookieFor('https://hub.example', 's')).toBe(
    '__Host-gpuhub=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=5184000; Secure',
  )
  expect(cookieFor('http://127.0.0.1:8080', 's')).toBe('gpuhub-dev=s; Path=/; HttpOnly; SameSite=Lax; Max-Age=5184000')
  expect(cookieGone('https://hub.example')).toContain('Max-Age=0')
})
