import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test'
import { eq, sql } from 'drizzle-orm'
import { migrate } from './migrate.ts'
import { isUniqueViolation } from './open.ts'
import { type TestDatabase, testDatabase, testDialects } from './testing.ts'
import { transaction } from './transaction.ts'

describe.each(testDialects)('a database on %s', (dialect) => {
  let world: TestDatabase
  beforeAll(async () => void (world = await testDatabase(dialect)))
  afterEach(async () => void (await world.db.query.delete(world.db.tables.users)))
  afterAll(() => world.drop())

  const user = (id: string) => ({ id, email: `${id}@example.com`, roles: ['client' as const], createdAt: 1 })
  const userIds = async () => {
    const { users } = world.db.tables
    return (await world.db.query.select({ id: users.id }).from(users).orderBy(users.id)).map((row) => row.id)
  }

  test('a transaction that throws after an await leaves nothing behind', async () => {
    const { users } = world.db.tables
    const failing = transaction(world.db, async (tx) => {
      await tx.insert(users).values(user('lost-1'))
      await Bun.sleep(1)
      await tx.insert(users).values(user('lost-2'))
      throw new Error('change of mind')
    })
    expect(await failing.catch(String)).toContain('change of mind')
    expect(await userIds()).toEqual([])
  })

  test('a statement from outside is not swept away by a transaction that rolls back', async () => {
    const { users } = world.db.tables
    let outside: Promise<unknown> | undefined
    const ready = Promise.withResolvers<void>()
    const failing = transaction(world.db, async (tx) => {
      await tx.insert(users).values(user('inside'))
      ready.resolve()
      await Bun.sleep(5)
      throw new Error('rolled back')
    }).catch(() => 'rolled back')
    await ready.promise
    outside = world.db.query
      .insert(users)
      .values(user('outside'))
      .then(() => 'kept')
    expect(await failing).toBe('rolled back')
    expect(await outside).toBe('kept')
    expect(await userIds()).toEqual(['outside'])
  })

  test('an amount beyond 2^53 comes back exactly', async () => {
    const { accounts } = world.db.tables
    const amount = 9_007_199_254_740_993n
    await world.db.query.insert(accounts).values({ id: 'client:big', balance: amount })
    const [row] = await world.db.query.select().from(accounts).where(eq(accounts.id, 'client:big'))
    expect(row?.balance).toBe(amount)
  })

  test('an account can never be overdrawn, whatever the code above it does', async () => {
    const { accounts } = world.db.tables
    await world.db.query.insert(accounts).values({ id: 'client:poor', balance: 5n })
    const overdraw = world.db.query.update(accounts).set({ balance: -1n }).where(eq(accounts.id, 'client:poor'))
    expect(
      await overdraw.then(
        () => 'allowed',
        () => 'refused',
      ),
    ).toBe('refused')
  })

  test('a second row with the same unique value is told apart from other failures', async () => {
    const { users } = world.db.tables
    await world.db.query.insert(users).values(user('twin'))
    const error = await world.db.query
      .insert(users)
      .values(user('twin'))
      .then(
        () => null,
        (thrown) => thrown,
      )
    expect(isUniqueViolation(error)).toBe(true)
    const other = await world.db.rows(world.db.query, sql`select * from no_such_table`).then(
      () => null,
      (thrown) => thrown,
    )
    expect(isUniqueViolation(other)).toBe(false)
  })

  test('migrating twice applies nothing the second time', async () => {
    expect(await migrate(world.db)).toEqual([])
  })

  test('a migration that fails in the middle leaves the database as it was', async () => {
    const own = await testDatabase(dialect)
    const { db } = own
    const tables = async () =>
      dialect === 'sqlite'
        ? await db.rows<{ name: string }>(db.query, sql`select name from sqlite_master where type = 'table'`)
        : await db.rows<{ name: string }>(
            db.query,
            sql`select table_name as name from information_schema.tables where table_schema = 'public'`,
          )
    if (dialect === 'sqlite') await db.exec('PRAGMA foreign_keys = OFF')
    for (const { name } of await tables())
      await db.exec(`drop table "${name}"${dialect === 'sqlite' ? '' : ' cascade'}`)
    await db.exec('create table users (in_the_way text)')
    expect(
      await migrate(db).then(
        () => 'done',
        () => 'failed',
      ),
    ).toBe('failed')
    expect(await tables()).toEqual([{ name: 'users' }])
    await db.exec('drop table users')
    expect((await migrate(db)).length).toBeGreaterThan(0)
    await own.drop()
  })

  test('a database from a newer version is refused, and named', async () => {
    await world.db.rows(world.db.query, sql`insert into migrations (id) values ('9999_future')`)
    const error = await migrate(world.db).then(
      () => '',
      (thrown) => String(thrown),
    )
    expect(error).toContain('9999_future')
    await world.db.rows(world.db.query, sql`delete from migrations where id = '9999_future'`)
  })
})

test('on SQLite, using the outer connection inside a transaction fails at once instead of waiting for ever', async () => {
  const world = await testDatabase('sqlite')
  const { users } = world.db.tables
  const wrong = transaction(world.db, async () => void (await world.db.query.select().from(users)))
  expect(
    await wrong.then(
      () => '',
      (thrown) => String(thrown.cause ?? thrown),
    ),
  ).toContain('use the tx you were given')
  await world.drop()
})

test('on SQLite, a write waits for the transaction of another program', async () => {
  const world = await testDatabase('sqlite')
  const { query, tables } = world.db
  const source = `const { Database } = await import('bun:sqlite')
    const file = new Database(${JSON.stringify(world.url.slice('sqlite:'.length))})
    file.run('BEGIN IMMEDIATE')
    file.run("insert into accounts (id) values ('client:theirs')")
    console.log('begun')
    setTimeout(() => file.run('COMMIT'), 200)`
  const other = Bun.spawn(['bun', '-e', source], { stdout: 'pipe', stderr: 'inherit' })
  for await (const _ of other.stdout) break
  await query.insert(tables.accounts).values({ id: 'client:ours' })
  const ids = (await query.select({ id: tables.accounts.id }).from(tables.accounts).orderBy(tables.accounts.id)).map(
    ({ id }) => id,
  )
  expect(ids).toEqual(['client:ours', 'client:theirs'])
  await other.exited
  await world.drop()
})
