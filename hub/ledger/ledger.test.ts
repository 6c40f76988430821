import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { parseUsd } from '../../sdk/money.ts'
import { until } from '../../sdk/testing.ts'
import { balance } from './balance.ts'
import { FEES, pendingAccount, RELIABILITY } from './chart.ts'
import { postCredit } from './credit.ts'
import type { Hold } from './ledger.ts'
import { statement } from './statement.ts'
import { ADA, ended, openTestLedger, pay, refusalOf, stillEnv, testBooks } from './testing.ts'

const BERLIN = pendingAccount('berlin')

describe.each(testDialects)('money on %s', (dialect) => {
  test('a settled answer costs the client its price, pays the host and leaves the fee', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    const hold = await hub.hold(ADA, 100n)
    expect(hub.openHolds()).toBe(1)
    expect(await hub.spendable(ADA)).toEqual({ balance: 1_000n, held: 100n, available: 900n })
    expect(await hub.settle(hold, { ...ended('req_1'), cost: 61n })).toEqual({ cost: 61n, fee: 9n, hostShare: 52n })
    expect(hub.openHolds()).toBe(0)
    expect(await hub.spendable(ADA)).toEqual({ balance: 939n, held: 0n, available: 939n })
    expect(await balance(books.world.db, BERLIN)).toBe(52n)
    expect(await balance(books.world.db, FEES)).toBe(9n)
    await hub.close()
  })

  test('an answer that costs nothing is written down and moves nothing', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    await pay(hub, 'req_free', 0n)
    hub.record(ended('req_failed', { state: 'failed', hostId: null, errorCode: 'upstream_error' }))
    hub.delivered('req_free')
    await hub.close()
    expect(await books.audit()).toMatchObject({ postings: 1, requests: 2 })
    expect(await balance(books.world.db, ADA)).toBe(1_000n)
  })

  test('a released hold leaves the balance as it was, and a hold ends once', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    const hold = await hub.hold(ADA, 1_000n)
    expect(await refusalOf(() => hub.hold(ADA, 1n))).toBe('insufficient_quota')
    hub.release(hold)
    expect(await refusalOf(() => hub.release(hold))).toContain('ends once')
    const again = await hub.hold(ADA, 1_000n)
    await hub.settle(again, { ...ended('req_1'), cost: 1n })
    expect(await refusalOf(() => hub.settle(again, { ...ended('req_2'), cost: 1n }))).toContain('ends once')
    expect(await balance(books.world.db, ADA)).toBe(999n)
    await hub.close()
  })

  test('charging more than was held is a bug; nothing is charged and the hold is over', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    const hold = await hub.hold(ADA, 10n)
    expect(await refusalOf(() => hub.settle(hold, { ...ended('req_1'), cost: 11n }))).toContain('more than was held')
    expect(hub.openHolds()).toBe(0)
    expect(await hub.spendable(ADA)).toMatchObject({ available: 1_000n })
    await hub.close()
  })

  test('a refusal says what is needed and what is there', async () => {
    await using books = await testBooks(dialect, { ada: parseUsd('0.25') })
    const hub = await books.hub()
    const message = await (async () => hub.hold(ADA, parseUsd('0.30')))().catch((error) => String(error))
    expect(message).toContain('up to $0.30 and the balance has $0.25 free')
    expect(await refusalOf(() => hub.hold('client:nobody', 1n))).toBe('insufficient_quota')
    await hub.close()
  })

  test('credit with the same key is given once, by the hub and by a command beside it', async () => {
    await using books = await testBooks(dialect)
    const hub = await books.hub()
    const credit = { account: ADA, amount: 5n, key: 'gift', note: 'welcome' }
    const given = await Promise.all([
      hub.credit(credit),
      hub.credit(credit),
      postCredit(books.env, books.world.db, credit),
    ])
    expect(given.filter(Boolean).length).toBe(1)
    expect(await postCredit(books.env, books.world.db, { ...credit, key: 'other' })).toBe(true)
    expect(await balance(books.world.db, ADA)).toBe(10n)
    await hub.close()
  })

  test('an account holds up to what a database can, exactly', async () => {
    await using books = await testBooks(dialect, { ada: 2n ** 63n - 1n })
    const hub = await books.hub()
    const more = hub.credit({ account: ADA, amount: 1n, key: 'more', note: '' })
    expect(await refusalOf(() => more)).toBe('invalid_request')
    await pay(hub, 'req_1', 9_007_199_254_740_993n)
    await hub.credit({ account: ADA, amount: 9_007_199_254_740_993n, key: 'back', note: '' })
    await hub.close()
    expect(await balance(books.world.db, ADA)).toBe(2n ** 63n - 1n)
  })

  test('two thousand holds at once, on two hubs, for a balance of ten: exactly ten', async () => {
    await using books = await testBooks(dialect, { ada: 100n })
    const hubs = [await books.hub({ alone: false }), await books.hub({ alone: false })]
    const asked = await Promise.all(
      Array.from({ length: 2_000 }, async (_, i) => {
        const hub = hubs[i % 2]!
        try {
          return { hub, hold: await hub.hold(ADA, 10n) }
        } catch (error) {
          return (error as { code?: string }).code
        }
      }),
    )
    const held = asked.filter((each): each is { hub: (typeof hubs)[0]; hold: Hold } => typeof each === 'object')
    expect(held.length).toBe(10)
    expect(asked.filter((each) => each === 'insufficient_quota').length).toBe(1_990)
    await Promise.all(held.map(({ hub, hold }, i) => hub.settle(hold, { ...ended(`req_${i}`), cost: 10n })))
    expect(await balance(books.world.db, ADA)).toBe(0n)
    for (const hub of hubs) await hub.close()
  })

  test('most holds need no database: a tenth is taken at a time, and goes back when nobody asks', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    const first = await hub.hold(ADA, 10n)
    expect((await books.audit()).granted).toBe(100n)
    const second = hub.hold(ADA, 90n)
    expect(second).not.toBeInstanceOf(Promise)
    hub.release(first)
    hub.release(second as Hold)
    expect((await books.audit()).openHolds).toBe(1)
    await books.env.advance(6_000)
    await until('the grant is back', async () => (await books.audit()).granted === 0n)
    await hub.close()
  })

  test('when little is left no more is taken than is held, and the rest goes back with the charge', async () => {
    await using books = await testBooks(dialect, { ada: 100n })
    const hub = await books.hub()
    const hold = await hub.hold(ADA, 60n)
    expect((await books.audit()).granted).toBe(60n)
    await hub.settle(hold, { ...ended('req_1'), cost: 1n })
    expect((await books.audit()).granted).toBe(0n)
    hub.release(await hub.hold(ADA, 99n))
    await until('the grant is back', async () => (await books.audit()).granted === 0n)
    await hub.close()
  })

  test('holds of one account wait for one answer of the database', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    let trips = 0
    const hub = await books.hub({ fault: (point) => void (point === 'begun' && trips++) })
    trips = 0
    const holds = await Promise.all(Array.from({ length: 500 }, async () => hub.hold(ADA, 2n)))
    expect(holds.length).toBe(500)
    expect(trips).toBeLessThan(5)
    await hub.close()
  })

  test('one refused settlement leaves its neighbours in peace', async () => {
    await using books = await testBooks(dialect, { ada: 10_000n })
    const hub = await books.hub()
    const bad = 7
    const results = await Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const hold = await hub.hold(ADA, 10n)
        // No database takes a finish reason that is an object.
        const finishReason = i === bad ? ({} as unknown as string) : 'stop'
        const fromHost = i === bad ? { finishReason, attempts: Number.NaN } : { finishReason }
        return refusalOf(() => hub.settle(hold, { ...ended(`req_${i}`, fromHost), cost: 10n }))
      }),
    )
    expect(results.filter((result) => result === null).length).toBe(19)
    expect(results[bad]).toBe('hub_unavailable')
    expect(await hub.spendable(ADA)).toMatchObject({ balance: 9_810n, available: 9_810n })
    await hub.close()
  })

  test('an account is read newest first, page by page', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    for (const i of [1, 2, 3]) {
      await books.env.advance(10)
      await pay(hub, `req_${i}`, BigInt(i))
    }
    const { db } = books.world
    const page = await statement(db, ADA, { limit: 2, before: null })
    expect(page.map(({ posting, amount }) => [posting, amount])).toEqual([
      ['req_3', -3n],
      ['req_2', -2n],
    ])
    const rest = await statement(db, ADA, { limit: 10, before: page[1]! })
    expect(rest.map(({ posting, kind }) => [posting, kind])).toEqual([
      ['req_1', 'usage'],
      ['credit:ada', 'credit'],
    ])
    await hub.close()
  })

  test('an answer that could not be delivered is refunded, and the host keeps its share', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    await pay(hub, 'req_1', 100n)
    hub.refund('req_1')
    hub.refund('req_1')
    const { db } = books.world
    await until('it is refunded', async () => (await balance(db, ADA)) === 1_000n)
    await hub.close()
    expect(await balance(db, BERLIN)).toBe(85n)
    expect(await balance(db, RELIABILITY)).toBe(-100n)
  })

  test('leaving returns every grant, gives open holds back and refunds what was never delivered', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await books.hub()
    await hub.hold(ADA, 500n)
    await pay(hub, 'req_delivered', 10n)
    await pay(hub, 'req_cut', 10n)
    await pay(hub, 'req_hung_up', 10n, { state: 'cancelled' })
    hub.delivered('req_delivered')
    await hub.close()
    expect(await books.audit()).toMatchObject({ granted: 0n, openHolds: 0 })
    const { db } = books.world
    expect(await db.query.select().from(db.tables.hubs)).toEqual([])
    expect(await balance(db, ADA)).toBe(980n)
    expect(await refusalOf(() => hub.hold(ADA, 1n))).toBe('hub_unavailable')
  })
})

describe.each(testDialects)('a hub that dies, on %s', (dialect) => {
  test('is cleared up after by the next: no grant stays, only what was not delivered is refunded, once', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const address = { selfUrl: 'http://hub.test' }
    const dead = await books.hub(address)
    await dead.hold(ADA, 500n)
    await pay(dead, 'req_delivered', 10n)
    await pay(dead, 'req_cut', 10n)
    dead.delivered('req_delivered')
    await pay(dead, 'req_cut_too', 10n)

    const heirs = [await books.hub(address), await books.hub(address)]
    const { db } = books.world
    expect(await balance(db, ADA)).toBe(990n)
    expect(await books.audit()).toMatchObject({ granted: 0n })
    const { requests } = db.tables
    const lost = await db.query.select({ id: requests.id }).from(requests).where(eq(requests.state, 'lost'))
    expect(lost.map(({ id }) => id).sort()).toEqual(['req_cut', 'req_cut_too'])
    for (const hub of heirs) await hub.close()
  })

  test('among others is buried once its row stands still, and only then', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const away = await books.hub({ alone: false, selfUrl: 'http://a.test' })
    await away.hold(ADA, 500n)
    await pay(away, 'req_cut', 10n)

    // A world of its own clock: `away` stands still in this one.
    const env = stillEnv(2)
    const watcher = await openTestLedger(env, books.world, { alone: false, selfUrl: 'http://b.test' })
    const step = async () => {
      await env.advance(5_000)
      await Bun.sleep(20)
    }
    for (let i = 0; i < 5; i++) await step()
    expect((await books.audit()).granted > 0n).toBe(true)
    const { db } = books.world
    await until('it is buried', async () => {
      await step()
      return (await db.query.select().from(db.tables.grants)).length === 0
    })
    await until('and its answer refunded', async () => (await balance(db, ADA)) === 1_000n)

    // It was only paused: what it still runs is charged to what is free, or refused, and then it goes on as before.
    const before = away.hubId
    await pay(away, 'req_after', 20n)
    expect(away.hubId).not.toBe(before)
    expect(await balance(db, ADA)).toBe(980n)
    await watcher.close()
    await away.close()
  })

  test('and comes back charges what is free, or is refused, never another’s grant', async () => {
    await using books = await testBooks(dialect, { ada: 100n })
    const paused = await books.hub({ alone: false })
    const [small, large] = [await paused.hold(ADA, 30n), await paused.hold(ADA, 60n)]
    const heir = await books.hub({ alone: true })
    const taken = await heir.hold(ADA, 60n)

    expect(await refusalOf(() => paused.settle(large, { ...ended('req_large'), cost: 60n }))).toBe('insufficient_quota')
    await paused.settle(small, { ...ended('req_small'), cost: 30n })
    await heir.settle(taken, { ...ended('req_taken'), cost: 60n })
    expect(await balance(books.world.db, ADA)).toBe(10n)
    await paused.close()
    await heir.close()
  })
})
