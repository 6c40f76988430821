import { describe, expect, test } from 'bun:test'
import { eq, sql } from 'drizzle-orm'
import { type TestDatabase, testDialects } from '../../db/testing.ts'
import { systemEnv } from '../../sdk/env.ts'
import type { Money } from '../../sdk/money.ts'
import { until } from '../../sdk/testing.ts'
import { balance } from './balance.ts'
import { pendingAccount } from './chart.ts'
import type { Hold, Once } from './ledger.ts'
import type { FaultPoint } from './store.ts'
import { ADA, ended, openTestLedger, pay, refusalOf, stillEnv, type TestBooks, testBooks } from './testing.ts'

const POINTS: FaultPoint[] = ['begun', 'read', 'written', 'committed']

describe.each(testDialects)('on %s', (dialect) => {
  test.each(POINTS)(
    'a hub that dies when a settlement is %s bills nobody for an answer that was not delivered',
    async (point) => {
      await using books = await testBooks(dialect, { ada: 1_000n })
      let dying = false
      const fault = (at: FaultPoint) => {
        if (dying && at === point) throw Object.assign(new Error('died'), { code: 'SQLITE_IOERR' })
      }
      const dead = await books.hub({ fault, selfUrl: 'http://hub.test' })
      const hold = await dead.hold(ADA, 100n)
      dying = true
      // Its clock stands still, so it never tries again: it is dead.
      const settled = dead.settle(hold, { ...ended('req_1'), cost: 100n })
      let reached = false
      void settled.finally(() => (reached = true)).catch(() => {})
      await until('it died', async () => !reached && (await untouchedFor(books, 3)))

      const heir = await books.hub({ selfUrl: 'http://hub.test' })
      expect(await balance(books.world.db, ADA)).toBe(1_000n)
      const committed = point === 'committed'
      expect(await balance(books.world.db, pendingAccount('berlin'))).toBe(committed ? 85n : 0n)
      await pay(heir, 'req_2', 1_000n)
      expect(await balance(books.world.db, ADA)).toBe(0n)
      await heir.close()
    },
  )

  test('a database that fails at random instants bills exactly what was acknowledged', async () => {
    for (const seed of dialect === 'sqlite' ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2]) await stormyWeather(dialect, seed)
  })

  test('a database that is away for longer than a client waits bills nothing of what it did not acknowledge', async () => {
    for (const point of POINTS) {
      await using books = await testBooks(dialect, { ada: 1_000n })
      let down = false
      const fault = (at: FaultPoint) => {
        if (down && at === point) throw Object.assign(new Error('away'), { code: 'SQLITE_IOERR' })
      }
      const hub = await books.hub({ fault })
      const hold = await hub.hold(ADA, 100n)
      const hopeless = refusalOf(async () => {
        down = true
        await hub.hold('client:bob', 1n)
      })
      const settled = refusalOf(() => hub.settle(hold, { ...ended('req_1'), cost: 100n }))
      await passTime(books, 13_000)
      expect([await settled, await hopeless]).toEqual(['hub_unavailable', 'hub_unavailable'])
      down = false
      await passTime(books, 5_000)
      expect(await hub.spendable(ADA)).toMatchObject({ balance: 1_000n, available: 1_000n })
      await hub.close()
    }
  })
})

describe.each(testDialects)('a request with an Idempotency-Key on %s', (dialect) => {
  test.each(POINTS)('does not wait for ever for a database that fails %s', async (point) => {
    await using books = await testBooks(dialect, { ada: 1_000n })
    let down = false
    const fault = (at: FaultPoint) => {
      if (down && at === point) throw Object.assign(new Error('away'), { code: 'SQLITE_IOERR' })
    }
    const hub = await books.hub({ fault })
    const once = (id: string): Once => ({
      ...{ id, requestId: `req_${id}`, userId: 'ada', keyId: 'key_ada', body: 'body', stream: false },
      ...{ at: books.env.now(), expiresAt: books.env.now() + 60_000 },
    })
    expect(await hub.begin(once('a'))).toBeNull()
    await pay(hub, 'req_a', 100n, { stream: false })
    down = true
    const kept = refusalOf(() => hub.keep(once('a'), 'sealed', books.env.now() + 60_000))
    const begun = refusalOf(() => hub.begin(once('b')))
    await passTime(books, 13_000)
    expect([await kept, await begun]).toEqual(['hub_unavailable', 'hub_unavailable'])
    down = false
    await passTime(books, 5_000)
    // It was kept in the end, and fetched it is delivered; the other key is nobody's.
    expect(await hub.begin({ ...once('a'), requestId: 'req_again' })).toMatchObject({ state: 'done', hasAnswer: true })
    expect(await hub.begin({ ...once('b'), requestId: 'req_other' })).toBeNull()
    await hub.close()
    expect(await balance(books.world.db, ADA)).toBe(900n)
  })
})

/** Time in which the database has a chance to answer. */
async function passTime({ env }: TestBooks, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 250) {
    await env.advance(250)
    await Bun.sleep(2)
  }
}

/** Whether nothing happens any more: no statement of ours is running. */
async function untouchedFor({ world }: TestBooks, looks: number): Promise<boolean> {
  for (let i = 0; i < looks; i++) {
    await Bun.sleep(5)
    if (world.db.dialect === 'sqlite') continue
    const busy = await world.db.rows(
      world.db.query,
      sql`select 1 from pg_stat_activity where datname = current_database() and state <> 'idle' and pid <> pg_backend_pid()`,
    )
    if (busy.length > 0) return false
  }
  return true
}

async function stormyWeather(dialect: 'sqlite' | 'postgres', seed: number): Promise<void> {
  await using books = await testBooks(dialect, { ada: 3_000n })
  const dice = stillEnv(seed)
  const roll = (sides: number) => (dice.random(1)[0] ?? 0) % sides
  let storm = false
  const fault = () => {
    if (storm && roll(12) === 0) throw Object.assign(new Error('a wave'), { code: 'SQLITE_IOERR' })
  }
  const hub = await openTestLedger(books.env, books.world, { fault })
  storm = true
  const acknowledged: Money[] = []
  let refused = 0
  const visit = async (i: number) => {
    const most = BigInt(1 + roll(60))
    let hold: Hold
    try {
      hold = await hub.hold(ADA, most)
    } catch {
      refused++
      return
    }
    await dice.flush()
    if (roll(5) === 0) return hub.release(hold)
    const cost = (most * BigInt(roll(11))) / 10n
    await hub.settle(hold, { ...ended(`req_${i}`), cost })
    hub.delivered(`req_${i}`)
    acknowledged.push(cost)
  }
  const visits = Promise.all(Array.from({ length: 150 }, (_, i) => visit(i)))
  let over = false
  void visits.finally(() => (over = true)).catch(() => {})
  while (!over) {
    // Too short a time for anybody to give up.
    await books.env.advance(20)
    await Bun.sleep(1)
  }
  await visits
  storm = false
  const closing = hub.close()
  await passTime(books, 3_000)
  await closing
  const spent = acknowledged.reduce((sum, cost) => sum + cost, 0n)
  expect(await balance(books.world.db, ADA)).toBe(3_000n - spent)
  expect(acknowledged.length + refused).toBeGreaterThan(50)
  expect(await books.audit()).toMatchObject({ granted: 0n })
}

describe('a process that is killed', () => {
  test.each(testDialects)(
    'on %s has in the books, exactly once, all it acknowledged',
    async (dialect) => {
      await using books = await testBooks(dialect, { ada: 1_000_000n })
      const { db } = books.world
      const acknowledged = new Map<string, Money>()
      for (let round = 0; round < 10; round++) await runAndKill(books.world, round, acknowledged)

      const heir = await books.hub({ selfUrl: 'http://hub.test' })
      const rows = await db.query.select().from(db.tables.requests)
      const states = new Map(rows.map(({ id, state, cost, delivered }) => [id, { state, cost, delivered }]))
      expect(acknowledged.size).toBeGreaterThan(0)
      for (const [id, cost] of acknowledged) expect(states.get(id)?.cost).toBe(cost)
      // The child marks every second answer delivered, before it says so.
      const charged = rows.filter(({ state }) => state === 'completed').reduce((sum, { cost }) => sum + cost, 0n)
      expect(await balance(db, ADA)).toBe(1_000_000n - charged)
      expect(await db.query.select().from(db.tables.grants).where(eq(db.tables.grants.account, ADA))).toEqual([])
      await heir.close()
    },
    60_000,
  )
})

/** A hub in a process of its own that settles as fast as it can, killed after a while. */
async function runAndKill(world: TestDatabase, round: number, acknowledged: Map<string, Money>): Promise<void> {
  const child = Bun.spawn(['bun', `${import.meta.dir}/testing/killed.ts`, world.url, String(round)], {
    stdout: 'pipe',
    stderr: 'inherit',
  })
  let text = ''
  let seen = 0
  const enough = 20 + 17 * round
  const decoder = new TextDecoder()
  for await (const bytes of child.stdout) {
    text += decoder.decode(bytes, { stream: true })
    seen = text.split('\n').length - 1
    if (seen >= enough) child.kill('SIGKILL')
  }
  await child.exited
  expect(seen).toBeGreaterThanOrEqual(enough)
  for (const line of text.split('\n').slice(0, -1)) {
    const [id = '', cost = '0'] = line.split(' ')
    acknowledged.set(id, BigInt(cost))
  }
}

describe.skipIf(!testDialects.includes('postgres'))('on PostgreSQL', () => {
  test('connections killed under load change nothing about what is billed', async () => {
    await using books = await testBooks('postgres', { ada: 1_000_000n })
    const { db } = books.world
    // Real time: the writer must find its way back by itself.
    const hub = await openTestLedger(systemEnv, books.world)
    let spent = 0n
    let stopped = false
    const client = async (name: number) => {
      for (let i = 0; !stopped; i++) {
        const hold = await hub.hold(ADA, 10n)
        await hub.settle(hold, { ...ended(`req_${name}_${i}`), cost: 7n })
        hub.delivered(`req_${name}_${i}`)
        spent += 7n
      }
    }
    const clients = Array.from({ length: 20 }, (_, name) => client(name))
    for (let kills = 0; kills < 5; kills++) {
      const before = spent
      await until('it goes on', () => spent > before + 500n)
      await db.rows(
        db.query,
        sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`,
      )
    }
    stopped = true
    await Promise.all(clients)
    await hub.close()
    expect(await balance(db, ADA)).toBe(1_000_000n - spent)
  }, 30_000)

  test('a transaction that loses a deadlock is done again', async () => {
    await using books = await testBooks('postgres', { ada: 1_000n, bob: 1_000n })
    const { db } = books.world
    if (db.dialect !== 'postgres') throw new Error('this is about PostgreSQL')
    const hub = await books.hub()
    const locked = Promise.withResolvers<void>()
    const go = Promise.withResolvers<void>()
    // Takes the two accounts in the order that nobody else takes them.
    const rival = db.client
      .begin(async (tx) => {
        await tx`set local deadlock_timeout = '10s'`
        await tx`select 1 from accounts where id = 'client:bob' for update`
        locked.resolve()
        await go.promise
        await tx`select 1 from accounts where id = ${ADA} for update`
      })
      .catch(() => {})
    await locked.promise
    const holds = [ADA, 'client:bob'].map(async (account) => hub.hold(account, 10n))
    await until('the writer waits for bob', async () => {
      const waiting = await db.rows(
        db.query,
        sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
      return waiting.length > 0
    })
    go.resolve()
    expect((await Promise.all(holds)).map(({ amount }) => amount)).toEqual([10n, 10n])
    await rival
    await hub.close()
  }, 20_000)
})
