// A host whose connection is below the minimum, from its first lost link to its first request afterwards.
import { describe, expect, test } from 'bun:test'
import type { HostView } from '../sdk/host-view.ts'
import { until } from '../sdk/testing.ts'
import { findHost } from './fleet/list.ts'
import { listMails } from './mail/outbox.ts'
import { changeSettings } from './policy/change.ts'
import { startHub, type TestHub } from './testing.ts'

const MINUTE_MS = 60_000

async function shown(it: TestHub, name: string): Promise<HostView> {
  const { id, token } = it.host(name)
  const request = new Request(`http://hub.test/api/v1/hosts/${id}`, { headers: { authorization: `Bearer ${token}` } })
  const server = { timeout() {}, requestIP: () => null } as unknown as Parameters<typeof it.hub.fetch>[1]
  return (await it.hub.fetch(request, server))!.json() as Promise<HostView>
}

/** Lets the hub judge until it says so of the host. */
function judged(it: TestHub, name: string, says: (network: NonNullable<HostView['network']>) => boolean) {
  return until(`${name} is so`, async () => {
    await it.env.advance(1_000)
    const view = await shown(it, name)
    return view.network && says(view.network) ? view : null
  })
}

const seats = (it: TestHub, count: number) =>
  until(`${count} hosts take turns`, async () => {
    await it.env.advance(1_000)
    return it.hub.platform.turns.count('gpuhub/emulator:emulated') === count
  })

describe('a host that loses its links', () => {
  test('is warned, then gets nothing and is told why, and serves again by itself', async () => {
    await using it = await startHub({ credit: { ada: '$10' }, hosts: { berlin: {}, oslo: {} } })
    await changeSettings(it.env, it.world.db, 'command line', { hostLinkLosses: 2 })
    const asked = () => it.host('berlin').engine.tally.requests
    const ask = async () => {
      for (let i = 0; i < 4; i++) expect((await it.as('ada').chat(`question ${i}`)).status).toBe(200)
    }
    for (let times = 0; times < 2; times++) {
      it.host('berlin').cut()
      await it.env.advance(20_000)
    }
    const warned = await judged(it, 'berlin', ({ state }) => state === 'warned')
    expect(warned.network?.words).toContain('2 lost links in an hour, fewer than 2 are allowed')
    await ask()
    expect(asked()).toBe(2)

    // Only how long it has been so goes by the wall clock.
    it.env.jump(31 * MINUTE_MS)
    const below = await judged(it, 'berlin', ({ state }) => state === 'below')
    expect(below.network).toMatchObject({ linkLosses: 2, roundTripMs: expect.any(Number), least: { linkLosses: 2 } })
    await seats(it, 1)
    const idle = await judged(it, 'berlin', () => true)
    expect(idle).toMatchObject({ state: 'tripped', idle: below.network?.words })
    await ask()
    expect(asked()).toBe(2)

    it.env.jump(40 * MINUTE_MS)
    await judged(it, 'berlin', ({ state, linkLosses }) => state === 'below' && linkLosses === 0)
    it.env.jump(11 * MINUTE_MS)
    await judged(it, 'berlin', ({ state }) => state === 'ok')
    await seats(it, 2)
    await ask()
    expect(asked()).toBe(4)
    const mails = await listMails(it.world.db, { limit: 10 })
    expect(mails.map(({ kind, subject }) => `${kind}: ${subject}`)).toEqual([
      'network-below: The network of berlin is below the minimum',
    ])
    const oslo = await findHost(it.env, it.world.db, it.host('oslo').id)
    expect(oslo?.network).toMatchObject({ state: 'ok', linkLosses: 0 })
  })
})
