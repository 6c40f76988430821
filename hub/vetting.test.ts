// How a machine gets from new to checked to vetted, with a whole hub.
import { describe, expect, test } from 'bun:test'
import type { Conduct } from '../host/testing.ts'
import { until } from '../sdk/testing.ts'
import { judgeHost } from './fleet/judge.ts'
import { findHost, type ListedHost } from './fleet/list.ts'
import { listActs } from './policy/acts.ts'
import { changeSettings } from './policy/change.ts'
import { startHub, type TestHub } from './testing.ts'
import { checksOf } from './verification/host-checks.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS
const real = { simulated: false }

const hostOf = async (it: TestHub, name: string): Promise<ListedHost> =>
  (await findHost(it.env, it.world.db, it.host(name).id))!

/** Lets time pass until the host is like that. */
const becomes = (it: TestHub, name: string, is: (host: ListedHost) => boolean, stepMs = 5_000) =>
  until(`${name} is so`, async () => {
    await it.env.advance(stepMs)
    const host = await hostOf(it, name)
    return is(host) ? host : null
  })

/** Until the hub has asked it, and knows what to make of it. */
const asked = (it: TestHub, name: string) =>
  until(`${name} was asked`, async () => {
    await it.env.advance(5_000)
    const [check] = await checksOf(it.world.db, it.host(name).id)
    return check ?? null
  })

const actsOn = async (it: TestHub, name: string) => listActs(it.world.db, { limit: 10, subject: it.host(name).id })

describe('a new host', () => {
  test('is asked one question, paid for it by the platform, and checked', async () => {
    await using it = await startHub()
    await it.addHost('berlin', {}, real)
    expect((await hostOf(it, 'berlin')).stage).toBe('new')
    const host = await becomes(it, 'berlin', ({ stage }) => stage === 'checked')
    expect(host).toMatchObject({ vetted: false, checkedAt: expect.any(Number) })
    const { tally } = it.host('berlin').engine
    expect(tally.requests).toBe(1)
    expect(await checksOf(it.world.db, host.id)).toMatchObject([
      { variant: 'gpuhub/emulator:emulated', passed: true, finding: expect.stringContaining('as it should') },
    ])
    expect((await it.balances()).berlin).toMatch(/^\$0\.0000\d+$/)
    // Once is enough.
    await it.env.advance(2 * MINUTE_MS)
    expect(tally.requests).toBe(1)
  })

  test.each<[string, Partial<Conduct>, string]>([
    ['counts too much', { claimFactor: 2 }, 'other tokens in its answer'],
    ['breaks off', { death: { afterTokens: 3, how: 'eof' } }, 'could not answer a plain question'],
    ['is broken', { refuseStatus: 500 }, 'could not answer a plain question'],
    ['refuses', { refuseStatus: 400 }, 'with status 400'],
    ['says nothing', { emptyAnswer: true }, 'It answered with nothing'],
  ])('that %s stays new, is told why, and is asked again later and less often', async (_, conduct, why) => {
    await using it = await startHub()
    await it.addHost('berlin', conduct, real)
    const check = await asked(it, 'berlin')
    expect(check).toMatchObject({ passed: false, finding: expect.stringContaining(why) })
    const { tally } = it.host('berlin').engine
    const asks = () => tally.requests + tally.refused
    const first = asks()
    await it.env.advance(MINUTE_MS - 20_000)
    expect(asks()).toBe(first)
    await until('it was asked again', async () => {
      await it.env.advance(5_000)
      return asks() > first
    })
    expect(await actsOn(it, 'berlin')).toEqual([])
    it.host('berlin').engine.set({ claimFactor: 1, death: null, refuseStatus: null, emptyAnswer: false })
    await becomes(it, 'berlin', ({ stage }) => stage === 'checked')
  })

  test('that is at work is not asked, so that it is not taken for slow', async () => {
    await using it = await startHub({ credit: { ada: '$1' } })
    await it.addHost('berlin', {}, real)
    const { engine } = it.host('berlin')
    const seconds = async (count: number) => {
      for (let second = 0; second < count; second++) await it.env.advance(1_000)
    }
    await seconds(29)
    engine.block()
    const answer = it.as('ada').chat('Why is the sky blue?')
    await engine.tally.until(({ running }) => running === 1)
    await seconds(16)
    expect(engine.tally.requests).toBe(1)
    expect(await checksOf(it.world.db, it.host('berlin').id)).toEqual([])
    engine.release()
    expect((await answer).status).toBe(200)
    await becomes(it, 'berlin', ({ stage }) => stage === 'checked')
  })

  test('whose card is simulated is not asked at all', async () => {
    await using it = await startHub({ hosts: { berlin: {} } })
    await it.env.advance(5 * MINUTE_MS)
    expect(it.host('berlin').engine.tally.requests).toBe(0)
    expect((await hostOf(it, 'berlin')).stage).toBe('new')
  })
})

describe('a checked host', () => {
  test('is vetted by itself after so many days and answers, where the team wishes so', async () => {
    await using it = await startHub({ credit: { ada: '$10' } })
    const { db } = it.world
    await it.addHost('berlin', {}, real)
    await becomes(it, 'berlin', ({ stage }) => stage === 'checked')
    const ask = async (times: number) => {
      for (let i = 0; i < times; i++) expect((await it.as('ada').chat(`question ${i}`)).status).toBe(200)
    }
    await ask(3)
    it.env.jump(8 * DAY_MS)
    await it.env.advance(6 * MINUTE_MS)
    expect((await hostOf(it, 'berlin')).stage).toBe('checked')

    await changeSettings(it.env, db, 'command line', { vetAfterRequests: 4 })
    await it.env.advance(6 * MINUTE_MS)
    expect((await hostOf(it, 'berlin')).stage).toBe('checked')
    await ask(1)
    await becomes(it, 'berlin', ({ stage }) => stage === 'vetted', 30_000)
    const [act] = await actsOn(it, 'berlin')
    expect(act).toMatchObject({ by: 'hub', what: 'host.vet', after: expect.stringContaining('4 answers in 7 days') })

    // An admin's word holds: it has to prove itself anew.
    await judgeHost(it.hub.platform.identity, { userId: 'usr_admin' }, it.host('berlin').id, { is: 'not vetted' })
    await it.env.advance(11 * MINUTE_MS)
    expect((await hostOf(it, 'berlin')).stage).toBe('checked')
  })
})
