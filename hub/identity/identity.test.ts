import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { type TestDatabase, testDatabase, testDialects } from '../../db/testing.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { addKey, listKeys, revokeKey } from './keys.ts'
import { acknowledge, listAcknowledgements } from './licences.ts'
import { looksLikeSecret } from './secret.ts'
import { changeRoles, reinstate, suspend } from './admin.ts'
import { addUser, findUser, listUsers, userById } from './users.ts'

describe.each(testDialects)('people on %s', (dialect) => {
  const env = virtualEnv()
  let world: TestDatabase
  beforeAll(async () => void (world = await testDatabase(dialect)))
  afterAll(() => world.drop())
  const person = (email: string) => addUser(env, world.db, { email, roles: ['client'] })
  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => 'accepted',
      (error) => String(error.message),
    )

  test('an address is one person, however it is written', async () => {
    const ada = await person(' Ada@Example.COM ')
    expect(ada.email).toBe('ada@example.com')
    expect(await findUser(world.db, 'ADA@example.com')).toEqual(ada)
    expect(await refusal(person('ada@EXAMPLE.com'))).toContain('already a user')
    expect(await findUser(world.db, 'nobody@example.com')).toBeNull()
  })

  test.each(['', 'ada', '@x', 'a b@c', 'a@', `${'a'.repeat(250)}@example.com`, '<script>@x'])(
    '"%s" is no address, and the refusal says how to write one',
    async (email) => {
      expect(await refusal(person(email))).toContain('ada@example.com')
    },
  )

  test('roles and suspension change and come back', async () => {
    const { id } = await person('grace@example.com')
    const tools = { env, db: world.db }
    await changeRoles(tools, 'command line', id, ['client', 'host', 'host'])
    await suspend(tools, 'command line', id, ' spam \n from her key ')
    expect(await userById(world.db, id)).toMatchObject({
      ...{ roles: ['client', 'host'], suspendedAt: env.now(), suspendedFor: 'spam from her key' },
    })
    await reinstate(tools, 'command line', id)
    expect(await userById(world.db, id)).toMatchObject({ suspendedAt: null, suspendedFor: null })
  })

  test.each(['', ' \n', 'x'.repeat(201)])('nobody is suspended for %j', async (reason) => {
    const { id } = await person(`heidi${reason.length}@example.com`)
    expect(await refusal(suspend({ env, db: world.db }, 'command line', id, reason))).toContain('Say why')
    expect((await userById(world.db, id))?.suspendedAt).toBeNull()
  })

  test('users are listed a page at a time', async () => {
    for (const name of ['p1', 'p2', 'p3']) {
      await env.advance(1)
      await person(`${name}@example.com`)
    }
    const first = await listUsers(world.db, { limit: 2 })
    const rest = await listUsers(world.db, { limit: 100, after: first[1]?.id })
    const all = await listUsers(world.db, { limit: 100 })
    expect([...first, ...rest]).toEqual(all)
  })

  test('a key is shown once; only its hash and last characters stay', async () => {
    const { id: userId } = await person('keys@example.com')
    const { key, id } = await addKey(env, world.db, { userId, name: ' laptop ' })
    expect(looksLikeSecret('gh', key)).toBe(true)
    expect(await listKeys(world.db, { userId, limit: 10 })).toEqual([
      { id, userId, name: 'laptop', hint: key.slice(-4), createdAt: env.now(), revokedAt: null },
    ])
    const { keys } = world.db.tables
    expect(JSON.stringify(await world.db.query.select().from(keys))).not.toContain(key)
  })

  test('a key is revoked by its owner, once, and by nobody else', async () => {
    const { id: userId } = await person('owner@example.com')
    const { id } = await addKey(env, world.db, { userId })
    expect(await revokeKey(env, world.db, { id, userId: 'usr_other' })).toBe(false)
    expect(await revokeKey(env, world.db, { id, userId })).toBe(true)
    const revokedAt = env.now()
    await env.advance(5_000)
    expect(await revokeKey(env, world.db, { id, userId })).toBe(true)
    expect((await listKeys(world.db, { userId, limit: 10 }))[0]?.revokedAt).toBe(revokedAt)
    expect(await revokeKey(env, world.db, { id: 'key_none' })).toBe(false)
  })

  test('a person has at most a hundred live keys', async () => {
    const { id: userId } = await person('many@example.com')
    for (let i = 0; i < 100; i++) await addKey(env, world.db, { userId })
    expect(await refusal(addKey(env, world.db, { userId }))).toContain('Revoke one')
    const [newest] = await listKeys(world.db, { userId, limit: 1 })
    await revokeKey(env, world.db, { id: newest?.id ?? '' })
    expect(await refusal(addKey(env, world.db, { userId }))).toBe('accepted')
  })

  test('an agreement is kept word for word, once', async () => {
    const { id: userId } = await person('agrees@example.com')
    const agreed = { userId, model: 'm/x', licence: 'v1', statements: ['I am not a bank.'] }
    const first = await acknowledge(env, world.db, agreed)
    await env.advance(1_000)
    expect(await acknowledge(env, world.db, { ...agreed, statements: ['other words'] })).toEqual(first)
    await acknowledge(env, world.db, { ...agreed, licence: 'v2' })
    const listed = await listAcknowledgements(world.db, userId)
    expect(listed.map(({ licence }) => licence)).toEqual(['v1', 'v2'])
    expect(listed[0]).toEqual(first)
  })
})
