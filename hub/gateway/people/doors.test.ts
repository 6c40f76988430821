// What must hold for every address for people, taken from the table of routes itself: a new one is tested unasked.
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { startHub, type TestHub } from '../../testing.ts'
import { peopleApi } from '../people.ts'
import { Browser, signedIn } from './testing.ts'

/** Machines have no cookies, and so nothing that a foreign page could use. */
const FOR_MACHINES = ['/api/v1/device/authorization', '/api/v1/device/token']
/** Anybody may come here. */
const FOR_STRANGERS = [
  ...['sign-up', 'sign-up/confirmation', 'sign-up/with', 'sign-in', 'sign-in/code', 'sign-out', 'sign-in/:provider'],
  ...['sign-in/:provider/callback', 'password/reset', 'password', 'first-admin', 'invitations/opening', 'terms'],
  ...['me/email/confirmation'],
].map((path) => `/api/v1/${path}`)

let hub: TestHub
let client: Awaited<ReturnType<typeof signedIn>>
let routes: { method: string; path: string; at: string }[]
beforeAll(async () => {
  hub = await startHub()
  client = await signedIn(hub, 'ada@example.com', 'client')
  routes = peopleApi(hub.hub.platform)
    .routes.filter(({ method, path }) => method !== 'OPTIONS' && !FOR_MACHINES.includes(path))
    .map(({ method, path }) => ({ method, path, at: path.replace(':provider', 'github').replace(':id', 'usr_other') }))
})
afterAll(() => hub[Symbol.asyncDispose]())

test('there are many', () => {
  expect(routes.length).toBeGreaterThan(40)
})

describe('every change of state is refused to', () => {
  const refusedTo = (headers: Record<string, string>) => async () => {
    const wrong: string[] = []
    for (const { method, at } of routes) {
      if (method === 'GET') continue
      const { status, code } = await client.send(method, at, {}, { 'sec-fetch-site': '', ...headers })
      if (status !== 403 || code !== 'cross_origin') wrong.push(`${method} ${at} answered ${status} ${code}`)
    }
    expect(wrong).toEqual([])
    expect((await client.get('/api/v1/session')).status).toBe(200)
  }
  test('a foreign site', refusedTo({ 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' }))
  test('a sibling of our domain', refusedTo({ 'sec-fetch-site': 'same-site', origin: 'http://evil.hub.test' }))
  test('a browser that only names a foreign origin', refusedTo({ origin: 'https://evil.example' }))
  test('who shows no evidence at all', refusedTo({}))
  test('a form of a foreign site', refusedTo({ 'content-type': 'text/plain', origin: 'null' }))
})

test('every address but those for strangers asks who it is', async () => {
  const wrong: string[] = []
  for (const { method, path, at } of routes) {
    if (FOR_STRANGERS.includes(path)) continue
    const { status } = await new Browser(hub.hub).send(method, at, method === 'GET' ? undefined : bodies(path))
    if (status !== 401) wrong.push(`${method} ${path} answered ${status}`)
  }
  expect(wrong).toEqual([])
})

test('every address of admins refuses who is none', async () => {
  const wrong: string[] = []
  for (const { method, path, at } of routes) {
    if (!path.startsWith('/api/v1/admin/')) continue
    const { code } = await client.send(method, at, method === 'GET' ? undefined : bodies(path))
    if (code !== 'role_required') wrong.push(`${method} ${path} answered ${code}`)
  }
  expect(wrong).toEqual([])
})

test('no foreign page may read an answer', async () => {
  const { headers } = await client.get('/api/v1/session', { origin: 'https://evil.example' })
  expect(headers.get('access-control-allow-origin')).toBeNull()
  expect(headers.get('cache-control')).toBe('no-store')
})

test('bodies have a limit, a form and a type', async () => {
  const send = (body: string, type = 'application/json') =>
    hub.hub.fetch(
      new Request('http://hub.test/api/v1/sign-in', {
        method: 'POST',
        body,
        headers: { 'content-type': type, 'sec-fetch-site': 'same-origin' },
      }),
      { timeout() {} } as unknown as Parameters<typeof hub.hub.fetch>[1],
    )
  expect((await send('x'.repeat(70_000)))?.status).toBe(413)
  expect((await send('{'))?.status).toBe(400)
  expect((await send('{}', 'text/plain'))?.status).toBe(415)
  expect((await send('{}'))?.status).toBe(400)
  expect(
    (await send('email=ada%40example.com&password=wrong+password', 'application/x-www-form-urlencoded'))?.status,
  ).toBe(401)
})

test('a refusal repeats nothing that was sent', async () => {
  const { text } = await client.post('/api/v1/sign-up', { email: 5, password: 'hunter2 hunter2', country: 'hunter2' })
  expect(text).not.toContain('hunter2')
})

test('every address is described', async () => {
  const { body } = await client.get('/openapi.json')
  const described = Object.keys(body.paths as object)
  const missing = routes.map(({ path }) => path.replace(/:(\w+)/g, '{$1}')).filter((path) => !described.includes(path))
  expect(missing).toEqual([])
  const { paths } = body as { paths: Record<string, Record<string, { security?: object[] }>> }
  expect(paths['/api/v1/session']?.get?.security).toEqual([{ session: [] }])
  expect(paths['/api/v1/admin/users/{id}/credit']?.post?.security).toEqual([{ session: [] }])
  expect(paths['/api/v1/device/token']?.post?.security).toEqual([])
})

/** What passes the schema, so that it is the door that refuses. */
function bodies(path: string): object {
  const rows: Record<string, object> = {
    'me/password': { password: 'x' },
    'me/email': { email: 'x' },
    'me/second-factor/confirmation': { code: '1' },
    'me/invitation': { invitation: 'x' },
    'me/roles': { role: 'host', terms: {} },
    'me/terms': { role: 'client', version: '1' },
    'me/deletion': { email: 'x' },
    'device/lookup': { code: 'x' },
    'admin/users/:id/suspension': { reason: 'x' },
    'admin/users/:id/roles': { roles: ['client'] },
    'admin/users/:id/credit': { amount: '1.00', note: 'x', key: 'xxxxxxxx' },
    'admin/invitations': { roles: ['client'] },
  }
  return rows[path.replace('/api/v1/', '')] ?? {}
}
