import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { until, virtualEnv } from '../../sdk/testing.ts'
import { addUser } from '../identity/users.ts'
import { silentLog } from '../log.ts'
import { defaults } from '../policy/settings.ts'
import { helloOf } from '../tunnel/testing.ts'
import { Enrolment } from './enrol.ts'
import { findHost } from './list.ts'
import { recentlyJudged } from './judge.ts'
import {
  faultsOf,
  fine,
  judgeNetwork,
  type Least,
  type Measured,
  type NetworkStanding,
  networkWords,
  together,
} from './network.ts'
import { NetworkBook } from './network-book.ts'
import { NetworkRound, type NetworkNews } from './network-round.ts'
import { ProbeBook } from './probes.ts'
import { RoundTrips } from './round-trips.ts'

const MINUTE_MS = 60_000
const least: Least = { downMbits: 20, upMbits: 5, roundTripMs: 150, linkLosses: 3 }
const good: Measured = { downMbits: 100, upMbits: 20, roundTripMs: 30, linkLosses: 0 }

/** A history in steps: what was measured, and for how many minutes; the state after each. */
type Steps = readonly (readonly [measured: Partial<Measured> | 'gone', minutes: number])[]
function lived(steps: Steps): string[] {
  let now = 0
  let standing: NetworkStanding = fine(now)
  return steps.map(([measured, minutes]) => {
    const look = { measured: { ...good, ...(measured === 'gone' ? {} : measured) }, least, linked: measured !== 'gone' }
    for (let minute = 0; minute < minutes; minute++) {
      standing = judgeNetwork(standing, { ...look, now })
      now += MINUTE_MS
    }
    return standing.state
  })
}

describe('a host’s connection', () => {
  const slow = { upMbits: 3.1 }
  test.each<[string, Steps, string[]]>([
    ['that is good stays so', [[{}, 600]], ['ok']],
    ['just enough is enough', [[{ ...least, linkLosses: 2 }, 600]], ['ok']],
    ['of which nothing is known is not blamed', [[{ downMbits: null, upMbits: null, roundTripMs: null }, 60]], ['ok']],
    ['below is warned at once', [[slow, 1]], ['warned']],
    [
      'below for half an hour gets no requests',
      [
        [slow, 30],
        [slow, 1],
      ],
      ['warned', 'below'],
    ], // prettier-ignore
    [
      'below for a moment is forgiven after ten minutes',
      [
        [slow, 5],
        [{}, 10],
        [{}, 1],
      ],
      ['warned', 'warned', 'ok'],
    ], // prettier-ignore
    [
      'below again and again counts as one',
      [
        [slow, 10],
        [{}, 9],
        [slow, 10],
        [{}, 1],
        [slow, 1],
      ],
      ['warned', 'warned', 'warned', 'warned', 'below'],
    ], // prettier-ignore
    [
      'well again serves again after ten minutes',
      [
        [slow, 31],
        [{}, 10],
        [{}, 1],
      ],
      ['below', 'below', 'ok'],
    ], // prettier-ignore
    [
      'barely well again does not yet serve',
      [
        [slow, 31],
        [{ upMbits: 5.1 }, 600],
        [{ upMbits: 5.5 }, 11],
      ],
      ['below', 'below', 'ok'],
    ], // prettier-ignore
    [
      'well for nine minutes begins anew',
      [
        [slow, 31],
        [{}, 9],
        [slow, 1],
        [{}, 9],
      ],
      ['below', 'below', 'below', 'below'],
    ], // prettier-ignore
    [
      'that is gone learns and forgets nothing',
      [
        [slow, 31],
        ['gone', 600],
        [slow, 1],
      ],
      ['below', 'below', 'below'],
    ], // prettier-ignore
    [
      'gone does not pass for well',
      [
        [slow, 31],
        [{}, 9],
        ['gone', 60],
        [{}, 9],
        [{}, 2],
      ],
      ['below', 'below', 'below', 'below', 'ok'],
    ], // prettier-ignore
    [
      'that loses links',
      [
        [{ linkLosses: 3 }, 31],
        [{ linkLosses: 2 }, 60],
        [{ linkLosses: 1 }, 11],
      ],
      ['below', 'below', 'ok'],
    ], // prettier-ignore
    [
      'far away',
      [
        [{ roundTripMs: 151 }, 31],
        [{ roundTripMs: 140 }, 60],
        [{ roundTripMs: 134 }, 11],
      ],
      ['below', 'below', 'ok'],
    ], // prettier-ignore
  ])('%s', (_, steps, states) => {
    expect(lived(steps)).toEqual(states)
  })

  test('says how much of how much, and what to do', () => {
    const faults = faultsOf({ ...good, upMbits: 3.1, linkLosses: 4 }, least)
    expect(networkWords('below', faults)).toBe(
      'Network below the minimum: 3.1 of 5 Mbit/s up; 4 lost links in an hour, fewer than 3 are allowed. Use a cable instead of Wi-Fi, and end other uploads: backups, cameras, calls. After 10 minutes above it, it gets requests again by itself.',
    )
    expect(networkWords('warned', faults)).toContain('if this lasts for 30 minutes it gets none')
    expect(networkWords('ok', [])).toBe('')
    const all = faultsOf({ downMbits: 1.1, upMbits: 1.1, roundTripMs: 60_000, linkLosses: 16 }, least)
    // As much as older agents take for a line.
    for (const state of ['warned', 'below'] as const) expect(networkWords(state, all).length).toBeLessThanOrEqual(300)
  })

  test('is what all hubs see of it: what only one sees is that hub’s own trouble', () => {
    const hour = 60 * MINUTE_MS
    const now = 10 * hour
    const lossesOf = (count: number) => Array.from({ length: count }, (_, i) => now - i * MINUTE_MS)
    const old = { hubStartedAt: 0, linked: true }
    expect(
      together(
        [
          { ...old, roundTripMs: 300, losses: lossesOf(5) },
          { ...old, roundTripMs: 40, losses: lossesOf(1) },
        ],
        now,
      ),
    ).toEqual({ roundTripMs: 40, linkLosses: 1 })
    // A hub that has just begun has seen nothing, which proves nothing.
    const young = { roundTripMs: null, losses: [], linked: true, hubStartedAt: now - MINUTE_MS }
    expect(together([{ ...old, roundTripMs: 300, losses: lossesOf(5) }, young], now).linkLosses).toBe(5)
    expect(together([{ ...old, roundTripMs: 9, losses: [now - hour] }], now)).toEqual({ roundTripMs: 9, linkLosses: 0 })
    expect(together([{ ...old, linked: false, roundTripMs: 9, losses: [] }], now).roundTripMs).toBeNull()
  })
})

describe('round trips', () => {
  test('are a median of the last nine, and news when they have moved', () => {
    const trips = new RoundTrips()
    const slot = trips.take()
    const note = (times: number, ms: number) => Array.from({ length: times }, () => trips.note(slot, ms))
    expect(note(5, 40)).toEqual([null, null, null, null, 40])
    // One packet that was late, and a little jitter, are none.
    expect([...note(1, 900), ...note(3, 44)]).toEqual([null, null, null, null])
    expect(note(9, 200).filter((news) => news !== null)).toEqual([200])
    expect(trips.median(slot)).toBe(200)
  })

  test('are asked for at every beat at first, then at every twelfth', () => {
    const trips = new RoundTrips()
    const slot = trips.take()
    const asked = (beats: number) => Array.from({ length: beats }, () => trips.due(slot)).filter(Boolean).length
    expect(asked(4)).toBe(4)
    for (let i = 0; i < 5; i++) trips.note(slot, 1)
    expect(asked(124)).toBe(10)
    // Whoever does not answer is soon asked as seldom.
    const mute = trips.take()
    expect(Array.from({ length: 128 }, () => trips.due(mute)).filter(Boolean).length).toBe(8 + 10)
  })

  test('of ten thousand links are apart, and a place that is free again knows nothing', () => {
    const trips = new RoundTrips()
    const slots = Array.from({ length: 10_000 }, () => trips.take())
    for (const slot of slots) for (let i = 0; i < 5; i++) trips.note(slot, slot)
    expect([trips.median(slots[1]!), trips.median(slots[9_999]!)]).toEqual([1, 9_999])
    trips.release(slots[77]!)
    const again = trips.take()
    expect([again, trips.median(again)]).toEqual([slots[77]!, null])
  })
})

/** A database with hubs, and hosts that are linked to all of them. */
async function world(dialect: (typeof testDialects)[number], hubIds = ['hub_a']) {
  const env = {
    ...virtualEnv({ now: Date.UTC(2026, 10, 23, 12) }),
    soon: (work: () => void) => void setImmediate(work),
  }
  const { db, drop } = await testDatabase(dialect)
  const owner = await addUser(env, db, { email: 'berlin@example.com', roles: ['host'] })
  const enrolment = new Enrolment(env, db)
  const { hubs, links } = db.tables
  const startedAt = env.now() - 2 * 60 * MINUTE_MS
  await db.query.insert(hubs).values(hubIds.map((id) => ({ id, startedAt, seenAt: env.now() })))
  const now = [...hubIds]
  const books = hubIds.map((_, at) => new NetworkBook(env, db, silentLog, () => now[at]!))
  const told: NetworkNews[] = []
  let settings = defaults
  const round = () =>
    new NetworkRound({
      ...{ env, db, log: silentLog, policy: { current: () => settings } },
      told: async (_, news) => void told.push(news),
    })
  const rounds = hubIds.map(round)
  return {
    ...{ env, db, books, told, owner },
    /** The first hub was thought dead, and is known under another id. */
    async enrolAnew(id: string): Promise<void> {
      const [before = ''] = now
      now[0] = id
      await db.query.update(hubs).set({ id }).where(eq(hubs.id, before))
      await db.query.update(links).set({ hubId: id }).where(eq(links.hubId, before))
    },
    demand: (more: Partial<typeof defaults>) => void (settings = { ...defaults, ...more }),
    async host(name: string): Promise<string> {
      const { hardware } = helloOf({})
      const machine = { machine: name, name, agent: 'test', hardware }
      const enrolled = await enrolment.host({ ...machine, ownerId: owner.id, tokenId: 'token' })
      if (typeof enrolled === 'string') throw new Error(enrolled)
      const link = { hostId: enrolled.id, epoch: 1, state: 'ready' as const, models: [], since: env.now() }
      await db.query.insert(links).values(hubIds.map((hubId) => ({ ...link, hubId })))
      return enrolled.id
    },
    /** Every hub writes what it knows and judges, now and each minute. */
    async minutes(count: number): Promise<void> {
      for (let minute = 0; minute < count; minute++) {
        await db.query.update(hubs).set({ seenAt: env.now() })
        for (const book of books) await book.flush()
        await Promise.all(rounds.map((each) => each.run()))
        await env.advance(MINUTE_MS)
      }
    },
    [Symbol.asyncDispose]: drop,
  }
}

describe.each(testDialects)('hubs on %s', (dialect) => {
  test('come to one end about a host that is far from all of them, and tell it once', async () => {
    await using it = await world(dialect, ['hub_a', 'hub_b'])
    const berlin = await it.host('berlin')
    const slots = it.books.map((book) => book.joined())
    const trip = (ms: number) => {
      for (const [at, book] of it.books.entries())
        for (let i = 0; i < 9; i++) book.measured({ hostId: berlin, slot: slots[at]! }, ms)
    }
    trip(210)
    await it.minutes(1)
    expect(it.told).toMatchObject([{ hostId: berlin, ownerId: it.owner.id, state: 'warned' }])
    expect((await findHost(it.env, it.db, berlin))?.network).toMatchObject({ state: 'warned', roundTripMs: 210 })
    const judged = async () => (await recentlyJudged(it.db, 0)).map(({ belowNetwork }) => belowNetwork)
    expect(await judged()).toEqual([])
    await it.minutes(31)
    expect(await judged()).toEqual([true])
    expect((await findHost(it.env, it.db, berlin))?.network?.words).toMatch(/a round trip of 210 ms, at most 150/)
    trip(50)
    await it.minutes(12)
    expect(await judged()).toEqual([false])
    expect(it.told.map(({ state }) => state)).toEqual(['warned', 'below', 'ok'])
  })

  test('count what they see under the id they have now', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin')
    const slot = it.books[0]!.joined()
    await it.enrolAnew('hub_again')
    for (let i = 0; i < 9; i++) it.books[0]!.measured({ hostId: berlin, slot }, 210)
    await it.minutes(1)
    expect((await findHost(it.env, it.db, berlin))?.network).toMatchObject({ state: 'warned', roundTripMs: 210 })
  })

  test('blame a host for links that were lost, and for none when half of all were lost at once', async () => {
    await using it = await world(dialect)
    const names = ['berlin', 'oslo', 'rome', 'paris']
    const hosts = await Promise.all(names.map((name) => it.host(name)))
    const [book] = it.books
    const slots = new Map(hosts.map((hostId) => [hostId, book!.joined()]))
    const lose = (hostId: string) => {
      book!.left({ hostId, slot: slots.get(hostId)! }, true)
      slots.set(hostId, book!.joined())
    }
    // This hub's own line.
    for (let times = 0; times < 3; times++) {
      for (const hostId of hosts.slice(0, 3)) lose(hostId)
      await it.minutes(1)
    }
    expect(it.told).toEqual([])
    for (let times = 0; times < 3; times++) {
      lose(hosts[0]!)
      await it.minutes(1)
    }
    expect(it.told).toMatchObject([{ hostId: hosts[0], state: 'warned' }])
    expect(it.told[0]!.words).toContain('3 lost links in an hour, fewer than 3 are allowed')
    // An hour later the losses are long ago.
    await it.minutes(75)
    expect((await findHost(it.env, it.db, hosts[0]!))?.network?.state).toBe('ok')
  })

  test('look at everybody again when the minimum is another', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin')
    const slot = it.books[0]!.joined()
    for (let i = 0; i < 5; i++) it.books[0]!.measured({ hostId: berlin, slot }, 100)
    await it.minutes(60)
    expect(it.told).toEqual([])
    it.demand({ hostRoundTripMs: 80 })
    await it.minutes(1)
    expect(it.told).toMatchObject([{ state: 'warned' }])
  })

  test('forget what a hub saw that is gone', async () => {
    await using it = await world(dialect, ['hub_a', 'hub_b'])
    const berlin = await it.host('berlin')
    for (const book of it.books) book.left({ hostId: berlin, slot: book.joined() }, true)
    await it.minutes(1)
    const { hubs, networkSightings } = it.db.tables
    expect(await it.db.query.$count(networkSightings)).toBe(2)
    await it.db.query.delete(hubs).where(eq(hubs.id, 'hub_b'))
    await it.minutes(1)
    expect(await it.db.query.$count(networkSightings)).toBe(1)
  })

  test('time a line themselves, ask for more where little proves little, and let the rest judge it', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin')
    const late = { is: false }
    const clock = { mono: () => it.env.mono(), late: () => late.is }
    const probes = new ProbeBook(it.env, it.db, clock, () => defaults)
    const measure = async (downMs: number, upMs: number) => {
      const { bytes } = await probes.begin(berlin, it.owner.id)
      await it.env.advance(downMs)
      const { bytes: up } = await probes.received(berlin, it.owner.id, bytes)
      await it.env.advance(upMs)
      return { bytes, up, ...(await probes.end(berlin, it.owner.id, up)) }
    }
    const fast = await measure(100, 100)
    expect(fast).toMatchObject({ downMbits: 41.9, upMbits: 21, againSeconds: 6 * 60 * 60 })
    // Two seconds for a quarter of a megabyte: a second try with no more than that line moves in three.
    const first = await measure(100, 2_000)
    expect(first).toMatchObject({ againSeconds: 1 })
    const second = await measure(200, 1_500)
    expect([second.bytes > first.bytes, second.up > first.up]).toEqual([true, true])
    expect(second).toMatchObject({ upMbits: 2.1, againSeconds: 5 * 60 })
    await it.minutes(32)
    expect((await findHost(it.env, it.db, berlin))?.network).toMatchObject({ state: 'below', upMbits: 2.1 })
    // What the hub was late by itself says nothing.
    late.is = true
    expect(await measure(9_000, 9_000)).toMatchObject({ againSeconds: 5 * 60 })
    late.is = false
    await it.minutes(1)
    expect((await findHost(it.env, it.db, berlin))?.network).toMatchObject({ upMbits: 2.1 })
    await measure(100, 100)
    await it.minutes(12)
    expect((await findHost(it.env, it.db, berlin))?.network).toMatchObject({ state: 'ok', upMbits: 21 })

    const refusal = (work: Promise<unknown>) => work.then(() => 'taken').catch((error: unknown) => String(error))
    expect(await refusal(probes.begin(berlin, 'usr_other'))).toContain('no such host')
    await probes.begin(berlin, it.owner.id)
    expect(await refusal(probes.received(berlin, it.owner.id, 1))).toContain('Begin anew')
    expect(await refusal(probes.end(berlin, it.owner.id, 256 * 1024))).toContain('Begin anew')
  })
})

test('what a hub saw of a host that is gone is written nowhere', async () => {
  await using it = await world('sqlite')
  const berlin = await it.host('berlin')
  const [book] = it.books
  const slot = book!.joined()
  for (let i = 0; i < 5; i++) book!.measured({ hostId: berlin, slot }, 40)
  const { query } = it.db
  const { networkSightings } = it.db.tables
  await it.db.query.delete(it.db.tables.hosts)
  await it.env.advance(10_000)
  // The host is gone: nothing is written, and nothing fails.
  await until('it has looked', () => it.env.timers() === 0)
  expect(await query.$count(networkSightings)).toBe(0)
})
