import { afterEach, describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../../db/testing.ts'
import { Seal } from '../../identity/seal.ts'
import { codeAt, stepAt } from '../../identity/totp.ts'
import { setRoles, suspendUser } from '../../identity/testing.ts'
import { addUser, type User } from '../../identity/users.ts'
import { startHub, type TestHub } from '../../testing.ts'
import { Browser, lettersTo, PASSWORD, person, signedIn as signedInAs, ticketTo } from './testing.ts'

const OTHER = 'five words in a long row'
const HOUR = 60 * 60_000
const STEP = 30_000

describe.each(testDialects)('signing in on %s', (database) => {
  let hub: TestHub
  let ada: User
  afterEach(async () => hub?.[Symbol.asyncDispose]())

  /** Ada has an account and a password. */
  async function start() {
    hub = await startHub({ database })
    ada = await person(hub, 'ada@example.com', 'client')
  }
  const browser = () => new Browser(hub.hub)
  const signIn = async (page: Browser, email = 'ada@example.com', password = PASSWORD) =>
    page.post('/api/v1/sign-in', { email, password })
  async function signedIn(email = 'ada@example.com', password = PASSWORD) {
    const page = browser()
    expect((await signIn(page, email, password)).body).toEqual({ next: 'done', ticket: null })
    return page
  }
  const isSignedIn = async (page: Browser) => (await page.get('/api/v1/session')).status === 200
  const same = ({ status, text }: { status: number; text: string }) => [status, text.replace(/req_\w+/g, '')]

  test('the password lets in, however the address is written', async () => {
    await start()
    const page = await signedIn(' ADA@Example.com ')
    expect((await page.get('/api/v1/session')).body).toMatchObject({ id: ada.id, hat: 'client', secondFactor: false })
  })

  test('an unknown address, a wrong password and an account without one get one answer', async () => {
    await start()
    await addUser(hub.env, hub.world.db, { email: 'bob@example.com', roles: ['client'] })
    const answers = [
      await signIn(browser(), 'ada@example.com', 'not the password'),
      await signIn(browser(), 'nobody@example.com'),
      await signIn(browser(), 'bob@example.com', ''),
      await signIn(browser(), 'no address at all'),
    ].map(same)
    const [first = []] = answers
    expect(first[0]).toBe(401)
    for (const answer of answers) expect(answer).toEqual(first)
  })

  test('signing out ends the session, not only the cookie', async () => {
    await start()
    const page = await signedIn()
    const thief = page.clone()
    await page.post('/api/v1/sign-out')
    expect(page.hasSession).toBe(false)
    expect(await isSignedIn(thief)).toBe(false)
  })

  test('who is suspended is told so, and only after the right password', async () => {
    await start()
    const page = await signedIn()
    await suspendUser(hub.env, hub.world.db, ada.id, 'spam by night')
    for (const { code, text } of [await page.get('/api/v1/session'), await signIn(browser())])
      expect([code, text]).toEqual(['account_suspended', expect.stringContaining('“spam by night”')])
    const strangers = await signIn(browser(), 'ada@example.com', 'wrong password')
    expect(same(strangers)).toEqual(same(await signIn(browser(), 'nobody@example.com', 'wrong password')))
    expect(strangers.code).toBe('wrong_credentials')
  })

  test('an account takes ten guesses from all the world, and then no more', async () => {
    await start()
    for (let i = 0; i < 10; i++) await signIn(browser(), 'ada@example.com', `guess number ${i}`)
    expect((await signIn(browser())).code).toBe('rate_limit_exceeded')
    expect((await signIn(browser(), ' Ada@example.com')).code).toBe('rate_limit_exceeded')
  })

  test('sessions are listed, and ended by their owner alone', async () => {
    await start()
    await person(hub, 'eve@example.com', 'client')
    const [laptop, phone, eve] = [await signedIn(), await signedIn(), await signedIn('eve@example.com')]
    const { data } = (await laptop.get('/api/v1/sessions')).body as { data: { id: string; current: boolean }[] }
    expect(data.map(({ current }) => current)).toEqual([false, true])
    expect(data[0]).toMatchObject({ address: phone.address, agent: 'Test/1' })
    expect((await eve.send('DELETE', `/api/v1/sessions/${data[0]?.id}`)).status).toBe(404)
    expect(await isSignedIn(phone)).toBe(true)
    expect((await laptop.send('DELETE', `/api/v1/sessions/${data[0]?.id}`)).status).toBe(200)
    expect([await isSignedIn(phone), await isSignedIn(laptop)]).toEqual([false, true])
  })

  test('a new password by letter signs everybody out, and the old one is over', async () => {
    await start()
    const page = await signedIn()
    const asked = await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
    const unknown = await browser().post('/api/v1/password/reset', { email: 'nobody@example.com' })
    expect(same(asked)).toEqual(same(unknown))
    expect(await lettersTo(hub, 'nobody@example.com')).toEqual([])
    const ticket = await ticketTo(hub, 'ada@example.com')
    expect((await browser().post('/api/v1/password', { ticket, password: 'short' })).code).toBe('invalid_request')
    expect((await browser().post('/api/v1/password', { ticket, password: OTHER })).status).toBe(200)
    expect(await isSignedIn(page)).toBe(false)
    expect((await signIn(browser())).code).toBe('wrong_credentials')
    await signedIn('ada@example.com', OTHER)
    expect((await browser().post('/api/v1/password', { ticket, password: PASSWORD })).code).toBe('link_not_valid')
    expect((await lettersTo(hub, 'ada@example.com'))[0]?.kind).toBe('password-changed')
  })

  test('a link for a new password is good for an hour, and its forerunners end with it', async () => {
    await start()
    await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
    const first = await ticketTo(hub, 'ada@example.com')
    hub.env.jump(1)
    await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
    const second = await ticketTo(hub, 'ada@example.com')
    expect(second).not.toBe(first)
    await browser().post('/api/v1/password', { ticket: second, password: OTHER })
    expect((await browser().post('/api/v1/password', { ticket: first, password: PASSWORD })).code).toBe(
      'link_not_valid',
    )
    hub.env.jump(2)
    await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
    const late = await ticketTo(hub, 'ada@example.com')
    hub.env.jump(HOUR)
    expect((await browser().post('/api/v1/password', { ticket: late, password: PASSWORD })).code).toBe('link_not_valid')
  })

  test('of two who use one link at once, one chooses the password', async () => {
    await start()
    await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
    const ticket = await ticketTo(hub, 'ada@example.com')
    const tries = [OTHER, `${OTHER}!`, `${OTHER}?`].map((password) =>
      browser().post('/api/v1/password', { ticket, password }),
    )
    const outcomes = (await Promise.all(tries)).map(({ code }) => code ?? 'changed')
    expect(outcomes.toSorted()).toEqual(['changed', 'link_not_valid', 'link_not_valid'])
  })

  test('a ticket for one thing opens no other', async () => {
    await start()
    await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
    const ticket = await ticketTo(hub, 'ada@example.com')
    for (const path of ['sign-up/confirmation', 'sign-in/code', 'me/email/confirmation', 'first-admin'])
      expect(
        (await browser().post(`/api/v1/${path}`, { ticket, code: '000000', email: 'x@example.com', password: OTHER }))
          .code,
      ).toBe('link_not_valid')
  })

  test('a password changed at the desk spares this browser and asks for the old one', async () => {
    await start()
    const [desk, phone] = [await signedIn(), await signedIn()]
    const wrong = await desk.send('PUT', '/api/v1/me/password', { current: 'guess', password: OTHER })
    expect(wrong.code).toBe('wrong_credentials')
    expect((await desk.send('PUT', '/api/v1/me/password', { password: OTHER })).code).toBe('wrong_credentials')
    expect((await desk.send('PUT', '/api/v1/me/password', { current: PASSWORD, password: OTHER })).status).toBe(200)
    expect([await isSignedIn(desk), await isSignedIn(phone)]).toEqual([true, false])
  })

  test('an address changes when the new one answers, and the old one is told', async () => {
    await start()
    const page = await signedIn()
    const wish = { current: PASSWORD, email: 'countess@example.com' }
    expect((await page.post('/api/v1/me/email', { ...wish, current: 'guess' })).code).toBe('wrong_credentials')
    await page.post('/api/v1/me/email', wish)
    expect((await page.get('/api/v1/session')).body.email).toBe('ada@example.com')
    const ticket = await ticketTo(hub, 'countess@example.com')
    expect((await browser().post('/api/v1/me/email/confirmation', { ticket })).body).toEqual({
      email: 'countess@example.com',
    })
    expect((await lettersTo(hub, 'ada@example.com'))[0]?.kind).toBe('email-changed')
    await signedIn('countess@example.com')
    expect((await browser().post('/api/v1/me/email/confirmation', { ticket })).code).toBe('link_not_valid')
  })

  test('nobody takes the address of another, and nobody learns that there is one', async () => {
    await start()
    await person(hub, 'eve@example.com', 'client')
    const page = await signedIn()
    const taken = await page.post('/api/v1/me/email', { current: PASSWORD, email: 'eve@example.com' })
    const free = await page.post('/api/v1/me/email', { current: PASSWORD, email: 'free@example.com' })
    expect(same(taken)).toEqual(same(free))
    expect(await lettersTo(hub, 'eve@example.com')).toEqual([])
  })

  test('somebody with several hats chooses one, and it is remembered', async () => {
    await start()
    await setRoles(hub.world.db, ada.id, ['client', 'host'])
    const page = await signedIn()
    expect((await page.get('/api/v1/session')).body).toMatchObject({ choosesHat: true, hat: 'client' })
    expect((await page.send('PATCH', '/api/v1/session', { hat: 'admin' })).code).toBe('role_required')
    await page.send('PATCH', '/api/v1/session', { hat: 'host', name: ' Ada Lovelace ' })
    const again = await signedIn()
    expect((await again.get('/api/v1/session')).body).toMatchObject({
      ...{ choosesHat: false, hat: 'host', name: 'Ada Lovelace' },
    })
  })

  describe('with a second factor', () => {
    /** The app on Ada's phone. */
    let secret: Uint8Array
    const codeNow = (steps = 0) => codeAt(secret, stepAt(hub.env.now()) + steps)
    async function withApp() {
      await start()
      const page = await signedIn()
      const { body } = await page.post('/api/v1/me/second-factor', { current: PASSWORD })
      secret = fromBase32(String(body.secret))
      expect(body.uri).toContain(`secret=${String(body.secret)}&issuer=gpuhub`)
      const confirmed = await page.post('/api/v1/me/second-factor/confirmation', { code: codeNow() })
      return { page, codes: confirmed.body.recoveryCodes as string[] }
    }
    const withPassword = async (page: Browser) => String((await signIn(page)).body.ticket)

    test('the password alone is not enough, and a code is good once', async () => {
      await withApp()
      const page = browser()
      const ticket = await withPassword(page)
      expect(page.hasSession).toBe(false)
      // The one that turned it on is used up.
      expect((await page.post('/api/v1/sign-in/code', { ticket, code: codeNow() })).code).toBe('wrong_code')
      hub.env.jump(STEP)
      expect((await page.post('/api/v1/sign-in/code', { ticket, code: codeNow() })).status).toBe(200)
      expect(await isSignedIn(page)).toBe(true)
      const thief = browser()
      const again = await withPassword(thief)
      expect((await thief.post('/api/v1/sign-in/code', { ticket: again, code: codeNow() })).code).toBe('wrong_code')
      expect((await thief.post('/api/v1/sign-in/code', { ticket, code: codeNow(1) })).code).toBe('link_not_valid')
    })

    test('who is suspended is told why after the code, not after the password', async () => {
      await withApp()
      await suspendUser(hub.env, hub.world.db, ada.id, 'spam by night')
      hub.env.jump(STEP)
      const page = browser()
      const half = await signIn(page)
      expect([half.body.next, half.text]).toEqual(['second_factor', expect.not.stringContaining('spam')])
      const answer = (code: string) => page.post('/api/v1/sign-in/code', { ticket: half.body.ticket, code })
      const wrong = await answer('000000')
      expect([wrong.code, wrong.text]).toEqual(['wrong_code', expect.not.stringContaining('spam')])
      const whole = await answer(codeNow())
      expect([whole.code, whole.text]).toEqual(['account_suspended', expect.stringContaining('“spam by night”')])
      expect(page.hasSession).toBe(false)
    })

    test('a clock half a minute off still lets in; a minute off does not', async () => {
      await withApp()
      hub.env.jump(10 * STEP)
      const page = browser()
      expect(
        (await page.post('/api/v1/sign-in/code', { ticket: await withPassword(page), code: codeNow(-2) })).code,
      ).toBe('wrong_code')
      expect(
        (await page.post('/api/v1/sign-in/code', { ticket: await withPassword(page), code: codeNow(-1) })).status,
      ).toBe(200)
    })

    test('ten minutes after the password it is too late for a code', async () => {
      await withApp()
      const page = browser()
      const ticket = await withPassword(page)
      hub.env.jump(10 * 60_000)
      expect((await page.post('/api/v1/sign-in/code', { ticket, code: codeNow() })).code).toBe('link_not_valid')
    })

    test('a recovery code lets in once, however it is typed, and the owner is told', async () => {
      const { codes } = await withApp()
      expect(new Set(codes).size).toBe(10)
      const typed = ` ${codes[0]!.toUpperCase().replace('-', ' ')} `
      const page = browser()
      expect((await page.post('/api/v1/sign-in/code', { ticket: await withPassword(page), code: typed })).status).toBe(
        200,
      )
      expect((await page.get('/api/v1/session')).body.recoveryCodesLeft).toBe(9)
      expect((await lettersTo(hub, 'ada@example.com'))[0]?.kind).toBe('recovery-code-used')
      const thief = browser()
      expect(
        (await thief.post('/api/v1/sign-in/code', { ticket: await withPassword(thief), code: codes[0] })).code,
      ).toBe('wrong_code')
    })

    test('five wrong codes lock for a while, each five longer, across restarts; the owner is told', async () => {
      await withApp()
      const wrong = async () => {
        const page = browser()
        return (await page.post('/api/v1/sign-in/code', { ticket: await withPassword(page), code: '000000' })).code
      }
      for (let i = 0; i < 5; i++) expect(await wrong()).toBe('wrong_code')
      expect((await lettersTo(hub, 'ada@example.com'))[0]?.kind).toBe('second-factor-guessed')
      hub.env.jump(STEP)
      const page = browser()
      const right = { ticket: await withPassword(page), code: codeNow() }
      expect((await page.post('/api/v1/sign-in/code', right)).code).toBe('rate_limit_exceeded')
      hub.env.jump(15 * 60_000)
      for (let i = 0; i < 5; i++) expect(await wrong()).toBe('wrong_code')
      hub.env.jump(15 * 60_000)
      expect(await wrong()).toBe('rate_limit_exceeded')
      hub.env.jump(45 * 60_000)
      const later = browser()
      const code = codeNow()
      expect((await later.post('/api/v1/sign-in/code', { ticket: await withPassword(later), code })).status).toBe(200)
    })

    test('neither secrets nor recovery codes are readable in the database', async () => {
      const { codes } = await withApp()
      const { secondFactors, recoveryCodes } = hub.world.db.tables
      const stored = JSON.stringify([
        await hub.world.db.query.select().from(secondFactors),
        await hub.world.db.query.select().from(recoveryCodes),
      ])
      for (const code of codes) expect(stored).not.toContain(code)
      expect(stored).not.toContain(Buffer.from(secret).toString('hex'))
    })

    test('new recovery codes end the old ones, and turning it off asks for the password', async () => {
      const { page, codes } = await withApp()
      expect((await page.post('/api/v1/me/second-factor/recovery-codes', {})).code).toBe('wrong_credentials')
      const { body } = await page.post('/api/v1/me/second-factor/recovery-codes', { current: PASSWORD })
      expect(body.recoveryCodes).toHaveLength(10)
      const other = browser()
      const old = { ticket: await withPassword(other), code: codes[0] }
      expect((await other.post('/api/v1/sign-in/code', old)).code).toBe('wrong_code')
      expect((await page.post('/api/v1/me/second-factor/removal', { current: 'guess' })).code).toBe('wrong_credentials')
      await page.post('/api/v1/me/second-factor/removal', { current: PASSWORD })
      await signedIn()
    })

    test('a secret that was never shown a code of does not lock anybody out', async () => {
      await start()
      const page = await signedIn()
      await page.post('/api/v1/me/second-factor', { current: PASSWORD })
      expect((await page.post('/api/v1/me/second-factor/confirmation', { code: '123456' })).code).toBe('wrong_code')
      await signedIn()
    })

    test('a hub whose secret was changed says so, and an admin turns it off', async () => {
      await withApp()
      const { secondFactors } = hub.world.db.tables
      const other = new Seal('another secret, as it is after somebody rotated it')
      await hub.world.db.query.update(secondFactors).set({ secret: other.conceal(hub.env, 'totp', '00'.repeat(20)) })
      const page = browser()
      const answer = await page.post('/api/v1/sign-in/code', { ticket: await withPassword(page), code: codeNow() })
      expect(answer.body).toMatchObject({
        error: { code: 'wrong_code', message: expect.stringContaining('was changed') },
      })
      const admin = await signedInAs(hub, 'root@example.com', 'admin')
      expect((await admin.send('DELETE', `/api/v1/admin/users/${ada.id}/second-factor`)).status).toBe(200)
      expect((await admin.send('DELETE', `/api/v1/admin/users/${ada.id}/second-factor`)).status).toBe(404)
      expect((await lettersTo(hub, 'ada@example.com'))[0]?.kind).toBe('second-factor-changed')
      await signedIn()
    })

    test('a new password by letter does not turn it off, and forgives wrong codes', async () => {
      await withApp()
      await hub.world.db.query
        .update(hub.world.db.tables.secondFactors)
        .set({ failures: 5, lockedUntil: hub.env.now() + HOUR })
        .where(eq(hub.world.db.tables.secondFactors.userId, ada.id))
      hub.env.jump(STEP)
      await browser().post('/api/v1/password/reset', { email: 'ada@example.com' })
      const ticket = await ticketTo(hub, 'ada@example.com')
      await browser().post('/api/v1/password', { ticket, password: OTHER })
      const page = browser()
      const { body } = await signIn(page, 'ada@example.com', OTHER)
      expect(body.next).toBe('second_factor')
      expect((await page.post('/api/v1/sign-in/code', { ticket: body.ticket, code: codeNow() })).status).toBe(200)
    })
  })
})

function fromBase32(text: string): Uint8Array {
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = Array.from(text, (letter) => letters.indexOf(letter).toString(2).padStart(5, '0'))
  return Uint8Array.from(bits.join('').match(/.{8}/g) ?? [], (byte) => Number.parseInt(byte, 2))
}
