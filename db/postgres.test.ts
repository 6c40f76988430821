import { describe, expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { startWire } from '../chaos/proxy.ts'
import { openDb } from './open.ts'
import { connectPostgres } from './postgres.ts'
import { testDatabase, testDialects } from './testing.ts'
import { transaction } from './transaction.ts'

describe.skipIf(!testDialects.includes('postgres'))('a connection to PostgreSQL that is lost', () => {
  test('inside a transaction fails that transaction alone; nothing of it runs on another connection', async () => {
    const world = await testDatabase('postgres')
    const wire = await cuttable(world.url)
    const db = await openDb(wire.url)
    const { users } = db.tables
    const user = (id: string) => ({ id, email: `${id}@example.com`, roles: ['client' as const], createdAt: 1 })

    const broken = transaction(db, async (tx) => {
      await tx.insert(users).values(user('before'))
      wire.cut()
      // Others lose theirs too and reconnect, while this transaction still believes in its connection.
      const ask = () => db.query.select().from(users)
      while (!(await Promise.all(Array.from({ length: 20 }, ask)).catch(() => null))) await Bun.sleep(5)
      await tx.insert(users).values(user('after'))
    })
    expect(
      await broken.then(
        () => 'kept',
        () => 'failed',
      ),
    ).toBe('failed')

    expect(await db.query.select().from(users)).toEqual([])
    const many = await Promise.all(
      Array.from({ length: 40 }, () => db.rows<{ n: number }>(db.query, sql`select 7 as n`)),
    )
    expect(many.every(([row]) => row?.n === 7)).toBe(true)
    await db.close()
    await wire.close()
    await world.drop()
  })

  test('by order of the server does not answer the next question with the old error', async () => {
    const world = await testDatabase('postgres')
    const { db } = world
    for (let i = 0; i < 5; i++) {
      const killed = transaction(
        db,
        async (tx) => void (await db.rows(tx, sql`select pg_terminate_backend(pg_backend_pid())`)),
      )
      expect(
        await killed.then(
          () => 'kept',
          () => 'failed',
        ),
      ).toBe('failed')
      expect(await db.rows<{ n: number }>(db.query, sql`select 7 as n`)).toEqual([{ n: 7 }])
    }
    await world.drop()
  })

  test('by a reset does not leave a statement behind that takes the next one’s answer', async () => {
    const world = await testDatabase('postgres')
    const wire = await cuttable(world.url)
    const client = connectPostgres(wire.url, 1)
    for (let round = 1; round <= 5; round++) {
      const broken = client.begin(async (tx) => {
        await tx`select 1`
        const asked = tx`select pg_sleep(60)`.execute()
        wire.reset()
        await asked
      })
      expect(
        await broken.then(
          () => 'kept',
          () => 'failed',
        ),
      ).toBe('failed')
      const [sum] = await client.begin(async (tx) => {
        const [one] = await tx`select ${round}::int as n`
        return await tx`select ${round}::int + ${one?.n as number}::int as n`
      })
      expect(sum?.n).toBe(2 * round)
    }
    await client.end({ timeout: 5 })
    await wire.close()
    await world.drop()
  })
})

/** The same server through a wire that can be cut. */
async function cuttable(url: string) {
  const behind = new URL(url)
  const wire = await startWire(Number(behind.port || 5432))
  const front = new URL(url)
  front.host = `127.0.0.1:${wire.port}`
  return { url: front.href, cut: () => wire.cut('close'), reset: () => wire.cut('reset'), close: () => wire.close() }
}
