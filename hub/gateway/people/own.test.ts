import { afterEach, describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../../db/testing.ts'
import { addHostToken, bearersOf } from '../../fleet/token.ts'
import { addKey } from '../../identity/keys.ts'
import { acknowledge } from '../../identity/licences.ts'
import { hashSecret } from '../../identity/secret.ts'
import { findUser, userById } from '../../identity/users.ts'
import { changeSettings } from '../../policy/change.ts'
import { startHub, type TestHub } from '../../testing.ts'
import { Browser, lettersTo, PASSWORD, signedIn, ticketTo } from './testing.ts'

describe.each(testDialects)('one’s own account on %s', (database) => {
  let hub: TestHub
  afterEach(async () => hub?.[Symbol.asyncDispose]())

  const setTerms = async (version: string, demandedFrom: string | null = null) => {
    await changeSettings(hub.env, hub.world.db, 'command line', { clientTerms: { version, demandedFrom } })
    await hub.hub.platform.policy.refresh()
  }

  test('a signed-in browser makes a key, and the key works', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'client')
    const { body: key } = await page.post('/api/v1/keys', { name: 'laptop' })
    const program = new Browser(hub.hub)
    const authorization = `Bearer ${String(key.key)}`
    expect((await program.get('/api/v1/me', { authorization })).body).toMatchObject({ id: page.user.id, keyId: key.id })
    expect((await page.get('/api/v1/me')).body).toMatchObject({ id: page.user.id, keyId: null })
    expect((await page.get('/api/v1/keys')).body.data).toMatchObject([{ id: key.id, name: 'laptop' }])
  })

  test('a text is kept without the characters no database keeps', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'client')
    expect((await page.post('/api/v1/keys', { name: 'na\u0000me' })).body).toMatchObject({ name: 'name' })
    expect((await page.post('/api/v1/keys', { name: 'a\\u0000b' })).body).toMatchObject({ name: 'a\\u0000b' })
    expect(await page.post('/api/v1/keys', { name: '\u0000' })).toMatchObject({ status: 400, code: 'invalid_request' })
  })

  test('a list is read a page at a time', async () => {
    hub = await startHub({ database, credit: { ada: '$1' } })
    const ada = hub.as('ada')
    for (const name of ['b', 'c']) await addKey(hub.env, hub.world.db, { userId: ada.userId, name })
    const first = (await (await ada.fetch('/api/v1/keys?limit=2')).json()) as { data: unknown[]; next: string }
    expect(first.data).toHaveLength(2)
    const rest = (await (await ada.fetch(`/api/v1/keys?limit=2&before=${first.next}`)).json()) as { data: unknown[] }
    expect(rest.data).toHaveLength(1)
    expect((await ada.fetch('/api/v1/keys?limit=many')).status).toBe(400)
    expect((await ada.fetch('/api/v1/keys?limit=201')).status).toBe(400)
  })

  test('a key opens nothing that is for its owner alone', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'client', 'admin')
    const { key } = await addKey(hub.env, hub.world.db, { userId: page.user.id })
    const program = new Browser(hub.hub)
    const authorization = `Bearer ${key}`
    for (const path of ['session', 'sessions', 'me/export', 'admin/settings', 'admin/users'])
      expect((await program.get(`/api/v1/${path}`, { authorization })).code).toBe('not_signed_in')
  })

  describe('newer terms', () => {
    test('stop the API until they are accepted, by key or on a page', async () => {
      hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
      const ada = hub.as('ada')
      expect((await ada.chat('hello')).status).toBe(200)
      await setTerms('2')
      const refused = await ada.chat('hello')
      expect(refused.status).toBe(403)
      expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('terms_not_accepted')
      const accept = (version: string) =>
        ada.fetch('/api/v1/me/terms', { method: 'POST', body: JSON.stringify({ role: 'client', version }) })
      expect((await accept('1')).status).toBe(403)
      expect((await accept('2')).status).toBe(200)
      await hub.env.advance(1_000)
      expect((await ada.chat('hello')).status).toBe(200)
      const { acceptances } = hub.world.db.tables
      expect(await hub.world.db.query.select().from(acceptances)).toMatchObject([
        { userId: ada.userId, role: 'client', version: '2', at: expect.any(Number) },
      ])
    })

    test('stop nothing before the day they are demanded from', async () => {
      hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
      const tomorrow = new Date(hub.env.now() + 24 * 60 * 60_000).toISOString()
      await setTerms('2', tomorrow)
      const ada = hub.as('ada')
      expect((await ada.chat('hello')).status).toBe(200)
      expect(await (await ada.fetch('/api/v1/me/terms')).json()).toEqual({
        data: [{ role: 'client', version: '2', accepted: false, demanded: false }],
      })
      hub.env.jump(24 * 60 * 60_000)
      expect((await ada.chat('hello')).status).toBe(403)
    })

    test('are accepted once: what was accepted when stays', async () => {
      hub = await startHub({ database })
      const page = await signedIn(hub, 'ada@example.com', 'client')
      await setTerms('2')
      for (let i = 0; i < 3; i++) await page.post('/api/v1/me/terms', { role: 'client', version: '2' })
      await setTerms('3')
      await page.post('/api/v1/me/terms', { role: 'client', version: '3' })
      expect((await page.post('/api/v1/me/terms', { role: 'host', version: '1' })).code).toBe('invalid_request')
      const { acceptances } = hub.world.db.tables
      const rows = await hub.world.db.query.select().from(acceptances).orderBy(acceptances.version)
      expect(rows.map(({ version }) => version)).toEqual(['2', '3'])
    })
  })

  test('where hosts are open, a client becomes one and accepts their terms; where not, not', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'client')
    const wish = { role: 'host', terms: { host: '1' } }
    expect((await page.post('/api/v1/me/roles', wish)).code).toBe('sign_up_closed')
    await changeSettings(hub.env, hub.world.db, 'command line', { hostSignUp: 'open' })
    await hub.hub.platform.policy.refresh()
    expect((await page.post('/api/v1/me/roles', wish)).code).toBe('country_not_allowed')
    const { users } = hub.world.db.tables
    await hub.world.db.query.update(users).set({ country: 'US' }).where(eq(users.id, page.user.id))
    expect((await page.post('/api/v1/me/roles', { ...wish, terms: {} })).code).toBe('terms_not_accepted')
    expect((await page.post('/api/v1/me/roles', wish)).body).toEqual({ roles: ['client', 'host'] })
  })

  test('the copy of everything holds what is mine, and nothing of others and no secret', async () => {
    hub = await startHub({ database, credit: { bob: '$1' }, hosts: { berlin: {} } })
    const page = await signedIn(hub, 'ada@example.com', 'client', 'host')
    const { env, world } = hub
    const { id: userId } = page.user
    const { key } = await addKey(env, world.db, { userId, name: 'laptop' })
    const { token } = await addHostToken(env, world.db, { ownerId: userId, name: 'rig' })
    await acknowledge(env, world.db, { userId, model: 'm/x', licence: 'v1', statements: ['yes'] })
    await hub.hub.platform.ledger.credit({
      account: `client:${userId}`,
      amount: 9_007_199_254_740_993n,
      key: 'k',
      note: 'n',
    })
    await hub.as('bob').chat('a secret of Bob’s')
    const answer = await page.get('/api/v1/me/export')
    expect(answer.headers.get('content-disposition')).toContain('attachment')
    const copy = answer.body as Record<string, Record<string, unknown>[]>
    expect(copy.user).toMatchObject({ id: userId, email: 'ada@example.com' })
    expect(copy.keys).toMatchObject([{ name: 'laptop', hint: key.slice(-4) }])
    expect(copy.hostTokens).toMatchObject([{ name: 'rig' }])
    expect(copy.licencesAcknowledged).toMatchObject([{ model: 'm/x' }])
    expect(copy.sessions).toMatchObject([{ agent: 'Test/1' }])
    expect(copy.bookings).toMatchObject([{ account: `client:${userId}`, amount: '9007199254740993' }])
    expect(copy.requests).toEqual([])
    const hash = (await world.db.query.select().from(world.db.tables.logins))[0]?.secret
    // No hash of anything, either.
    expect(answer.text).not.toMatch(/\b[0-9a-f]{64}\b/)
    for (const secret of [key, token, hashSecret(key), hashSecret(token), String(hash), 'bob@example.com'])
      expect(answer.text).not.toContain(secret)
  })

  test('a long copy is whole', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'client')
    const { db } = hub.world
    const rows = Array.from({ length: 1_234 }, (_, at) => ({
      ...{ id: `ack_${String(at).padStart(5, '0')}`, userId: page.user.id, model: `m/${at}`, licence: 'v', at },
      statements: [],
    }))
    await db.query.insert(db.tables.acknowledgements).values(rows)
    const { body } = await page.get('/api/v1/me/export')
    const models = (body.licencesAcknowledged as { model: string }[]).map(({ model }) => model)
    expect(models).toEqual(rows.map(({ model }) => model))
  })

  test('who deletes their account is erased, and the books stay whole', async () => {
    hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const { env, world } = hub
    const page = await signedIn(hub, 'countess@example.com', 'client', 'host')
    const { id: userId } = page.user
    await page.send('PATCH', '/api/v1/session', { name: 'Ada Lovelace' })
    await hub.hub.platform.ledger.credit({ account: `client:${userId}`, amount: 5_000_000_000n, key: 'k', note: 'n' })
    const { key } = await addKey(env, world.db, { userId, name: 'Ada’s laptop' })
    const { token } = await addHostToken(env, world.db, { ownerId: userId, name: 'Ada’s rig' })
    const program = new Browser(hub.hub)
    const authorization = `Bearer ${key}`
    expect((await program.get('/api/v1/me', { authorization })).status).toBe(200)
    await page.post('/api/v1/password/reset', { email: 'countess@example.com' })

    const wish = { email: 'countess@example.com', current: PASSWORD }
    expect((await page.post('/api/v1/me/deletion', { ...wish, email: 'other@example.com' })).code).toBe(
      'invalid_request',
    )
    expect((await page.post('/api/v1/me/deletion', { ...wish, current: 'guess' })).code).toBe('wrong_credentials')
    const phone = page.clone()
    expect((await page.post('/api/v1/me/deletion', wish)).status).toBe(200)

    expect(page.hasSession).toBe(false)
    expect((await phone.get('/api/v1/session')).code).toBe('not_signed_in')
    await env.advance(1_000)
    expect((await program.get('/api/v1/me', { authorization })).status).toBe(401)
    expect(await bearersOf(world.db, [hashSecret(token)])).toEqual(['unknown'])
    expect((await page.post('/api/v1/sign-in', { email: wish.email, password: PASSWORD })).code).toBe(
      'wrong_credentials',
    )
    expect(await findUser(world.db, 'countess@example.com')).toBeNull()
    expect(await userById(world.db, userId)).toMatchObject({ name: null, country: null, erasedAt: expect.any(Number) })
    expect(await everything(hub)).not.toMatch(/countess|Lovelace|Ada’s/)
    // The balance is still in the books, which `asyncDispose` audits.
    expect((await hub.hub.platform.ledger.spendable(`client:${userId}`)).balance).toBe(5_000_000_000n)
  })

  test('an address that was erased may come again, as somebody new', async () => {
    hub = await startHub({ database })
    await changeSettings(hub.env, hub.world.db, 'command line', { clientSignUp: 'open' })
    await hub.hub.platform.policy.refresh()
    const page = await signedIn(hub, 'ada@example.com', 'client')
    await page.post('/api/v1/me/deletion', { email: 'ada@example.com', current: PASSWORD })
    const again = new Browser(hub.hub)
    const wish = { email: 'ada@example.com', password: PASSWORD, country: 'US', terms: { client: '1' } }
    await again.post('/api/v1/sign-up', wish)
    await again.post('/api/v1/sign-up/confirmation', { ticket: await ticketTo(hub, 'ada@example.com') })
    const { body } = await again.get('/api/v1/session')
    expect(body.email).toBe('ada@example.com')
    expect(body.id).not.toBe(page.user.id)
  })

  test('the only admin cannot leave a hub without one', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'admin')
    const wish = { email: 'ada@example.com', current: PASSWORD }
    expect((await page.post('/api/v1/me/deletion', wish)).body).toMatchObject({
      error: { message: expect.stringContaining('only admin') },
    })
    await signedIn(hub, 'bob@example.com', 'admin')
    expect((await page.post('/api/v1/me/deletion', wish)).status).toBe(200)
  })

  test('letters never hold a password', async () => {
    hub = await startHub({ database })
    const page = await signedIn(hub, 'ada@example.com', 'client')
    await page.send('PUT', '/api/v1/me/password', { current: PASSWORD, password: 'another row of words' })
    for (const { text } of await lettersTo(hub, 'ada@example.com')) expect(text).not.toMatch(/another row|four words/)
  })
})

/** All rows of all tables, as text. */
async function everything({ world: { db } }: TestHub): Promise<string> {
  const rows = await Promise.all(Object.values(db.tables).map((table) => db.query.select().from(table)))
  return JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))
}
