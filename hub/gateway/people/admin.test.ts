import { afterEach, describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../../db/testing.ts'
import { firstAdminPath } from '../../identity/first-admin.ts'
import { addKey } from '../../identity/keys.ts'
import { startHub, type TestHub } from '../../testing.ts'
import { Browser, lettersTo, PASSWORD, signedIn, ticketTo } from './testing.ts'

describe.each(testDialects)('admins on %s', (database) => {
  let hub: TestHub
  let admin: Awaited<ReturnType<typeof signedIn>>
  afterEach(async () => hub?.[Symbol.asyncDispose]())

  async function start() {
    hub = await startHub({ database })
    admin = await signedIn(hub, 'root@example.com', 'admin')
  }
  const acts = async () => {
    const { data } = (await admin.get('/api/v1/admin/acts')).body as { data: { what: string; subject: string }[] }
    return data.map(({ what, subject }) => `${what} ${subject}`)
  }

  test('the first start of a fresh hub makes one admin, once', async () => {
    hub = await startHub({ database })
    const { env, world } = hub
    const early = await firstAdminPath(env, world.db)
    const path = await firstAdminPath(env, world.db)
    const ticketOf = (text: string | null) => text?.split('ticket=')[1]
    const become = (ticket: string | undefined, email: string) =>
      new Browser(hub.hub).post('/api/v1/first-admin', { ticket, email, password: PASSWORD })
    // Each start prints another link, and ends the one before.
    expect((await become(ticketOf(early), 'eve@example.com')).code).toBe('link_not_valid')
    const ticket = ticketOf(path)
    const both = await Promise.all([become(ticket, 'ada@example.com'), become(ticket, 'bob@example.com')])
    expect(both.map(({ code }) => code ?? 'in').toSorted()).toEqual(['in', 'link_not_valid'])
    expect(await firstAdminPath(env, world.db)).toBeNull()
    expect(await world.db.query.$count(world.db.tables.users)).toBe(1)
  })

  test('who became the first admin is signed in, may everything, and may use the API', async () => {
    hub = await startHub({ database })
    const ticket = (await firstAdminPath(hub.env, hub.world.db))?.split('ticket=')[1]
    const page = new Browser(hub.hub)
    await page.post('/api/v1/first-admin', { ticket, email: 'ada@example.com', password: PASSWORD })
    expect((await page.get('/api/v1/admin/settings')).status).toBe(200)
    expect((await page.get('/api/v1/session')).body).toMatchObject({ roles: ['admin', 'client'], choosesHat: true })
    expect((await page.get('/api/v1/admin/acts')).body).toMatchObject({ data: [{ what: 'admin.first' }] })
  })

  test('an admin invites, the invited signs up, and both are on record without an address', async () => {
    await start()
    const { body } = await admin.post('/api/v1/admin/invitations', { email: 'ada@example.com', roles: ['client'] })
    expect(body).toMatchObject({ email: 'ada@example.com', state: 'open', credit: '5.00', usedBy: null })
    expect(await lettersTo(hub, 'ada@example.com')).toMatchObject([{ kind: 'invitation' }])
    const invitation = await ticketTo(hub, 'ada@example.com')
    expect(String(body.link)).toContain(invitation)
    const page = new Browser(hub.hub)
    const wish = { email: 'ada@example.com', password: PASSWORD, country: 'US', terms: { client: '1' }, invitation }
    await page.post('/api/v1/sign-up', wish)
    const { id } = (await page.get('/api/v1/session')).body
    const { data } = (await admin.get('/api/v1/admin/invitations')).body as { data: object[] }
    expect(data).toMatchObject([{ id: body.id, state: 'used', usedBy: id }])
    expect(JSON.stringify(data)).not.toContain(invitation)
    const written = (await admin.get('/api/v1/admin/acts')).text
    expect(written).toContain('invitation.add')
    expect(written).not.toContain('example.com')
  })

  test('an invitation is revoked once, and then lets nobody in', async () => {
    await start()
    const { body } = await admin.post('/api/v1/admin/invitations', { roles: ['host'] })
    expect(body.credit).toBe('0.00')
    expect((await admin.send('DELETE', `/api/v1/admin/invitations/${String(body.id)}`)).status).toBe(200)
    expect((await admin.send('DELETE', `/api/v1/admin/invitations/${String(body.id)}`)).status).toBe(404)
    const invitation = String(body.link).split('invitation=')[1]
    expect((await new Browser(hub.hub).post('/api/v1/invitations/opening', { invitation })).code).toBe(
      'invitation_not_valid',
    )
    expect(await acts()).toEqual([`invitation.revoke ${String(body.id)}`, `invitation.add ${String(body.id)}`])
  })

  test('suspending ends sessions and keys within a second, and can be taken back', async () => {
    await start()
    const ada = await signedIn(hub, 'ada@example.com', 'client')
    const { key } = await addKey(hub.env, hub.world.db, { userId: ada.user.id })
    const program = new Browser(hub.hub)
    const authorization = `Bearer ${key}`
    expect((await program.get('/api/v1/me', { authorization })).status).toBe(200)
    const path = `/api/v1/admin/users/${ada.user.id}/suspension`
    expect((await admin.post(path, {})).code).toBe('invalid_request')
    expect((await admin.post(path, { reason: '  ' })).body).toMatchObject({ error: { param: 'reason' } })
    expect((await ada.get('/api/v1/session')).status).toBe(200)
    const reason = 'your key sent spam'
    await admin.post(path, { reason })
    await admin.post(path, { reason: 'another' })
    await hub.env.advance(1_000)
    for (const refused of [
      await ada.get('/api/v1/session'),
      await program.get('/api/v1/me', { authorization }),
      await program.post('/v1/chat/completions', {}, { authorization }),
    ])
      expect([refused.code, refused.text]).toEqual(['account_suspended', expect.stringContaining(`“${reason}”`)])
    const [act] = (await admin.get('/api/v1/admin/acts')).body.data as object[]
    expect(act).toMatchObject({ what: 'user.suspend', before: null, after: reason })
    expect((await admin.get(`/api/v1/admin/users/${ada.user.id}`)).body).toMatchObject({ suspendedFor: reason })
    await admin.send('DELETE', path)
    expect((await ada.get('/api/v1/session')).status).toBe(200)
    expect(await acts()).toEqual([`user.reinstate ${ada.user.id}`, `user.suspend ${ada.user.id}`])
    expect((await admin.post(`/api/v1/admin/users/${admin.user.id}/suspension`, { reason })).body).toMatchObject({
      error: { code: 'invalid_request', param: null },
    })
    expect((await admin.post('/api/v1/admin/users/usr_nobody/suspension', { reason })).status).toBe(404)
  })

  test('roles change what somebody may, at once and on record', async () => {
    await start()
    const ada = await signedIn(hub, 'ada@example.com', 'client')
    const path = (id: string) => `/api/v1/admin/users/${id}/roles`
    await admin.send('PUT', path(ada.user.id), { roles: ['client', 'admin'] })
    // What one may changes only with a new session.
    expect((await ada.get('/api/v1/session')).code).toBe('not_signed_in')
    await ada.post('/api/v1/sign-in', { email: 'ada@example.com', password: PASSWORD })
    expect((await ada.get('/api/v1/admin/settings')).status).toBe(200)
    expect((await admin.send('PUT', path(admin.user.id), { roles: ['client'] })).code).toBe('invalid_request')
    const { data } = (await admin.get('/api/v1/admin/acts')).body as { data: object[] }
    expect(data).toMatchObject([{ what: 'user.roles', before: ['client'], after: ['client', 'admin'] }])
  })

  test('credit is given once for a key, and is on record', async () => {
    await start()
    const ada = await signedIn(hub, 'ada@example.com', 'client')
    const path = `/api/v1/admin/users/${ada.user.id}/credit`
    const gift = { amount: '2.50', note: 'sorry', key: 'ticket-4711' }
    const given = await Promise.all([admin.post(path, gift), admin.post(path, gift), admin.post(path, gift)])
    expect(given.map(({ body }) => body.first).filter(Boolean)).toHaveLength(1)
    expect((await ada.get('/api/v1/balance')).body.balance).toBe('2.50')
    await admin.post(path, { ...gift, key: 'ticket-4712' })
    expect((await ada.get('/api/v1/balance')).body.balance).toBe('5.00')
    expect(await acts()).toHaveLength(2)
    expect((await admin.post(path, { ...gift, amount: '0.00' })).code).toBe('invalid_request')
    expect((await admin.post(path, { ...gift, amount: '100000.01' })).code).toBe('invalid_request')
  })

  test('people are found by part of an address, role and state, a page at a time', async () => {
    await start()
    for (const name of ['ada', 'adam', 'eve_1', 'eve%2']) {
      hub.env.jump(1)
      await signedIn(hub, `${name}@example.com`, name === 'adam' ? 'host' : 'client')
    }
    const found = async (query: string) => {
      const { body } = await admin.get(`/api/v1/admin/users?${query}`)
      return (body.data as { email: string }[]).map(({ email }) => email.split('@')[0])
    }
    expect(await found('search=ADA')).toEqual(['ada', 'adam'])
    expect(await found('search=eve_')).toEqual(['eve_1'])
    expect(await found('search=%25')).toEqual(['eve%2'])
    const { db } = hub.world
    const { users } = db.tables
    await db.query.update(users).set({ name: 'Åsa Öberg' }).where(eq(users.email, 'ada@example.com'))
    for (const typed of ['Åsa Öberg', 'BERG'])
      expect(await found(`search=${encodeURIComponent(typed)}`)).toEqual(['ada'])
    expect(await found('role=host')).toEqual(['adam'])
    const [adam] = (await admin.get('/api/v1/admin/users?search=adam')).body.data as { id: string }[]
    await admin.post(`/api/v1/admin/users/${adam?.id}/suspension`, { reason: 'spam' })
    expect(await found('state=suspended')).toEqual(['adam'])
    const first = (await admin.get('/api/v1/admin/users?limit=3')).body as { data: { email: string }[]; next: string }
    expect(first.data.map(({ email }) => email.split('@')[0])).toEqual(['root', 'ada', 'adam'])
    expect(await found(`limit=3&before=${first.next}`)).toEqual(['eve_1', 'eve%2'])
  })

  test('a setting changed on the page counts at once', async () => {
    await start()
    const wrong = await admin.send('PATCH', '/api/v1/admin/settings', { clientSignUp: 'perhaps' })
    expect(wrong.body).toMatchObject({ error: { code: 'invalid_request', param: 'clientSignUp' } })
    await admin.send('PATCH', '/api/v1/admin/settings', { clientSignUp: 'open', trialCredit: '1.00' })
    const page = new Browser(hub.hub)
    const wish = { email: 'ada@example.com', password: PASSWORD, country: 'US', terms: { client: '1' } }
    expect((await page.post('/api/v1/sign-up', wish)).body.next).toBe('confirm')
    const { data } = (await admin.get('/api/v1/admin/settings')).body as { data: { name: string; value: unknown }[] }
    expect(data.find(({ name }) => name === 'trialCredit')).toMatchObject({ value: '1.00', fallback: '5.00' })
  })

  test('without a mail server letters are read on the admin’s page', async () => {
    await start()
    await signedIn(hub, 'ada@example.com', 'client')
    await new Browser(hub.hub).post('/api/v1/password/reset', { email: 'ada@example.com' })
    const { data } = (await admin.get('/api/v1/admin/mails')).body as { data: { text: string }[] }
    expect(data).toMatchObject([{ kind: 'reset-password', recipient: 'ada@example.com', state: 'not sent' }])
    expect(data[0]?.text).toContain(await ticketTo(hub, 'ada@example.com'))
  })

  test('an admin helps somebody whom no letter reaches, on record', async () => {
    await start()
    const ada = await signedIn(hub, 'ada@example.com', 'client')
    const { body } = await admin.post(`/api/v1/admin/users/${ada.user.id}/reset-link`)
    const ticket = String(body.link).split('ticket=')[1]
    expect((await new Browser(hub.hub).post('/api/v1/password', { ticket, password: 'brand new words' })).status).toBe(
      200,
    )
    expect(await acts()).toEqual([`user.reset-link ${ada.user.id}`])
  })
})
