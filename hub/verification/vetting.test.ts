import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { Enrolment } from '../fleet/enrol.ts'
import { judgeHost } from '../fleet/judge.ts'
import { findHost } from '../fleet/list.ts'
import { addUser } from '../identity/users.ts'
import { silentLog } from '../log.ts'
import { listActs } from '../policy/acts.ts'
import { defaults } from '../policy/settings.ts'
import { helloOf } from '../tunnel/testing.ts'
import type { Finding } from './finding.ts'
import { checksOf, HostChecks } from './host-checks.ts'
import { missing, missingFor, vetByRecord } from './vetting.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const good: Finding = { passed: true, finding: 'It answered as it should.', tokensPerSecond: 40.2 }
const bad: Finding = { passed: false, finding: 'It answered with nothing.', tokensPerSecond: null }

/** A host that offers two models to two hubs. */
async function world(dialect: (typeof testDialects)[number]) {
  const env = {
    ...virtualEnv({ now: Date.UTC(2026, 10, 23, 12) }),
    soon: (work: () => void) => void setImmediate(work),
  }
  const { db, drop } = await testDatabase(dialect)
  const owner = await addUser(env, db, { email: 'berlin@example.com', roles: ['host'] })
  const { hardware } = helloOf({})
  const machine = { machine: 'berlin', name: 'berlin', agent: 'test', hardware, ownerId: owner.id, tokenId: 'token' }
  const enrolled = await new Enrolment(env, db).host(machine)
  if (typeof enrolled === 'string') throw new Error(enrolled)
  const hostId = enrolled.id
  const { hubs, links } = db.tables
  const link = { hostId, epoch: 1, state: 'ready' as const, models: ['a', 'b'], since: env.now() }
  for (const id of ['hub_a', 'hub_b']) {
    await db.query.insert(hubs).values({ id, startedAt: env.now(), seenAt: env.now() })
    await db.query.insert(links).values({ ...link, hubId: id })
  }
  const asked: string[] = []
  const says: Record<string, Finding | null> = { a: good, b: good }
  const ask = async ({ variant }: { variant: string }) => {
    asked.push(variant)
    return says[variant] ?? null
  }
  const ids = ['hub_a', 'hub_b']
  const checks = ids.map((_, at) => new HostChecks({ env, db, log: silentLog, hubId: () => ids[at]!, ask }))
  const news = { tell: async () => false }
  return {
    ...{ env, db, hostId, asked, says, news },
    /** Both hubs were thought dead, and are known under other ids. */
    async enrolAnew(): Promise<void> {
      for (const [at, before] of ids.entries()) {
        ids[at] = `${before}_again`
        await db.query.update(hubs).set({ id: ids[at] }).where(eq(hubs.id, before))
        await db.query.update(links).set({ hubId: ids[at] }).where(eq(links.hubId, before))
      }
    },
    /** Both hubs look, at the same moment. */
    look: () => Promise.all(checks.map((each) => each.run())),
    host: async () => (await findHost(env, db, hostId))!,
    async answers(count: number, differ = 0) {
      const { requests } = db.tables
      const sums = {
        promptPicos: 1,
        completionPicos: 1,
        cost: 1n,
        fee: 0n,
        hostShare: 1n,
        attempts: 1,
        delivered: true,
      }
      const row = {
        ...{ hubId: 'hub_a', userId: 'usr_1', keyId: 'key_1', variant: 'a', state: 'completed' as const, stream: true },
        ...{ at: env.now(), endedAt: env.now(), promptTokens: 1, completionTokens: 1, hostId, ...sums },
      }
      const before = await db.query.$count(requests)
      const rows = Array.from({ length: count }, (_, i) => ({
        ...row,
        ...{ id: `req_${before + i}`, countsDiffer: i < differ },
      }))
      await db.query.insert(requests).values(rows)
    },
    [Symbol.asyncDispose]: drop,
  }
}

describe.each(testDialects)('a new host on %s', (dialect) => {
  test('is asked by one of its hubs, about each of its models, once it has settled', async () => {
    await using it = await world(dialect)
    await it.look()
    expect(it.asked).toEqual([])
    await it.env.advance(MINUTE_MS)
    await it.look()
    expect(it.asked.toSorted()).toEqual(['a', 'b'])
    expect((await it.host()).stage).toBe('checked')
    await it.look()
    expect(it.asked).toHaveLength(2)
    const [act, ...more] = await listActs(it.db, { limit: 5, subject: it.hostId })
    expect(more).toEqual([])
    expect(act).toMatchObject({
      ...{ by: 'hub', what: 'host.check', before: 'new' },
      after: ['a: It answered as it should.', 'b: It answered as it should.'],
    })
  })

  test('is asked by a hub that has another id since', async () => {
    await using it = await world(dialect)
    await it.enrolAnew()
    await it.env.advance(MINUTE_MS)
    await it.look()
    expect((await it.host()).stage).toBe('checked')
  })

  test('is checked only when all its models are, and asked less and less often until then', async () => {
    await using it = await world(dialect)
    it.says.b = bad
    const asksWithin = async (minutes: number) => {
      const before = it.asked.length
      for (let minute = 0; minute < minutes; minute++) {
        await it.env.advance(MINUTE_MS)
        await it.look()
      }
      return it.asked.slice(before).join('')
    }
    expect(['ab', 'ba']).toContain(await asksWithin(1))
    // In a minute, in two, in four, in eight.
    expect(await asksWithin(16)).toBe('bbbb')
    expect((await it.host()).stage).toBe('new')
    expect(await checksOf(it.db, it.hostId)).toMatchObject([
      { variant: 'a', passed: true },
      { variant: 'b', ...shown(bad) },
    ])
    it.says.b = good
    expect(await asksWithin(16)).toBe('b')
    expect((await it.host()).stage).toBe('checked')
  })

  test('that cannot be asked now is asked a little later, and nothing is said of it', async () => {
    await using it = await world(dialect)
    it.says.a = it.says.b = null
    await it.env.advance(MINUTE_MS)
    await it.look()
    expect(await checksOf(it.db, it.hostId)).toEqual([])
    it.says.a = it.says.b = good
    await it.env.advance(MINUTE_MS)
    await it.look()
    expect((await it.host()).stage).toBe('checked')
  })
})

const shown = ({ passed, finding }: Finding) => ({ passed, finding })

describe.each(testDialects)('a checked host on %s', (dialect) => {
  test('is vetted by its record where the team wishes so, and proves itself anew when that is taken back', async () => {
    await using it = await world(dialect)
    await it.env.advance(MINUTE_MS)
    await it.look()
    let settings = defaults
    const vetting = { ...it, policy: { current: () => settings } }
    const vet = async () => {
      await vetByRecord(vetting)
      return (await it.host()).stage
    }
    await it.answers(200, 2)
    await it.env.advance(8 * DAY_MS)
    expect(await vet()).toBe('checked')
    settings = { ...defaults, vetAfterRequests: 250 }
    expect([await vet(), await missingFor(it.db, settings, await it.host())]).toEqual(['checked', '200 of 250 answers'])
    await it.answers(50)
    expect(await vet()).toBe('vetted')
    const [act] = await listActs(it.db, { limit: 1, subject: it.hostId })
    expect(act).toMatchObject({ by: 'hub', what: 'host.vet', after: expect.stringContaining('250 answers in 7 days') })
    await it.env.advance(1_000)
    await judgeHost(it, { userId: 'usr_boss' }, it.hostId, { is: 'not vetted' })
    expect(await vet()).toBe('checked')
    await it.env.advance(8 * DAY_MS)
    expect([await vet(), await missingFor(it.db, settings, await it.host())]).toEqual(['checked', '0 of 250 answers'])
  })

  test('is not vetted before its days are over, in quarantine, or with a network below the minimum', async () => {
    await using it = await world(dialect)
    await it.env.advance(MINUTE_MS)
    await it.look()
    await it.answers(10)
    const settings = { ...defaults, vetAfterRequests: 10 }
    const vet = async () => {
      await vetByRecord({ ...it, policy: { current: () => settings } })
      return (await it.host()).stage
    }
    expect(await vet()).toBe('checked')
    await it.env.advance(8 * DAY_MS)
    const { hosts } = it.db.tables
    const change = (what: Partial<typeof hosts.$inferInsert>) =>
      it.db.query.update(hosts).set(what).where(eq(hosts.id, it.hostId))
    await change({ quarantinedAt: 1 })
    expect(await vet()).toBe('checked')
    await change({ quarantinedAt: null, belowNetworkAt: 1 })
    expect(await vet()).toBe('checked')
    await change({ belowNetworkAt: null })
    expect(await vet()).toBe('vetted')
  })
})

test.each([
  [{ completed: 500, differ: 0, failed: 0 }, null],
  [{ completed: 500, differ: 5, failed: 5 }, null],
  [{ completed: 499, differ: 0, failed: 0 }, '499 of 500 answers'],
  [{ completed: 500, differ: 6, failed: 0 }, '6 answers that it counted otherwise, at most 5 of 500 may be'],
  [{ completed: 500, differ: 0, failed: 6 }, '6 attempts that failed on it, at most 5 to 500 answers may'],
])('a host with the record %j lacks %j', (record, lacks) => {
  expect(missing(record, 500)).toBe(lacks)
})
