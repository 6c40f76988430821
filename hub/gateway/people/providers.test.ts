// GitHub and Google as stand-ins on this machine that hold clients to the real rules: a code is good once, only with the
// verifier, the secret and the address it was made for.
import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { testDialects } from '../../../db/testing.ts'
import { readRefusal } from '../../identity/cookie.ts'
import { suspendUser } from '../../identity/testing.ts'
import { changeSettings } from '../../policy/change.ts'
import { HUB_URL, startHub, type TestHub } from '../../testing.ts'
import { Browser, person, signedIn, ticketTo } from './testing.ts'

interface Account {
  id: number
  email: string
  verified: boolean
  name: string | null
}

function standIn() {
  const state = { account: { id: 1, email: 'ada@example.com', verified: true, name: 'Ada' } as Account, broken: false }
  const codes = new Map<string, { challenge: string; returnTo: string; account: Account }>()
  const tokens = new Map<string, Account>()
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const url = new URL(request.url)
      if (state.broken) return new Response('x'.repeat(1_000), { status: 200 })
      if (url.pathname === '/.well-known/openid-configuration') {
        const base = url.origin
        return Response.json({
          authorization_endpoint: `${base}/authorize`,
          token_endpoint: `${base}/login/oauth/access_token`,
          userinfo_endpoint: `${base}/userinfo`,
        })
      }
      if (url.pathname.endsWith('/access_token')) {
        const form = new URLSearchParams(await request.text())
        const made = codes.get(form.get('code') ?? '')
        codes.delete(form.get('code') ?? '')
        const verifier = form.get('code_verifier') ?? ''
        const challenge = new Bun.CryptoHasher('sha256').update(verifier).digest('base64url')
        const right =
          made?.challenge === challenge &&
          made.returnTo === form.get('redirect_uri') &&
          form.get('client_secret') === 'shh' &&
          form.get('client_id') === 'id'
        if (!right || !made) return Response.json({ error: 'bad_verification_code' })
        const token = `t${tokens.size}`
        tokens.set(token, made.account)
        return Response.json({ access_token: token, token_type: 'bearer' })
      }
      const account = tokens.get((request.headers.get('authorization') ?? '').replace('Bearer ', ''))
      if (!account) return new Response('no', { status: 401 })
      const { id, email, verified, name } = account
      if (url.pathname === '/api/v3/user') return Response.json({ id, login: 'ada', name })
      if (url.pathname === '/api/v3/user/emails') return Response.json([{ email, primary: true, verified }])
      return Response.json({ sub: String(id), email, email_verified: verified, name })
    },
  })
  return {
    state,
    url: `http://127.0.0.1:${server.port}`,
    /** Somebody says yes at the provider. @returns where their browser is sent */
    consent(location: string): string {
      const asked = new URL(location).searchParams
      const code = `c${codes.size}${Math.random()}`
      const returnTo = asked.get('redirect_uri') ?? ''
      codes.set(code, { challenge: asked.get('code_challenge') ?? '', returnTo, account: { ...state.account } })
      return `${returnTo.replace(HUB_URL, '')}?code=${code}&state=${asked.get('state')}`
    },
    stop: () => server.stop(true),
  }
}

describe.each(testDialects.flatMap((database) => (['github', 'google'] as const).map((name) => ({ database, name }))))(
  'signing in with $name on $database',
  ({ database, name }) => {
    let hub: TestHub
    let provider: ReturnType<typeof standIn>
    beforeEach(async () => {
      provider = standIn()
      hub = await startHub({
        database,
        config: {
          ...{ githubId: 'id', githubSecret: 'shh', githubUrl: provider.url },
          ...{ googleId: 'id', googleSecret: 'shh', googleUrl: provider.url },
        },
      })
    })
    afterEach(async () => {
      await hub[Symbol.asyncDispose]()
      await provider.stop()
    })

    const leave = async (page: Browser, query = '') => {
      const answer = await page.get(`/api/v1/sign-in/${name}${query}`)
      expect(answer.status).toBe(303)
      return answer.headers.get('location') ?? ''
    }
    /** Away, yes there, and back. @returns the page they end on */
    const comeBack = async (page: Browser, query = '') => {
      const back = await page.get(provider.consent(await leave(page, query)), { 'sec-fetch-site': 'cross-site' })
      expect(back.status).toBe(303)
      return back.headers.get('location') ?? ''
    }
    const invited = async () => {
      const admin = await signedIn(hub, 'root@example.com', 'admin')
      await admin.post('/api/v1/admin/invitations', { email: 'ada@example.com', roles: ['client'] })
      return ticketTo(hub, 'ada@example.com')
    }

    test('somebody new says where they live and yes to the terms, and is in', async () => {
      const invitation = await invited()
      const page = new Browser(hub.hub)
      const to = await comeBack(page, `?invitation=${invitation}&next=/keys`)
      expect(to).toStartWith('/sign-up?ticket=')
      const query = new URL(to, HUB_URL).searchParams
      expect(query.get('invitation')).toBe(invitation)
      expect(page.hasSession).toBe(false)
      const wish = { ticket: query.get('ticket'), invitation, country: 'US', terms: { client: '1' } }
      expect((await page.post('/api/v1/sign-up/with', { ...wish, country: 'DE' })).code).toBe('country_not_allowed')
      expect((await page.post('/api/v1/sign-up/with', wish)).status).toBe(200)
      expect((await page.get('/api/v1/session')).body).toMatchObject({
        ...{ email: 'ada@example.com', name: 'Ada' },
        waysIn: { password: false, github: name === 'github', google: name === 'google' },
      })
      expect((await page.get('/api/v1/balance')).body.balance).toBe('5.00')
      expect((await page.post('/api/v1/sign-up/with', wish)).code).toBe('link_not_valid')
    })

    test('next time they are in at once, at the page they wanted', async () => {
      const invitation = await invited()
      const first = new Browser(hub.hub)
      const query = new URL(await comeBack(first), HUB_URL).searchParams
      await first.post('/api/v1/sign-up/with', {
        ...{ ticket: query.get('ticket'), invitation, country: 'US', terms: { client: '1' } },
      })
      // Whatever their address is by now: it is who they are there that counts.
      provider.state.account.email = 'countess@example.com'
      const page = new Browser(hub.hub)
      expect(await comeBack(page, '?next=/keys')).toBe('/keys')
      expect((await page.get('/api/v1/session')).body.email).toBe('ada@example.com')
    })

    test('who has an account with that address is let into it, and asked for their code', async () => {
      const ada = await person(hub, 'ada@example.com', 'client')
      const page = new Browser(hub.hub)
      expect(await comeBack(page)).toBe('/')
      expect((await page.get('/api/v1/session')).body).toMatchObject({
        id: ada.id,
        waysIn: { password: true, [name]: true },
      })
      const { secondFactors } = hub.world.db.tables
      await hub.world.db.query.insert(secondFactors).values({
        ...{ userId: ada.id, secret: 'x', confirmedAt: 1, lastStep: 0, failures: 0, lockedUntil: null },
      })
      const other = new Browser(hub.hub)
      expect(await comeBack(other)).toStartWith('/sign-in/code?ticket=')
      expect(other.hasSession).toBe(false)
    })

    test('who is suspended takes the reason along to the page they come back to', async () => {
      const { id } = await person(hub, 'ada@example.com', 'client')
      await suspendUser(hub.env, hub.world.db, id, 'spam by night')
      const page = new Browser(hub.hub)
      const back = await page.get(provider.consent(await leave(page)), { 'sec-fetch-site': 'cross-site' })
      expect(back.headers.get('location')).toBe('/sign-in?problem=account_suspended')
      const cookie = back.headers.getSetCookie().find((each) => each.includes('-refusal=')) ?? ''
      const shown = readRefusal(HUB_URL, new Request(HUB_URL, { headers: { cookie: cookie.split(';')[0]! } }))
      expect(shown).toContain('“spam by night”')
      expect(page.hasSession).toBe(false)
    })

    test('an address that the provider has not verified lets nobody in', async () => {
      await person(hub, 'ada@example.com', 'client')
      provider.state.account.verified = false
      const page = new Browser(hub.hub)
      expect(await comeBack(page)).toBe('/sign-in?problem=wrong_credentials')
      expect(page.hasSession).toBe(false)
    })

    test('the way back counts in the browser that left, once, for ten minutes', async () => {
      await person(hub, 'ada@example.com', 'client')
      const page = new Browser(hub.hub)
      const back = provider.consent(await leave(page))
      // Somebody is led to a link that would sign them in as the attacker.
      const victim = new Browser(hub.hub)
      await leave(victim)
      expect((await victim.get(back)).headers.get('location')).toBe('/sign-in?problem=link_not_valid')
      expect(victim.hasSession).toBe(false)
      expect((await page.get(back)).headers.get('location')).toBe('/sign-in?problem=link_not_valid')
      const late = provider.consent(await leave(page))
      hub.env.jump(10 * 60_000)
      expect((await page.get(late)).headers.get('location')).toBe('/sign-in?problem=link_not_valid')
    })

    test('who says no there, or comes with a made-up code, is where they were', async () => {
      await person(hub, 'ada@example.com', 'client')
      const page = new Browser(hub.hub)
      const state = new URL(await leave(page)).searchParams.get('state')
      const said = await page.get(`/api/v1/sign-in/${name}/callback?error=access_denied&state=${state}`)
      expect(said.headers.get('location')).toBe('/sign-in?problem=wrong_credentials')
      const again = new URL(await leave(page)).searchParams.get('state')
      const made = await page.get(`/api/v1/sign-in/${name}/callback?code=made-up&state=${again}`)
      expect(made.headers.get('location')).toBe('/sign-in?problem=upstream_error')
    })

    test('a provider that talks nonsense changes nothing', async () => {
      const page = new Browser(hub.hub)
      const back = provider.consent(await leave(page))
      provider.state.broken = true
      expect((await page.get(back)).headers.get('location')).toBe('/sign-in?problem=upstream_error')
    })

    test('who is signed in adds it as a way in, and takes it away; the last one stays', async () => {
      provider.state.account = { id: 7, email: 'other@example.com', verified: true, name: null }
      const page = await signedIn(hub, 'ada@example.com', 'client')
      expect(await comeBack(page, '?link=1&next=/account')).toBe('/account')
      const other = new Browser(hub.hub)
      await comeBack(other)
      expect((await other.get('/api/v1/session')).body.id).toBe(page.user.id)
      // It cannot be two people's.
      const eve = await signedIn(hub, 'eve@example.com', 'client')
      expect(await comeBack(eve, '?link=1')).toBe('/sign-in?problem=invalid_request')
      expect((await page.send('DELETE', `/api/v1/me/logins/${name}`)).status).toBe(200)
      expect((await page.get('/api/v1/session')).body).toMatchObject({ waysIn: { [name]: false } })
    })

    test('the only way in cannot be taken away', async () => {
      await changeSettings(hub.env, hub.world.db, 'command line', { clientSignUp: 'open' })
      await hub.hub.platform.policy.refresh()
      const page = new Browser(hub.hub)
      const ticket = new URL(await comeBack(page), HUB_URL).searchParams.get('ticket')
      await page.post('/api/v1/sign-up/with', { ticket, country: 'US', terms: { client: '1' } })
      expect((await page.send('DELETE', `/api/v1/me/logins/${name}`)).code).toBe('invalid_request')
    })

    test('nobody is sent on to a foreign page', async () => {
      await person(hub, 'ada@example.com', 'client')
      for (const next of ['https://evil.example', '//evil.example', '/\\evil.example', 'javascript:alert(1)'])
        expect(await comeBack(new Browser(hub.hub), `?next=${encodeURIComponent(next)}`)).toBe('/')
    })
  },
)

test('a provider that is not configured is not there', async () => {
  await using hub = await startHub()
  expect((await new Browser(hub.hub).get('/api/v1/sign-in/github')).status).toBe(404)
  expect((await new Browser(hub.hub).get('/api/v1/sign-in/facebook')).status).toBe(400)
})
