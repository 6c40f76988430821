import { afterEach, describe, expect, test } from 'bun:test'
import { testDialects } from '../../../db/testing.ts'
import { socketPair } from '../../../sdk/testing.ts'
import { linkProof, machineKey, publicKeyOf, signed, signInText } from '../../../sdk/wire/machine-key.ts'
import { addHostToken } from '../../fleet/token.ts'
import { changeSettings } from '../../policy/change.ts'
import { startHub, type TestHub } from '../../testing.ts'
import { Browser, lettersTo, signedIn } from './testing.ts'

const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

describe.each(testDialects)('machines that sign in on %s', (database) => {
  let hub: TestHub
  let owner: Awaited<ReturnType<typeof signedIn>>
  afterEach(async () => hub?.[Symbol.asyncDispose]())

  async function start() {
    hub = await startHub({ database })
    owner = await signedIn(hub, 'owner@example.com', 'host')
  }

  /** A machine with a key of its own. */
  function machine() {
    const key = machineKey(hub.env.random(32))
    // Programs send no evidence of origin.
    const program = new Browser(hub.hub)
    const silent = { 'sec-fetch-site': '' }
    let deviceCode = ''
    return {
      key,
      address: program.address,
      async begin(more: object = {}) {
        const claim = {
          ...{ client_id: 'gpuhost', machine_key: publicKeyOf(key), name: 'rig', gpu: 'RTX 4090', agent: '0.1.0' },
          ...{ time_zone: 'Europe/Berlin', ...more },
        }
        const answer = await program.post('/api/v1/device/authorization', claim, silent)
        deviceCode = String(answer.body.device_code)
        return answer
      },
      code: () => deviceCode,
      poll(proof = signed(key, signInText(deviceCode))) {
        const asked = { client_id: 'gpuhost', grant_type: GRANT, device_code: deviceCode, proof }
        return program.post('/api/v1/device/token', asked, silent)
      },
    }
  }
  const lookUp = (page: Browser, code: unknown) => page.post('/api/v1/device/lookup', { code })
  const wait = (seconds: number) => hub.env.jump(seconds * 1_000)

  test('the owner sees what asks, approves it, and the machine gets a token, once', async () => {
    await start()
    const rig = machine()
    const { body: began } = await rig.begin()
    expect(began).toMatchObject({ expires_in: 600, interval: 5, verification_uri: 'http://hub.test/device' })
    expect(began.user_code).toMatch(/^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$/)
    expect((await rig.poll()).body).toEqual({ error: 'authorization_pending' })

    const { body: seen } = await lookUp(owner, ` ${String(began.user_code).toLowerCase().replace('-', ' ')} `)
    expect(seen).toMatchObject({ name: 'rig', gpu: 'RTX 4090', address: rig.address, place: 'Europe/Berlin' })
    expect((await owner.post(`/api/v1/device/${String(seen.id)}/approval`)).status).toBe(200)

    wait(5)
    const { body: token } = await rig.poll()
    expect(token).toMatchObject({ token_type: 'gpuhost', owner: 'owner@example.com' })
    expect(token.access_token).toMatch(/^gph_/)
    wait(5)
    expect((await rig.poll()).body).toEqual({ error: 'invalid_grant' })
    expect((await lookUp(owner, began.user_code)).code).toBe('wrong_code')
    expect((await lettersTo(hub, 'owner@example.com'))[0]).toMatchObject({ kind: 'machine-joined' })
  })

  test('the token works on that machine alone', async () => {
    await start()
    const rig = machine()
    const { body: began } = await rig.begin()
    const { body: seen } = await lookUp(owner, began.user_code)
    await owner.post(`/api/v1/device/${String(seen.id)}/approval`)
    const token = String((await rig.poll()).body.access_token)
    const link = (proof: string | null) =>
      hub.hub.door.receive(token, socketPair(hub.env).right.socket, proof).then(
        () => 'linked',
        (error) => error.code,
      )
    const now = hub.env.now()
    expect(await link(linkProof(rig.key, now, token))).toBe('linked')
    expect(await link(linkProof(rig.key, now - 9 * 60_000, token))).toBe('linked')
    expect(await link(linkProof(rig.key, now - 11 * 60_000, token))).toBe('clock_wrong')
    expect(await link(linkProof(rig.key, now + 11 * 60_000, token))).toBe('clock_wrong')
    const thief = machineKey(hub.env.random(32))
    for (const proof of [null, '', 'x.y', linkProof(thief, now, token), linkProof(rig.key, now, 'gph_other')])
      expect(await link(proof)).toBe('invalid_api_key')
  })

  test('an owner who has not accepted newer terms gets no link from the day they are demanded', async () => {
    await start()
    const { token } = await addHostToken(hub.env, hub.world.db, { ownerId: owner.user.id, name: 'rig' })
    const link = () =>
      hub.hub.door.receive(token, socketPair(hub.env).right.socket).then(
        () => 'linked',
        (error) => error.code,
      )
    const demandedFrom = new Date(hub.env.now() + 60_000).toISOString()
    await changeSettings(hub.env, hub.world.db, 'command line', { hostTerms: { version: '2', demandedFrom } })
    await hub.hub.platform.policy.refresh()
    expect(await link()).toBe('linked')
    wait(60)
    expect(await link()).toBe('terms_not_accepted')
    await owner.post('/api/v1/me/terms', { role: 'host', version: '2' })
    expect(await link()).toBe('linked')
  })

  test('who has the device code, but not the key, gets nothing', async () => {
    await start()
    const rig = machine()
    const { body: began } = await rig.begin()
    const { body: seen } = await lookUp(owner, began.user_code)
    await owner.post(`/api/v1/device/${String(seen.id)}/approval`)
    const thief = machineKey(hub.env.random(32))
    for (const proof of ['', 'nonsense', signed(thief, signInText(rig.code())), signed(rig.key, signInText('other'))])
      expect((await rig.poll(proof)).body).toEqual({ error: 'invalid_grant' })
    expect((await rig.poll()).body.access_token).toMatch(/^gph_/)
  })

  test('of two polls at once, one gets the token', async () => {
    await start()
    const rig = machine()
    const { body: began } = await rig.begin()
    const { body: seen } = await lookUp(owner, began.user_code)
    await owner.post(`/api/v1/device/${String(seen.id)}/approval`)
    const polls = await Promise.all([rig.poll(), rig.poll(), rig.poll()])
    expect(polls.filter(({ body }) => body.access_token !== undefined)).toHaveLength(1)
    const { hostTokens } = hub.world.db.tables
    expect(await hub.world.db.query.$count(hostTokens)).toBe(1)
  })

  test('a machine that asks too often is told to slow down, more each time', async () => {
    await start()
    const rig = machine()
    await rig.begin()
    expect((await rig.poll()).body.error).toBe('authorization_pending')
    wait(4)
    expect((await rig.poll()).body.error).toBe('slow_down')
    wait(5)
    expect((await rig.poll()).body.error).toBe('slow_down')
    wait(15)
    expect((await rig.poll()).body.error).toBe('authorization_pending')
  })

  test('a refused machine is told so; one that waited too long as well', async () => {
    await start()
    const rig = machine()
    const { body: began } = await rig.begin()
    const { body: seen } = await lookUp(owner, began.user_code)
    await owner.post(`/api/v1/device/${String(seen.id)}/refusal`)
    expect((await owner.post(`/api/v1/device/${String(seen.id)}/approval`)).status).toBe(404)
    expect((await rig.poll()).body).toEqual({ error: 'access_denied' })
    const late = machine()
    const { body: other } = await late.begin()
    wait(600)
    expect((await lookUp(owner, other.user_code)).code).toBe('wrong_code')
    expect((await late.poll()).body).toEqual({ error: 'expired_token' })
  })

  test('who typed the code first decides, and nobody else', async () => {
    await start()
    const eve = await signedIn(hub, 'eve@example.com', 'host')
    const rig = machine()
    const { body: began } = await rig.begin()
    const { body: seen } = await lookUp(owner, began.user_code)
    expect((await lookUp(eve, began.user_code)).code).toBe('wrong_code')
    expect((await eve.post(`/api/v1/device/${String(seen.id)}/approval`)).status).toBe(404)
    expect((await lookUp(owner, began.user_code)).status).toBe(200)
    expect((await rig.poll()).body).toEqual({ error: 'authorization_pending' })
  })

  test('only owners of hosts let machines join, and only with their terms accepted', async () => {
    await start()
    const client = await signedIn(hub, 'ada@example.com', 'client')
    const rig = machine()
    const { body: began } = await rig.begin()
    expect((await lookUp(client, began.user_code)).code).toBe('role_required')
    await changeSettings(hub.env, hub.world.db, 'command line', { hostTerms: { version: '2', demandedFrom: null } })
    await hub.hub.platform.policy.refresh()
    expect((await lookUp(owner, began.user_code)).code).toBe('terms_not_accepted')
    await owner.post('/api/v1/me/terms', { role: 'host', version: '2' })
    expect((await lookUp(owner, began.user_code)).status).toBe(200)
  })

  test('an owner who is suspended between approval and token gets none', async () => {
    await start()
    const admin = await signedIn(hub, 'root@example.com', 'admin')
    const rig = machine()
    const { body: began } = await rig.begin()
    const { body: seen } = await lookUp(owner, began.user_code)
    await owner.post(`/api/v1/device/${String(seen.id)}/approval`)
    await admin.post(`/api/v1/admin/users/${owner.user.id}/suspension`, { reason: 'spam' })
    expect((await rig.poll()).body).toEqual({ error: 'access_denied' })
  })

  test('what a machine says of itself is cut to what can be shown', async () => {
    await start()
    const rig = machine()
    const { body: began } = await rig.begin({
      ...{ name: '<img src=x onerror=alert(1)>', gpu: `RTX\u0000\u202e${'x'.repeat(150)}`, time_zone: '"><script>' },
    })
    const { body: seen } = await lookUp(owner, began.user_code)
    expect(seen.name).toMatch(/^[A-Za-z0-9 ._-]{1,40}$/)
    expect(seen.gpu).toBe(`RTX${'x'.repeat(77)}`)
    expect(seen.place).toBeNull()
  })

  test.each([
    ['another client', { client_id: 'other' }],
    ['a key that is none', { machine_key: 'x' }],
    ['no name', { name: undefined }],
  ])('%s is refused', async (_, more) => {
    await start()
    expect((await machine().begin(more)).code).toBe('invalid_request')
  })
})
