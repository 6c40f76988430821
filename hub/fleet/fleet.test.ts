import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { until, virtualEnv } from '../../sdk/testing.ts'
import { addUser } from '../identity/users.ts'
import { silentLog } from '../log.ts'
import { helloOf } from '../tunnel/testing.ts'
import { Doubles } from './doubles.ts'
import { Enrolment, type Machine } from './enrol.ts'
import { FailureBook, failureCounts, failuresOf, type HostFailure, KEPT_FAILURES, noFailures } from './failures.ts'
import { Hubs } from './hubs.ts'
import { findHost, listHosts, withFailures } from './list.ts'
import { lockHost, recentLocks } from './locks.ts'
import { Presence } from './presence.ts'
import { RevokedTokens } from './revoked.ts'
import { addHostToken, revokeHostToken } from './token.ts'

const DAY_MS = 24 * 60 * 60_000

/** A database with one owner, whose machines enrol by name. */
async function world(dialect: (typeof testDialects)[number]) {
  const env = {
    ...virtualEnv({ now: Date.UTC(2026, 10, 23, 12) }),
    soon: (work: () => void) => void setImmediate(work),
  }
  const { db, drop } = await testDatabase(dialect)
  const owner = await addUser(env, db, { email: 'berlin@example.com', roles: ['host'] })
  const token = async () => (await addHostToken(env, db, { ownerId: owner.id, name: 'test' })).id
  const enrolment = new Enrolment(env, db)
  const { hardware } = helloOf({})
  const machine = (name: string, tokenId: string): Machine => ({
    ...{ ownerId: owner.id, tokenId, machine: `machine_${name}`, name, agent: 'test', hardware },
  })
  const enrol = (name: string, tokenId: string) => enrolment.host(machine(name, tokenId))
  const host = async (name: string, tokenId: string) => {
    const enrolled = await enrol(name, tokenId)
    if (typeof enrolled === 'string') throw new Error(enrolled)
    return enrolled.id
  }
  return { env, db, owner, token, enrol, host, [Symbol.asyncDispose]: drop }
}

const failure = (hostId: string, changes: Partial<HostFailure> = {}): HostFailure => ({
  ...{ hostId, variant: 'test/model', class: 'engine', code: 'cut', message: 'The answer was cut.' },
  ...{ requestId: 'req_1', attempt: 1, tokens: 7, ...changes },
})

describe.each(testDialects)('what failed on a host, on %s', (dialect) => {
  test('is told with its evidence, the newest first, and counted by whose trouble it was', async () => {
    await using it = await world(dialect)
    const [berlin, oslo] = [await it.host('berlin', 'token_1'), await it.host('oslo', 'token_1')]
    const book = new FailureBook(it.env, it.db, silentLog)
    book.note(failure(berlin))
    await it.env.advance(100)
    book.note(failure(berlin, { class: 'host', code: 'gap_timeout', requestId: 'req_2', attempt: 2, tokens: 0 }))
    book.note(failure(oslo, { class: 'hub', code: 'stopping' }))
    await book.flush()
    const told = await failuresOf(it.db, berlin)
    expect(told).toEqual([
      {
        ...failure(berlin, { class: 'host', code: 'gap_timeout', requestId: 'req_2', attempt: 2, tokens: 0 }),
        at: it.env.now(),
      },
      { ...failure(berlin), at: it.env.now() - 100 },
    ])
    const everyone = await withFailures(it.env, it.db, await listHosts(it.env, it.db))
    const listed = everyone.find(({ id }) => id === berlin)
    expect(listed?.failures).toEqual({ ...noFailures(), engine: 1, host: 1 })
    expect((await findHost(it.env, it.db, oslo))?.failures).toEqual({ ...noFailures(), hub: 1 })
    expect(await findHost(it.env, it.db, 'host_unknown')).toBeNull()
  })

  test('is kept as far as the last fifty; all of it is counted, by day', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin', 'token_1')
    const book = new FailureBook(it.env, it.db, silentLog)
    for (let batch = 0; batch < 3; batch++) {
      for (let i = 0; i < 40; i++) {
        book.note(failure(berlin, { requestId: `req_${batch}_${i}` }))
        await it.env.advance(1)
      }
      await book.flush()
      await it.env.advance(DAY_MS)
    }
    const told = await failuresOf(it.db, berlin)
    expect(await it.db.query.$count(it.db.tables.failures)).toBe(KEPT_FAILURES)
    expect([told[0]?.requestId, told.at(-1)?.requestId]).toEqual(['req_2_39', 'req_1_30'])
    const counted = async (days: number) =>
      (await failureCounts(it.db, it.env.now() - days * DAY_MS, [berlin])).get(berlin)?.engine
    expect([await counted(1), await counted(2), await counted(3)]).toEqual([40, 80, 120])
  })

  test('before it could be written is bounded, however much it is', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin', 'token_1')
    const book = new FailureBook(it.env, it.db, silentLog)
    for (let i = 0; i < 10_000; i++) book.note(failure(berlin, { requestId: `req_${i}` }))
    await book.flush()
    expect(await failuresOf(it.db, berlin)).toHaveLength(KEPT_FAILURES)
    expect((await failureCounts(it.db, it.env.now(), [berlin])).get(berlin)?.engine).toBe(10_000)
  })

  test('of a host that is no longer here harms nobody’s', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin', 'token_1')
    const book = new FailureBook(it.env, it.db, silentLog)
    book.note(failure('host_gone'))
    book.note(failure(berlin))
    await book.flush()
    expect(await failuresOf(it.db, berlin)).toHaveLength(1)
  })
})

describe.each(testDialects)('the hubs of a deployment, on %s', (dialect) => {
  test('are one list until it changes, so that hosts are told once', async () => {
    await using it = await world(dialect)
    const { hubs: table } = it.db.tables
    const started = { startedAt: it.env.now(), seenAt: it.env.now() }
    await it.db.query.insert(table).values({ id: 'hub_1', ...started, selfUrl: 'https://one.example' })
    const hubs = new Hubs(it.env, it.db, silentLog)
    await hubs.start()
    const first = hubs.links()
    expect(first).toEqual(['wss://one.example/hosts/link'])
    await it.env.advance(5_000)
    await until('the list was read again', () => it.env.timers() === 1)
    expect(hubs.links()).toBe(first)
    await it.db.query.insert(table).values({ id: 'hub_2', ...started, selfUrl: 'http://two.example:8080' })
    await it.env.advance(5_000)
    await until('the list is another', () => hubs.links() !== first)
    expect(hubs.links()).toEqual(['wss://one.example/hosts/link', 'ws://two.example:8080/hosts/link'])
    hubs.stop()
  })
})

describe.each(testDialects)('a host that sits out, on %s', (dialect) => {
  test('is tripped when all it offers sits out, and says which where only some does', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin', 'token_1')
    await it.db.query.insert(it.db.tables.hubs).values({ id: 'hub_1', startedAt: it.env.now(), seenAt: it.env.now() })
    const presence = new Presence(it.env, it.db, silentLog, 'hub_1')
    const shown = async () => {
      await presence.flush()
      const found = await findHost(it.env, it.db, berlin)
      return [found?.state, found?.tripped]
    }
    presence.tripped(berlin, ['a', 'other'])
    presence.set(berlin, { epoch: 1, state: 'ready', models: ['a', 'b'], run: null, rests: null })
    expect(await shown()).toEqual(['ready', ['a']])
    presence.tripped(berlin, ['a', 'b'])
    expect(await shown()).toEqual(['tripped', ['a', 'b']])
    // What the tunnel says anew does not undo it.
    presence.set(berlin, { epoch: 2, state: 'ready', models: ['a', 'b'], run: null, rests: null })
    expect(await shown()).toEqual(['tripped', ['a', 'b']])
    presence.set(berlin, { epoch: 2, state: 'draining', models: ['a', 'b'], run: null, rests: null })
    expect(await shown()).toEqual(['draining', ['a', 'b']])
    presence.set(berlin, { epoch: 2, state: 'ready', models: ['a', 'b'], run: null, rests: null })
    presence.tripped(berlin, [])
    expect(await shown()).toEqual(['ready', []])
  })
})

describe.each(testDialects)('a hub that was thought dead, on %s', (dialect) => {
  test('shows its hosts under the id it has now, and what it wrote before goes', async () => {
    await using it = await world(dialect)
    const berlin = await it.host('berlin', 'token_1')
    const { hubs: table, links } = it.db.tables
    const at = { startedAt: it.env.now(), seenAt: it.env.now() }
    await it.db.query.insert(table).values({ id: 'hub_1', ...at })
    const presence = new Presence(it.env, it.db, silentLog, 'hub_1')
    presence.set(berlin, { epoch: 1, state: 'ready', models: ['a'], run: null, rests: null })
    await presence.flush()
    await it.db.query.delete(table)
    await it.db.query.insert(table).values({ id: 'hub_1_again', ...at })
    presence.movesTo('hub_1_again')
    await presence.flush()
    const hubs = new Hubs(it.env, it.db, silentLog)
    await hubs.start()
    hubs.stop()
    expect(await findHost(it.env, it.db, berlin)).toMatchObject({ state: 'ready', hub: 'hub_1_again' })
    expect((await it.db.query.select().from(links)).map(({ hubId }) => hubId)).toEqual(['hub_1_again'])
  })
})

describe.each(testDialects)('an identity that two machines use, on %s (F-split)', (dialect) => {
  test('is refused with its token until a new one is used; its owner is told once', async () => {
    await using it = await world(dialect)
    const [old, fresh] = [await it.token(), await it.token()]
    const berlin = await it.host('berlin', old)
    const since = it.env.now() - 1
    await Promise.all([1, 2].map(() => lockHost(it.env, it.db, { hostId: berlin, tokenIds: [old, old] })))
    expect(await recentLocks(it.db, since)).toEqual([{ hostId: berlin, tokenId: old }])
    const told = await findHost(it.env, it.db, berlin)
    expect(told?.notices).toMatchObject([{ kind: 'cloned', at: it.env.now() }])
    expect(told?.notices[0]?.message).toMatch(/^berlin: Two machines/)

    expect(await it.enrol('berlin', old)).toBe('locked')
    expect(await it.enrol('oslo', old)).toHaveProperty('id')
    // The copy and the original, at one instant, with different tokens.
    expect(await Promise.all([it.enrol('berlin', old), it.enrol('berlin', fresh)])).toEqual([
      'locked',
      { id: berlin, vetted: false, quarantined: false, belowNetwork: false },
    ])
    expect((await findHost(it.env, it.db, berlin))?.notices).toEqual([])
    expect(await it.enrol('berlin', old)).toBe('locked')
  })

  test('what else its owner was told stays, whichever token it comes with and whichever is revoked', async () => {
    await using it = await world(dialect)
    const [old, fresh] = [await it.token(), await it.token()]
    const berlin = await it.host('berlin', old)
    await lockHost(it.env, it.db, { hostId: berlin, tokenIds: [old] })
    const { notices } = it.db.tables
    const [told] = await it.db.query.select().from(notices)
    // No kind there is today outlives a link; the next one may.
    await it.db.query.insert(notices).values({ ...told!, id: 'notice_2', kind: 'another' as 'cloned' })
    const kinds = async () => (await findHost(it.env, it.db, berlin))?.notices.map(({ kind }) => kind as string)
    expect((await kinds())?.toSorted()).toEqual(['another', 'cloned'])
    await it.enrol('berlin', fresh)
    expect(await kinds()).toEqual(['another'])
    await revokeHostToken(it.env, it.db, { id: old })
    expect(await kinds()).toEqual(['another'])
  })

  test('is free again, and the notice gone, when the token is revoked', async () => {
    await using it = await world(dialect)
    const old = await it.token()
    const berlin = await it.host('berlin', old)
    await lockHost(it.env, it.db, { hostId: berlin, tokenIds: [old] })
    expect(await revokeHostToken(it.env, it.db, { id: old })).toBe(true)
    expect(await recentLocks(it.db, 0)).toEqual([])
    expect((await findHost(it.env, it.db, berlin))?.notices).toEqual([])
  })

  test('is shut out within a second by every hub, whichever noticed', async () => {
    await using it = await world(dialect)
    const old = await it.token()
    const berlin = await it.host('berlin', old)
    const told: unknown[] = []
    const revoked = new RevokedTokens(it.env, it.db, silentLog, {
      revoke: (tokenIds) => void told.push(tokenIds),
      lock: (locks) => void told.push(locks),
      judge: (judged) => void told.push(judged),
    })
    revoked.start()
    await lockHost(it.env, it.db, { hostId: berlin, tokenIds: [old] })
    await it.env.advance(1_000)
    await until('it is noticed', () => told.length > 0)
    revoked.stop()
    expect(told).toEqual([[{ hostId: berlin, tokenId: old }]])
  })

  test('at different hubs is noticed after a minute side by side, and a machine that moved is not taken for two', async () => {
    await using it = await world(dialect)
    const [clonedToken, movedToken] = [await it.token(), await it.token()]
    const [cloned, moved] = [await it.host('cloned', clonedToken), await it.host('moved', movedToken)]
    const { links } = it.db.tables
    const link = (hostId: string, hubId: string, epoch: number, run: string) => ({
      ...{ hostId, hubId, epoch, run, state: 'ready' as const, models: [], since: it.env.now() },
    })
    await it.db.query
      .insert(links)
      .values([
        link(cloned, 'hub_1', 1, 'run_a'),
        link(cloned, 'hub_2', 1, 'run_b'),
        link(moved, 'hub_1', 1, 'run_a'),
        link(moved, 'hub_2', 1, 'run_b'),
      ])
    const doubles = new Doubles(it.env, it.db, silentLog, () => false)
    doubles.start()
    /** Lets the next look happen, whole. */
    const look = async () => {
      await it.env.advance(5_000)
      while (it.env.timers() === 0) await new Promise((resolve) => setImmediate(resolve))
    }
    for (let looks = 0; looks < 3; looks++) await look()
    // The dead link of the machine that moved is gone by now.
    await it.db.query.update(links).set({ run: 'run_b' }).where(eq(links.hostId, moved))
    for (let looks = 3; looks < 11; looks++) await look()
    expect(await recentLocks(it.db, 0)).toEqual([])
    await look()
    doubles.stop()
    expect(await recentLocks(it.db, 0)).toEqual([{ hostId: cloned, tokenId: clonedToken }])
    expect((await findHost(it.env, it.db, moved))?.notices).toEqual([])
  })
})
