import { afterEach, describe, expect, test } from 'bun:test'
import { type Db, openDb } from '../../db/open.ts'
import { type TestDatabase, testDatabase, testDialects } from '../../db/testing.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { HubError } from '../errors.ts'
import { silentLog } from '../log.ts'
import { allow, NO_ALLOWANCE } from './allowances.ts'
import { Keyring } from './keyring.ts'
import { addKey, revokeKey } from './keys.ts'
import { acknowledge, licenceMark } from './licences.ts'
import { makeSecret } from './secret.ts'
import { suspendUser } from './testing.ts'
import { addUser } from './users.ts'

describe.each(testDialects)('the keyring on %s', (dialect) => {
  const open: { drop(): Promise<void> }[] = []
  afterEach(async () => {
    for (const world of open.splice(0).reverse()) await world.drop()
  })

  /** Ada has a key; `elsewhere` is what another hub or the command line sees of the same database. */
  async function world() {
    const database: TestDatabase = await testDatabase(dialect)
    const elsewhere = await openDb(database.url)
    open.push(database, { drop: () => elsewhere.close() })
    const env = virtualEnv()
    const counted = countQueries(database.db)
    const keyring = new Keyring({ env, db: counted.db, log: silentLog })
    open.push({ drop: async () => keyring.close() })
    const ada = await addUser(env, database.db, { email: 'ada@example.com', roles: ['client'] })
    const { key, id } = await addKey(env, database.db, { userId: ada.id })
    return { env, db: database.db, elsewhere, keyring, ada, key, keyId: id, queries: counted.queries }
  }

  test('a key is known at once after its first use', async () => {
    const { keyring, key, ada, keyId } = await world()
    const bearer = {
      keyId,
      userId: ada.id,
      account: `client:${ada.id}`,
      suspended: false,
      suspendedFor: null,
      terms: null,
      acknowledged: new Set<string>(),
      limited: false,
      allowance: { key: NO_ALLOWANCE, account: NO_ALLOWANCE },
      budget: null,
      expiresAt: null,
      models: null,
    }
    expect(await keyring.find(key)).toEqual(bearer)
    expect(keyring.find(key)).toEqual(bearer)
  })

  test('a made-up or mistyped key never reaches the database', async () => {
    const { keyring, key, queries } = await world()
    for (const wrong of [
      '',
      'sk-proj-1234',
      key.slice(0, -1),
      `${key}x`,
      key.replace('gh_', 'gt_'),
      key.slice(0, -1) + (key.endsWith('a') ? 'b' : 'a'),
    ]) {
      expect(keyring.find(wrong)).toBeNull()
    }
    expect(queries()).toBe(0)
  })

  test('a thousand requests with one unknown key cost two queries at most, and none for the next moment', async () => {
    const { env, keyring, queries } = await world()
    const { secret } = makeSecret(env, 'gh')
    const answers = await Promise.all(Array.from({ length: 1_000 }, async () => keyring.find(secret)))
    expect(answers.every((answer) => answer === null)).toBe(true)
    expect(queries()).toBeLessThanOrEqual(2)
    const before = queries()
    expect(keyring.find(secret)).toBeNull()
    expect(queries()).toBe(before)
  })

  test('a key revoked elsewhere is refused within a second, however busy it is', async () => {
    const { env, elsewhere, keyring, key, keyId } = await world()
    await keyring.find(key)
    expect(await revokeKey(env, elsewhere, { id: keyId })).toBe(true)
    for (let ms = 0; ms < 1_000; ms += 50) {
      await keyring.find(key)
      await env.advance(50)
    }
    expect(await keyring.find(key)).toBeNull()
  })

  test('a key revoked elsewhere is refused within a second when it was not used meanwhile', async () => {
    const { env, elsewhere, keyring, key, keyId } = await world()
    await keyring.find(key)
    await revokeKey(env, elsewhere, { id: keyId })
    await env.advance(1_000)
    expect(await keyring.find(key)).toBeNull()
  })

  test('a suspension and an agreement made elsewhere show within a second, and at once when asked for', async () => {
    const { env, elsewhere, keyring, key, ada } = await world()
    await keyring.find(key)
    await suspendUser(env, elsewhere, ada.id)
    await acknowledge(env, elsewhere, { userId: ada.id, model: 'm/x', licence: 'gemma-2026', statements: ['yes'] })
    await acknowledge(env, elsewhere, { userId: ada.id, model: 'm/y', licence: 'llama-4', statements: ['yes'] })
    const fresh = await keyring.findFresh(key)
    expect(fresh?.suspended).toBe(true)
    expect([...(fresh?.acknowledged ?? [])].sort()).toEqual([
      licenceMark('m/x', 'gemma-2026'),
      licenceMark('m/y', 'llama-4'),
    ])
    await env.advance(1_000)
    expect((await keyring.find(key))?.suspended).toBe(true)
  })

  test('what a key and its account may do, said elsewhere, holds within a second', async () => {
    const { env, elsewhere, keyring, key, keyId, ada } = await world()
    await keyring.find(key)
    await allow(elsewhere, keyId, { requestsPerMinute: 60, budget: 5_000_000_000n })
    await allow(elsewhere, ada.id, { concurrency: 3 })
    await allow(elsewhere, keyId, { tokensPerMinute: 1_000 })
    await acknowledge(env, elsewhere, { userId: ada.id, model: 'm/x', licence: 'gemma-2026', statements: ['yes'] })
    await env.advance(1_000)
    const bearer = await keyring.find(key)
    expect(bearer?.allowance).toMatchObject({
      key: { requestsPerMinute: 60, tokensPerMinute: 1_000, concurrency: null },
      account: { requestsPerMinute: null, tokensPerMinute: null, concurrency: 3 },
    })
    expect(bearer?.budget).toEqual({ limit: 5_000_000_000n, spent: 0n, readAt: expect.any(Number) })
    expect(bearer?.acknowledged.size).toBe(1)
  })

  test('a key that expires is refused from that moment on, as one that nobody knows', async () => {
    const { env, db, keyring, key, keyId } = await world()
    await allow(db, keyId, { expiresAt: env.now() + 500 })
    expect((await keyring.find(key))?.keyId).toBe(keyId)
    await env.advance(499)
    expect(keyring.find(key)).not.toBeNull()
    await env.advance(1)
    expect(keyring.find(key)).toBeNull()
    await env.advance(1_000)
    expect(await keyring.find(key)).toBeNull()
    await allow(db, keyId, { expiresAt: null })
    expect((await keyring.findFresh(key))?.keyId).toBe(keyId)
  })

  test('without the database an old yes is not believed', async () => {
    const { env, elsewhere, db, ada } = await world()
    const { key } = await addKey(env, db, { userId: ada.id })
    const keyring = new Keyring({ env, db: elsewhere, log: silentLog })
    await keyring.find(key)
    await elsewhere.close()
    expect(await keyring.find(key)).not.toBeNull()
    await env.advance(1_000)
    const refusal = await Promise.resolve(keyring.find(key)).catch((error) => error)
    expect(refusal).toBeInstanceOf(HubError)
    expect(refusal.code).toBe('hub_unavailable')
    keyring.close()
  })

  test('a keyring nobody uses asks nothing', async () => {
    const { env, keyring, key, queries } = await world()
    await keyring.find(key)
    await env.advance(400)
    // The last refresh is on its way in real time; nothing is planned once it is back.
    while (env.timers() > 0) await Bun.sleep(1)
    const before = queries()
    await env.advance(60_000)
    expect(queries()).toBe(before)
  })
})

function countQueries(db: Db): { db: Db; queries: () => number } {
  let queries = 0
  const query = new Proxy(db.query, {
    get(target, name) {
      if (name === 'select') queries++
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  return { db: { ...db, query }, queries: () => queries }
}
