// What the tunnel tells of hosts' connections: how long an echo takes, and which links were lost.
import { describe, expect, test } from 'bun:test'
import { virtualEnv } from '../../sdk/testing.ts'
import { BEAT_MS } from '../../sdk/wire/frames.ts'
import { testTunnel } from './testing.ts'

function world() {
  const clock = virtualEnv()
  let stoppedMs = 0
  const env = { ...clock, mono: () => clock.mono() + stoppedMs }
  const seen = { trips: [] as number[], left: [] as string[], slots: 0 }
  const tunnel = testTunnel({
    env,
    network: {
      joined: () => seen.slots++,
      due: () => true,
      measured({ hostId, slot }, ms) {
        expect([hostId, slot]).toEqual(['host_berlin', 0])
        seen.trips.push(ms)
      },
      left: ({ hostId }, lost) => void seen.left.push(`${hostId} ${lost ? 'lost' : 'left'}`),
    },
  })
  return { ...tunnel, seen, stop: (ms: number) => void (stoppedMs += ms) }
}

describe('the round trip to a host', () => {
  test('is as long as its answer to an echo takes', async () => {
    const { env, welcomed, seen } = world()
    await welcomed('berlin', { echoesAfterMs: 70 })
    await env.advance(3 * BEAT_MS + 100)
    expect(seen.trips).toEqual([70, 70, 70])
  })

  test('of an older agent is not measured', async () => {
    const { env, welcomed, seen } = world()
    await welcomed('berlin')
    await env.advance(60_000)
    expect([seen.trips, seen.left]).toEqual([[], []])
  })

  test('is not what a host makes of it: an echo that was not asked for, or comes twice, is nothing', async () => {
    const { env, welcomed, seen } = world()
    const { host } = await welcomed('berlin')
    const epoch = host.welcome!.epoch
    host.say({ type: 'beat', epoch, echo: 0 })
    await env.advance(BEAT_MS)
    const echo = Math.floor(env.mono())
    host.say({ type: 'beat', epoch, echo: echo + 1 })
    host.say({ type: 'beat', epoch, echo })
    host.say({ type: 'beat', epoch, echo })
    await env.flush()
    expect(seen.trips).toEqual([0])
  })

  test('says nothing while the hub itself was late', async () => {
    const { env, welcomed, seen, stop } = world()
    await welcomed('berlin', { echoesAfterMs: 70 })
    await env.advance(BEAT_MS + 20)
    stop(600)
    await env.advance(400)
    expect(seen.trips).toEqual([])
    await env.advance(3 * BEAT_MS)
    expect(seen.trips).toEqual([70, 70, 70])
  })
})

describe('a link', () => {
  test.each<
    [
      string,
      (
        it: ReturnType<typeof world>,
        end: Awaited<ReturnType<ReturnType<typeof world>['welcomed']>>,
      ) => Promise<void> | void,
      string,
    ]
  >([
    ['whose connection breaks is lost', (_, { pair }) => pair.cut(), 'lost'],
    ['that falls silent is lost', async ({ env }, { pair }) => (pair.freeze(), env.advance(15_000)), 'lost'],
    ['that the host dials anew is lost', async ({ welcomed }) => void (await welcomed('berlin')), 'lost'],
    [
      'whose owner stops it is not',
      async ({ env }, { host }) => (host.status('draining'), await env.flush(), host.close(4503)),
      'left',
    ], // prettier-ignore
    ['of a hub that stops is not', ({ links }) => links.stop(), 'left'],
    ['whose token was revoked is not', ({ links }) => links.revoke(new Set(['token_berlin'])), 'left'],
    [
      'that breaks while the hub stood still is not',
      async ({ env, stop }, { pair }) => (await env.advance(1_000), stop(30_000), pair.cut()),
      'left',
    ], // prettier-ignore
  ])('%s', async (_, end, how) => {
    const it = world()
    const berlin = await it.welcomed('berlin')
    await end(it, berlin)
    await it.env.flush()
    expect(it.seen.left[0]).toBe(`host_berlin ${how}`)
  })
})
