// Storms at the door for hosts. The network is left out: an upgrade is what the server is asked for.
import type { Server } from 'bun'
import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { HubError } from '../errors.ts'
import { silentLog } from '../log.ts'
import { Door, type Visitor } from './door.ts'
import { testTunnel } from './testing.ts'

const HOME = '198.51.100.7'
const ELSEWHERE = '203.0.113.9'

/** A door that knows tokens which begin with `good`, and counts how often it had to look one up. */
function world() {
  const env = virtualEnv()
  const { links } = testTunnel({ env })
  let lookUps = 0
  const enrolment = {
    async bearer(token: string) {
      lookUps++
      if (!token.startsWith('good')) throw new HubError('invalid_api_key', 'This host token is not valid.')
      return { tokenId: token, ownerId: 'ada' }
    },
    host: async () => ({ id: 'host_berlin', vetted: false, quarantined: false, belowNetwork: false }),
  }
  const knows = (model: string) => model
  const door = new Door({ env, log: silentLog, enrolment, links, knows, allowSimulated: true })
  const server = {
    upgrade(_request: Request, { data }: { data: Visitor }) {
      // It says hello elsewhere, or leaves: what matters here is that it does not stay in the doorway.
      const ws = { data, send: () => 1, close() {}, getBufferedAmount: () => 0 }
      void door.websocket.open?.(ws as never)
      void door.websocket.close?.(ws as never, 1000, '')
      return true
    },
  } as unknown as Server<Visitor>
  /** The status of the refusal; 101 when there was none. */
  const come = async (token: string, address: string | null = HOME) => {
    const headers = { authorization: `Bearer ${token}` }
    const response = await door.upgrade(new Request('http://hub.test/hosts/link', { headers }), server, address)
    const retryAfter = Number(response?.headers.get('retry-after') ?? 0)
    return { status: response?.status ?? 101, retryAfter, body: await response?.json() }
  }
  const statuses = async (times: number, token: (at: number) => string, address: string | null = HOME) => {
    const counts: Record<number, number> = {}
    for (let at = 0; at < times; at++) {
      const { status } = await come(token(at), address)
      counts[status] = (counts[status] ?? 0) + 1
    }
    return counts
  }
  return { env, come, statuses, lookUps: () => lookUps }
}

describe('a storm of links (F-storm)', () => {
  test('from one address is held off before anything is looked up, and told when to come again', async () => {
    const { env, come, statuses, lookUps } = world()
    expect(await statuses(3_000, (at) => `good_${at}`)).toEqual({ 101: 1_000, 429: 2_000 })
    expect(lookUps()).toBe(1_000)
    expect(await come('good_1')).toMatchObject({ retryAfter: 1, body: { error: { code: 'rate_limit_exceeded' } } })
    expect((await come('good_1', ELSEWHERE)).status).toBe(101)
    await env.advance(1_000)
    expect(await statuses(100, (at) => `good_${at}`)).toEqual({ 101: 20, 429: 80 })
  })

  test('with one token is held off, from however many addresses; other tokens get in', async () => {
    const { env, come } = world()
    const counts: Record<number, number> = {}
    for (let at = 0; at < 3_000; at++) {
      const { status } = await come('good_storm', `198.51.100.${at % 250}`)
      counts[status] = (counts[status] ?? 0) + 1
    }
    expect(counts).toEqual({ 101: 1_000, 429: 2_000 })
    expect((await come('good_other')).status).toBe(101)
    await env.advance(1_000)
    expect((await come('good_storm', ELSEWHERE)).status).toBe(101)
  })

  test('where all addresses look alike is limited by token alone', async () => {
    const { statuses } = world()
    expect(await statuses(3_000, (at) => `good_${at}`, null)).toEqual({ 101: 3_000 })
  })
})

describe('tokens that are none', () => {
  test('are looked up twenty times for one address, then every six seconds', async () => {
    const { env, come, statuses, lookUps } = world()
    expect(await statuses(500, (at) => `guess_${at}`)).toEqual({ 401: 20, 429: 480 })
    expect(lookUps()).toBe(20)
    expect((await come('guess')).retryAfter).toBe(6)
    await env.advance(60_000)
    expect(await statuses(100, (at) => `guess_${at}`)).toEqual({ 401: 10, 429: 90 })
  })

  test('of one IPv6 subscriber count together, whichever of its addresses they come from', async () => {
    const { come } = world()
    for (let at = 0; at < 20; at++) expect((await come('guess', `2001:db8:1:2::${at + 1}`)).status).toBe(401)
    expect((await come('guess', '2001:db8:1:2:ffff::1')).status).toBe(429)
    expect((await come('guess', '2001:db8:1:3::1')).status).toBe(401)
  })

  test('do not shut out a neighbour whose token was good before', async () => {
    const { come, statuses } = world()
    await come('good_neighbour')
    await statuses(100, (at) => `guess_${at}`)
    expect((await come('good_neighbour')).status).toBe(101)
    expect((await come('good_newcomer')).status).toBe(429)
    expect((await come('good_newcomer', ELSEWHERE)).status).toBe(101)
  })
})

test('one machine that links again and again is told to wait; others of its owner are not (F-storm)', async () => {
  const { env, welcomed } = testTunnel()
  for (let link = 0; link < 20; link++) {
    const { host, pair } = await welcomed('berlin')
    expect(host.welcome).not.toBeNull()
    pair.cut()
    await env.flush()
  }
  const { host } = await welcomed('berlin')
  expect(host.refused).toMatchObject({ code: 'busy', retry: true })
  expect((await welcomed('oslo')).host.welcome).not.toBeNull()
  await env.advance(5_000)
  expect((await welcomed('berlin')).host.welcome).not.toBeNull()
})

test('only so many addresses are remembered: ten thousand later, the first is new again', async () => {
  const { come, statuses } = world()
  expect(await statuses(21, () => 'guess')).toEqual({ 401: 20, 429: 1 })
  for (let at = 0; at < 9_999; at++) await come('guess', `10.0.${at >> 8}.${at & 255}`)
  expect((await come('guess')).status).toBe(429)
  for (let at = 0; at < 10_000; at++) await come('guess', `10.1.${at >> 8}.${at & 255}`)
  expect((await come('guess')).status).toBe(401)
})
