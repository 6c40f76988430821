import { describe, expect, test } from 'bun:test'
import { testDialects } from '../../db/testing.ts'
import { newId } from '../../sdk/env.ts'
import { until } from '../../sdk/testing.ts'
import { NO_ALLOWANCE } from '../identity/allowances.ts'
import type { Bearer } from '../identity/keyring.ts'
import { balance } from '../ledger/balance.ts'
import type { Ledger } from '../ledger/ledger.ts'
import { ADA, pay, type TestBooks, testBooks } from '../ledger/testing.ts'
import { silentLog } from '../log.ts'
import { First, Onces } from './onces.ts'
import type { KeptAnswer } from './sealed.ts'

const bearer: Bearer = {
  ...{
    keyId: 'key_ada',
    userId: 'ada',
    account: ADA,
    suspended: false,
    suspendedFor: null,
    terms: null,
    acknowledged: new Set(),
    limited: false,
  },
  ...{ allowance: { key: NO_ALLOWANCE, account: NO_ALLOWANCE }, budget: null, expiresAt: null, models: null },
}
const answer: KeptAnswer = { headers: { 'x-request-id': 'req_1' }, body: '{"text":"tea"}' }

const hubOn = async (books: TestBooks, selfUrl: string | null = null) => {
  const ledger = await books.hub({ selfUrl, alone: false })
  return { ledger, onces: new Onces(books.env, books.world.db, ledger, silentLog) }
}
const wishOf = (books: TestBooks, key = 'order-7', body = '{"a":1}') => ({
  ...{ requestId: newId(books.env, 'req'), bearer, apiKey: 'gh_ada', route: 'chat', key, stream: false },
  body: new TextEncoder().encode(body),
})
const begin = (onces: Onces, wish: ReturnType<typeof wishOf>) =>
  onces.begin(wish).catch((error: { code: string }) => error.code)
const first = async (onces: Onces, wish: ReturnType<typeof wishOf>): Promise<First> => {
  const begun = await onces.begin(wish)
  if (!(begun instanceof First)) throw new Error('somebody was first')
  return begun
}
const leave = (...hubs: { ledger: Ledger }[]) => Promise.all(hubs.map(({ ledger }) => ledger.close()))

describe.each(testDialects)('idempotency keys on %s', (dialect) => {
  test('of a hundred requests at once, through two hubs, one is the first', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hubs = [await hubOn(books), await hubOn(books)]
    const outcomes = await Promise.all(
      Array.from({ length: 100 }, (_, at) => begin(hubs[at % 2]!.onces, wishOf(books))),
    )
    expect(outcomes.filter((outcome) => outcome instanceof First).length).toBe(1)
    expect(outcomes.filter((outcome) => outcome === 'idempotency_in_progress').length).toBe(99)
    await leave(...hubs)
  })

  test('an answer that one hub kept is given by the other', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const [one, two] = [await hubOn(books), await hubOn(books)]
    expect(await (await first(one.onces, wishOf(books))).keep(answer)).toBe(true)
    expect(await two.onces.begin(wishOf(books))).toEqual(answer)
    await leave(one, two)
  })

  test('an answer that cannot be read just now is nobody’s mistake: its client may try again', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await hubOn(books)
    await (await first(hub.onces, wishOf(books))).keep(answer)
    const read = hub.ledger.keptAnswer.bind(hub.ledger)
    hub.ledger.keptAnswer = () => Promise.reject(new Error('the disk is away'))
    expect(await begin(hub.onces, wishOf(books))).toBe('hub_unavailable')
    hub.ledger.keptAnswer = read
    expect(await begin(hub.onces, wishOf(books))).toEqual(answer)
    await leave(hub)
  })

  test('what a hub was doing when it died is free for the next, and charged once', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const dead = await hubOn(books, 'http://hub.test')
    const wish = wishOf(books)
    await first(dead.onces, wish)
    // Settled, and dead before the answer was kept or delivered.
    await pay(dead.ledger, wish.requestId, 100n, { stream: false })
    const heir = await hubOn(books, 'http://hub.test')
    const again = wishOf(books)
    const redone = await first(heir.onces, again)
    await pay(heir.ledger, again.requestId, 100n, { stream: false })
    await redone.keep(answer)
    expect(await heir.onces.begin(wishOf(books))).toEqual(answer)
    expect(await balance(books.world.db, ADA)).toBe(900n)
    await leave(heir)
  })

  test('an answer that a hub kept before it died is fetched from the next, and charged once', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const dead = await hubOn(books, 'http://hub.test')
    const wish = wishOf(books)
    const begun = await first(dead.onces, wish)
    await pay(dead.ledger, wish.requestId, 100n, { stream: false })
    await begun.keep(answer)
    const heir = await hubOn(books, 'http://hub.test')
    expect(await balance(books.world.db, ADA)).toBe(900n)
    expect(await heir.onces.begin(wishOf(books))).toEqual(answer)
    await leave(heir)
    expect(await balance(books.world.db, ADA)).toBe(900n)
  })

  test('a hub that was thought dead and lost its key gives its charge back', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const paused = await hubOn(books)
    const wish = wishOf(books)
    const begun = await first(paused.onces, wish)
    const { hubs } = books.world.db.tables
    await books.world.db.query.delete(hubs)
    const other = await hubOn(books)
    const taker = wishOf(books)
    const taken = await first(other.onces, taker)
    await pay(paused.ledger, wish.requestId, 100n, { stream: false })
    const refused = await begun.keep(answer).catch((error: { code: string }) => error.code)
    expect(refused).toBe('idempotency_in_progress')
    await pay(other.ledger, taker.requestId, 100n, { stream: false })
    expect(await taken.keep(answer)).toBe(true)
    await until('the charge is given back', async () => (await balance(books.world.db, ADA)) === 900n)
    await leave(paused, other)
  })

  test('a hub that was thought dead and lost nothing goes on', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const paused = await hubOn(books)
    const begun = await first(paused.onces, wishOf(books))
    await books.world.db.query.delete(books.world.db.tables.hubs)
    await pay(paused.ledger, 'req_other', 100n)
    expect(await begun.keep(answer)).toBe(true)
    expect(await paused.onces.begin(wishOf(books))).toEqual(answer)
    await leave(paused)
  })

  test('an answer of more than a megabyte is not kept, and the retry is told what it cost', async () => {
    await using books = await testBooks(dialect, { ada: 1_000_000n })
    const hub = await hubOn(books)
    const wish = wishOf(books)
    const begun = await first(hub.onces, wish)
    await pay(hub.ledger, wish.requestId, 123_000n, { stream: false })
    const large = { headers: {}, body: 'é'.repeat(600_000) }
    expect(await begun.keep(large)).toBe(false)
    const told = await hub.onces.begin(wishOf(books)).catch((error: { code: string; message: string }) => error)
    expect(told).toMatchObject({ code: 'idempotency_body_not_kept' })
    expect((told as { message: string }).message).toContain(wish.requestId)
    expect((told as { message: string }).message).toContain('$0.000123')
    const fits = await first(hub.onces, wishOf(books, 'order-8'))
    expect(await fits.keep({ headers: {}, body: 'x'.repeat(1024 * 1024) })).toBe(true)
    await leave(hub)
  })

  test('keys are tidied some at a time, and one that was left behind is freed', async () => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    const hub = await hubOn(books)
    const wishes = Array.from({ length: 250 }, (_, at) => wishOf(books, `order-${at}`))
    const begun = await Promise.all(wishes.map((wish) => first(hub.onces, wish)))
    // What the books could not take: the hub knows that it is over, they do not.
    const { forget } = hub.ledger
    hub.ledger.forget = () => {}
    for (const one of begun.slice(0, 10)) one.forget()
    hub.ledger.forget = forget
    const rows = () => books.world.db.query.$count(books.world.db.tables.onces)
    await hub.onces.tidy()
    expect(await rows()).toBe(250)
    books.env.jump(60_000)
    await hub.onces.tidy()
    expect(await rows()).toBe(240)
    await Promise.all(begun.slice(10).map((one) => one.keep(null)))
    books.env.jump(25 * 60 * 60_000)
    await hub.onces.tidy()
    expect(await rows()).toBe(40)
    await hub.onces.tidy()
    expect(await rows()).toBe(0)
    await leave(hub)
  })
})
