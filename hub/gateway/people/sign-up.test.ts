import { afterEach, describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../../db/testing.ts'
import { parseUsd } from '../../../sdk/money.ts'
import { addInvitation, revokeInvitation } from '../../identity/invitations.ts'
import { identityJobs } from '../../identity/open.ts'
import { addUser, findUser } from '../../identity/users.ts'
import { changeSettings } from '../../policy/change.ts'
import { HUB_URL, startHub, type TestHub } from '../../testing.ts'
import { Browser, lettersTo, PASSWORD, ticketTo } from './testing.ts'

const DAY = 24 * 60 * 60_000

describe.each(testDialects)('signing up on %s', (database) => {
  let hub: TestHub
  afterEach(async () => hub?.[Symbol.asyncDispose]())

  async function start(settings: Record<string, unknown> = {}) {
    hub = await startHub({ database })
    await changeSettings(hub.env, hub.world.db, 'command line', settings)
    await hub.hub.platform.policy.refresh()
    return hub
  }
  const browser = () => new Browser(hub.hub)
  const ada = (more: object = {}) => ({
    email: 'ada@example.com',
    password: PASSWORD,
    country: 'US',
    terms: { client: '1', host: '1' },
    ...more,
  })
  async function invite(wish: { email?: string; roles?: ('client' | 'host')[]; credit?: string } = {}) {
    const { invitation, link } = await addInvitation(
      { env: hub.env, db: hub.world.db, url: HUB_URL, sends: false },
      'command line',
      { email: wish.email, roles: wish.roles ?? ['client'], credit: parseUsd(wish.credit ?? '5.00') },
    )
    return { id: invitation.id, secret: link.split('invitation=')[1]! }
  }
  const creditOf = async (email: string) => {
    const user = await findUser(hub.world.db, email)
    return (await hub.hub.platform.ledger.spendable(`client:${user?.id}`)).balance
  }
  const rows = (table: 'users' | 'logins' | 'sessions' | 'gifts' | 'acceptances') =>
    hub.world.db.query.$count(hub.world.db.tables[table])

  test('an invitation made for an address lets its owner in at once, with credit', async () => {
    await start()
    const { secret } = await invite({ email: 'ada@example.com', credit: '7.50' })
    const page = browser()
    expect((await page.post('/api/v1/invitations/opening', { invitation: secret })).body).toMatchObject({
      email: 'ada@example.com',
      roles: ['client'],
      credit: '7.50',
    })
    expect((await page.post('/api/v1/sign-up', ada({ invitation: secret }))).body).toEqual({ next: 'done' })
    const { body: me } = await page.get('/api/v1/session')
    expect(me).toMatchObject({
      email: 'ada@example.com',
      roles: ['client'],
      country: 'US',
      terms: [{ role: 'client', version: '1', accepted: true, demanded: false }],
      waysIn: { password: true, github: false, google: false },
    })
    expect(await creditOf('ada@example.com')).toBe(parseUsd('7.50'))
  })

  test('where sign-up is open, a letter confirms the address, and then there are account, credit and session', async () => {
    await start({ clientSignUp: 'open', trialCredit: '2.00' })
    const page = browser()
    expect((await page.post('/api/v1/sign-up', ada())).body).toEqual({ next: 'confirm' })
    expect(await rows('users')).toBe(0)
    const ticket = await ticketTo(hub, 'ada@example.com')
    expect((await page.post('/api/v1/sign-up/confirmation', { ticket })).status).toBe(200)
    expect((await page.get('/api/v1/session')).body.email).toBe('ada@example.com')
    expect(await creditOf('ada@example.com')).toBe(parseUsd('2.00'))
    expect(await rows('acceptances')).toBe(1)
  })

  test('a confirmation works once, for a day', async () => {
    await start({ clientSignUp: 'open' })
    const page = browser()
    await page.post('/api/v1/sign-up', ada())
    const ticket = await ticketTo(hub, 'ada@example.com')
    await page.post('/api/v1/sign-up/confirmation', { ticket })
    expect((await page.post('/api/v1/sign-up/confirmation', { ticket })).code).toBe('link_not_valid')
    await page.post('/api/v1/sign-up', ada({ email: 'bob@example.com' }))
    const late = await ticketTo(hub, 'bob@example.com')
    hub.env.jump(DAY)
    expect((await page.post('/api/v1/sign-up/confirmation', { ticket: late })).code).toBe('link_not_valid')
    expect(await rows('users')).toBe(1)
  })

  test('in another browser the link asks for the password, so nobody opens an account for a stranger', async () => {
    await start({ clientSignUp: 'open' })
    await browser().post('/api/v1/sign-up', ada({ password: 'what the stranger chose' }))
    const ticket = await ticketTo(hub, 'ada@example.com')
    const phone = browser()
    expect((await phone.post('/api/v1/sign-up/confirmation', { ticket })).code).toBe('wrong_credentials')
    const guess = { ticket, password: PASSWORD }
    expect((await phone.post('/api/v1/sign-up/confirmation', guess)).code).toBe('wrong_credentials')
    expect(await rows('users')).toBe(0)
    const known = { ticket, password: 'what the stranger chose' }
    expect((await phone.post('/api/v1/sign-up/confirmation', known)).status).toBe(200)
  })

  test('an address that has an account gets the same answer; its owner gets a letter', async () => {
    await start({ clientSignUp: 'open' })
    await addUser(hub.env, hub.world.db, { email: 'ada@example.com', roles: ['client'] })
    const known = await browser().post('/api/v1/sign-up', ada())
    const unknown = await browser().post('/api/v1/sign-up', ada({ email: 'eve@example.com' }))
    expect([known.status, known.body]).toEqual([unknown.status, unknown.body])
    expect(await lettersTo(hub, 'ada@example.com')).toMatchObject([{ kind: 'already-here' }])
    expect(await rows('logins')).toBe(0)
  })

  test('two who come with one invitation: one gets in', async () => {
    await start()
    const { secret } = await invite()
    const names = ['ada@example.com', 'bob@example.com', 'eve@example.com']
    const pages = names.map(() => browser())
    await Promise.all(
      pages.map((page, at) => page.post('/api/v1/sign-up', ada({ email: names[at], invitation: secret }))),
    )
    const tickets = await Promise.all(names.map((email) => ticketTo(hub, email)))
    const outcomes = await Promise.all(
      pages.map(
        async (page, at) => (await page.post('/api/v1/sign-up/confirmation', { ticket: tickets[at] })).code ?? 'in',
      ),
    )
    expect(outcomes.toSorted()).toEqual(['in', 'invitation_not_valid', 'invitation_not_valid'])
    expect([await rows('users'), await rows('logins'), await rows('sessions'), await rows('gifts')]).toEqual([
      1, 1, 1, 1,
    ])
  })

  test('two who come with one invitation for one address: one account', async () => {
    await start()
    const { secret } = await invite({ email: 'ada@example.com' })
    const pages = [browser(), browser(), browser()]
    const answers = await Promise.all(pages.map((page) => page.post('/api/v1/sign-up', ada({ invitation: secret }))))
    expect(answers.filter(({ body }) => body.next === 'done')).toHaveLength(1)
    expect([await rows('users'), await rows('logins'), await rows('gifts')]).toEqual([1, 1, 1])
    expect(await creditOf('ada@example.com')).toBe(parseUsd('5.00'))
  })

  test('wrong, used, old, revoked and foreign invitations are told apart by nobody', async () => {
    await start()
    const used = await invite({ email: 'used@example.com' })
    await browser().post('/api/v1/sign-up', ada({ email: 'used@example.com', invitation: used.secret }))
    const revoked = await invite()
    await revokeInvitation(hub.env, hub.world.db, 'command line', revoked.id)
    const old = await invite()
    hub.env.jump(14 * DAY)
    const bad = ['', 'ghi_nonsense', used.secret, revoked.secret, old.secret, `${old.secret.slice(0, -1)}x`]
    const answers = await Promise.all(
      bad
        .slice(1)
        .map(async (invitation) => (await browser().post('/api/v1/invitations/opening', { invitation })).text),
    )
    const told = answers.map((text) => text.replace(/"request_id":"\w+"/, ''))
    expect(new Set(told).size).toBe(1)
    expect(told[0]).toContain('invitation_not_valid')
    const foreign = await invite({ email: 'bob@example.com' })
    expect((await browser().post('/api/v1/sign-up', ada({ invitation: foreign.secret }))).code).toBe(
      'invitation_not_valid',
    )
    expect(await rows('users')).toBe(1)
  })

  test.each([
    ['nobody invited them', {}, 'sign_up_closed'],
    ['they live elsewhere', { country: 'DE' }, 'country_not_allowed'],
    ['they said yes to other terms', { terms: { client: '0' } }, 'terms_not_accepted'],
    ['they said yes to no terms', { terms: {} }, 'terms_not_accepted'],
    ['the password is short', { password: 'short' }, 'invalid_request'],
    ['the password is the first that comes to mind', { password: 'password1234' }, 'invalid_request'],
    ['the password is their address', { password: 'ada@example.com' }, 'invalid_request'],
    ['the password is a run', { password: '1234567890' }, 'invalid_request'],
    ['the address is none', { email: 'ada' }, 'invalid_request'],
    ['the country is none', { country: 'U1' }, 'invalid_request'],
  ])('nobody gets in when %s', async (_, more, code) => {
    await start(code === 'sign_up_closed' ? {} : { clientSignUp: 'open' })
    const answer = await browser().post('/api/v1/sign-up', ada(more))
    expect(answer.code).toBe(code)
    expect(answer.text).not.toContain('password1234')
    expect(await lettersTo(hub, 'ada@example.com')).toEqual([])
  })

  test('a country that a proxy of ours names must be allowed, too', async () => {
    hub = await startHub({ database, config: { countryHeader: 'cf-ipcountry' } })
    await changeSettings(hub.env, hub.world.db, 'command line', { clientSignUp: 'open' })
    await hub.hub.platform.policy.refresh()
    const behind = new Browser(hub.hub, { address: '127.0.0.1' })
    const from = (country: string) => ({ 'cf-ipcountry': country, 'x-forwarded-for': '198.51.100.9' })
    expect((await behind.post('/api/v1/sign-up', ada(), from('DE'))).code).toBe('country_not_allowed')
    expect((await behind.post('/api/v1/sign-up', ada(), from('US'))).status).toBe(200)
  })

  test('a client who is invited to be a host becomes both, and is asked for the host’s terms', async () => {
    await start()
    const first = await invite({ email: 'ada@example.com' })
    const page = browser()
    await page.post('/api/v1/sign-up', ada({ invitation: first.secret }))
    const second = await invite({ email: 'ada@example.com', roles: ['host'], credit: '1.00' })
    expect((await page.post('/api/v1/me/invitation', { invitation: second.secret })).body).toEqual({
      roles: ['client', 'host'],
    })
    expect((await page.post('/api/v1/me/invitation', { invitation: second.secret })).code).toBe('invitation_not_valid')
    const { body: me } = await page.get('/api/v1/session')
    expect(me.choosesHat).toBe(true)
    expect(me.terms).toMatchObject([
      { role: 'client', accepted: true },
      { role: 'host', accepted: false, demanded: true },
    ])
    expect(await creditOf('ada@example.com')).toBe(parseUsd('6.00'))
  })

  test('a hub that dies between the account and its credit gives the credit later, once', async () => {
    await start()
    const { secret } = await invite({ email: 'ada@example.com' })
    const { identity } = hub.hub.platform
    const { credit } = identity
    identity.credit = () => Promise.reject(new Error('the ledger is away'))
    expect((await browser().post('/api/v1/sign-up', ada({ invitation: secret }))).status).toBe(200)
    expect(await creditOf('ada@example.com')).toBe(0n)
    identity.credit = credit
    const [job] = identityJobs(identity)
    // As on several hubs at once.
    await Promise.all([job?.run(), job?.run(), job?.run()])
    await job?.run()
    expect(await creditOf('ada@example.com')).toBe(parseUsd('5.00'))
  })

  test('too many tries from one address are refused, and from another not', async () => {
    await start({ clientSignUp: 'open' })
    const page = browser()
    for (let i = 0; i < 10; i++) await page.post('/api/v1/sign-up', ada({ country: 'DE' }))
    const refused = await page.post('/api/v1/sign-up', ada())
    expect([refused.status, refused.code]).toEqual([429, 'rate_limit_exceeded'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await browser().post('/api/v1/sign-up', ada())).status).toBe(200)
  })

  test('nobody fills a stranger’s letter box', async () => {
    await start({ clientSignUp: 'open' })
    for (let i = 0; i < 10; i++) await browser().post('/api/v1/sign-up', ada())
    expect(await lettersTo(hub, 'ada@example.com')).toHaveLength(3)
  })

  test('an address that is known is marked by no row that a stranger could make', async () => {
    await start({ clientSignUp: 'open' })
    await browser().post('/api/v1/sign-up', ada())
    const { tickets } = hub.world.db.tables
    const [ticket] = await hub.world.db.query.select().from(tickets).where(eq(tickets.purpose, 'sign-up'))
    expect(JSON.stringify(ticket)).not.toContain(PASSWORD)
  })
})
