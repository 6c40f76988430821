import { afterEach, expect, test } from 'bun:test'
import { copyDatabase, countRows } from './copy.ts'
import { migrate } from './migrate.ts'
import { type Db, openDb } from './open.ts'
import { type TestDatabase, testDatabase, testDialects } from './testing.ts'

const ways = testDialects.flatMap((from) => testDialects.map((to) => [from, to] as const))
const open: TestDatabase[] = []
afterEach(async () => {
  for (const world of open.splice(0)) await world.drop()
})

async function fresh(dialect: 'sqlite' | 'postgres'): Promise<Db> {
  const world = await testDatabase(dialect)
  open.push(world)
  return world.db
}

/** More than a page of the tables that grow, one of them with a key of two columns, and an amount beyond 2^53. */
async function fill(db: Db) {
  const { users, keys, accounts, postings, entries } = db.tables
  await db.query.insert(users).values({ id: 'u1', email: 'ada@example.com', roles: ['client', 'host'], createdAt: 5 })
  await db.query.insert(keys).values({ id: 'k1', userId: 'u1', name: 'é', hash: 'h', hint: 'abcd', createdAt: 6 })
  await db.query.insert(accounts).values({ id: 'client:u1', balance: 9_007_199_254_740_993n, granted: 7n })
  const numbers = Array.from({ length: 1_201 }, (_, at) => at)
  for (let at = 0; at < numbers.length; at += 400) {
    const some = numbers.slice(at, at + 400)
    await db.query
      .insert(postings)
      .values(some.map((n) => ({ key: `p${n}`, kind: 'credit' as const, note: '', at: n })))
    await db.query
      .insert(entries)
      .values(
        some.flatMap((n) =>
          [1, 2].map((line) => ({ posting: `p${n}`, line, account: 'x', amount: BigInt(line), at: n })),
        ),
      )
  }
}

async function everything(db: Db) {
  const { users, keys, accounts, entries } = db.tables
  return {
    users: await db.query.select().from(users),
    keys: await db.query.select().from(keys),
    accounts: await db.query.select().from(accounts),
    entries: (await db.query.select().from(entries)).map((row) => `${row.posting} ${row.line} ${row.amount}`).sort(),
  }
}

test.each(ways)('every row of %s arrives in %s as it was', async (fromDialect, toDialect) => {
  const [from, to] = [await fresh(fromDialect), await fresh(toDialect)]
  await fill(from)
  const counts = await copyDatabase(from, to)
  expect(counts).toMatchObject({ users: 1, postings: 1_201, entries: 2_402, requests: 0 })
  expect(await countRows(to)).toEqual(counts)
  expect(await everything(to)).toEqual(await everything(from))
})

test('a target that is in use is left as it was, and named', async () => {
  const [from, to] = [await fresh('sqlite'), await fresh('sqlite')]
  await fill(from)
  await to.query.insert(to.tables.accounts).values({ id: 'client:other' })
  expect(await copyDatabase(from, to).catch(String)).toContain('not empty: accounts 1')
  expect((await countRows(to)).users).toBe(0)
})

test('a copy that breaks off leaves the target empty', async () => {
  const from = await fresh('sqlite')
  await fill(from)
  const to = await openDb('sqlite::memory:')
  await migrate(to)
  await to.exec(
    `create trigger stop before insert on entries when new.posting = 'p77' begin select raise(abort, 'x'); end`,
  )
  expect(await copyDatabase(from, to).catch(() => 'broke off')).toBe('broke off')
  expect((await countRows(to)).users).toBe(0)
  await to.close()
})
