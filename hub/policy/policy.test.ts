import { afterEach, describe, expect, test } from 'bun:test'
import { type Db, openDb } from '../../db/open.ts'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { listActs } from './acts.ts'
import { changeSettings } from './change.ts'
import { Policy } from './policy.ts'
import { allows, defaults, listSettings } from './settings.ts'

const admin = { userId: 'usr_admin' }

describe.each(testDialects)('settings on %s', (dialect) => {
  const open: { drop(): Promise<void> }[] = []
  afterEach(async () => {
    for (const world of open.splice(0).reverse()) await world.drop()
  })

  async function world() {
    const database = await testDatabase(dialect)
    open.push(database)
    const env = virtualEnv()
    const policy = await Policy.open(env, database.db)
    open.push({ drop: async () => policy.close() })
    return { env, policy, db: database.db, url: database.url }
  }

  const refusal = (work: Promise<unknown>) =>
    work.then(
      () => 'accepted',
      (error) => `${error.code} ${error.param}: ${error.message}`,
    )
  const acts = (db: Db) => listActs(db, { limit: 100 })

  test('a fresh hub sells within the US, to the invited', async () => {
    const { policy } = await world()
    expect(policy.current()).toMatchObject({
      clientCountries: ['US'],
      hostCountries: ['US'],
      clientSignUp: 'invited',
      hostSignUp: 'invited',
      hostDownMbits: 20,
      hostUpMbits: 5,
      hostRoundTripMs: 150,
      requestsPerMinute: null,
    })
  })

  test('a change made by another process counts within a second', async () => {
    const { env, policy, url } = await world()
    const elsewhere = await openDb(url)
    open.push({ drop: () => elsewhere.close() })
    await changeSettings(env, elsewhere, admin, { clientSignUp: 'open' })
    expect(policy.current().clientSignUp).toBe('invited')
    await env.advance(1_000)
    // The query itself runs in real time.
    while (policy.current().clientSignUp !== 'open') await Bun.sleep(1)
  })

  test('every change is written down: who, what, before, after, when', async () => {
    const { env, db } = await world()
    await changeSettings(env, db, admin, { clientCountries: ['US', 'CA'], hostSignUp: 'open' })
    await env.advance(5)
    await changeSettings(env, db, 'command line', { clientCountries: null })
    const [last, ...first] = await acts(db)
    expect(last).toMatchObject({
      by: 'command line',
      what: 'setting.change',
      subject: 'clientCountries',
      before: ['US', 'CA'],
      after: ['US'],
      at: env.now(),
    })
    expect(first.map(({ subject }) => subject).toSorted()).toEqual(['clientCountries', 'hostSignUp'])
    for (const { by } of first) expect(by).toEqual(admin)
    expect(await listActs(db, { limit: 1, subject: 'hostSignUp' })).toMatchObject([
      { before: 'invited', after: 'open' },
    ])
    expect(await listActs(db, { limit: 5, before: first.at(-1)!.id })).toEqual([])
  })

  test('what is changed to what it is already is no act', async () => {
    const { env, db } = await world()
    await changeSettings(env, db, admin, { clientSignUp: 'invited', trialCredit: '5.00' })
    expect(await acts(db)).toEqual([])
  })

  test('of several changes with a wrong one, none is made', async () => {
    const { env, db, policy } = await world()
    const wrong = refusal(changeSettings(env, db, admin, { hostSignUp: 'open', trialCredit: 'much' }))
    expect(await wrong).toContain('invalid_request trialCredit')
    await policy.refresh()
    expect(policy.current()).toEqual(defaults)
    expect(await acts(db)).toEqual([])
  })

  test.each([
    ['clientCountries', []],
    ['clientCountries', ['usa']],
    ['clientSignUp', 'sometimes'],
    ['clientTerms', { version: '' }],
    ['unvettedTrafficPercent', 101],
    ['communityLinks', [{ name: 'x', url: 'javascript:alert(1)' }]],
    ['alertWebhook', 'http://internal'],
    ['nonsense', 1],
    ['__proto__', 1],
  ])('%s does not take %j, and the refusal names it', async (name, value) => {
    const { env, db } = await world()
    const changes = Object.defineProperty({}, name, { value, enumerable: true }) as Record<string, unknown>
    expect(await refusal(changeSettings(env, db, admin, changes))).toContain(`invalid_request ${name}`)
  })

  test('a value that opens something is not repeated in the record', async () => {
    const { env, db } = await world()
    await changeSettings(env, db, admin, { alertWebhook: 'https://chat.example/hook/s3cr3t' })
    expect(JSON.stringify(await acts(db))).not.toContain('s3cr3t')
  })

  test('a stored value that a newer version no longer takes counts as never set', async () => {
    const { env, db, policy } = await world()
    const row = { name: 'clientSignUp', value: 'lottery', changedAt: env.now() }
    await db.query.insert(db.tables.settings).values([row, { ...row, name: 'gone' }])
    await policy.refresh()
    expect(policy.current()).toEqual(defaults)
  })
})

test('every setting explains itself and has a default that it accepts', () => {
  for (const { name, description, fallback, value } of listSettings(defaults)) {
    expect([name, description.length > 10]).toEqual([name, true])
    expect(value).toEqual(fallback)
  }
})

test('a star is everywhere', () => {
  expect(allows(['US'], 'US')).toBe(true)
  expect(allows(['US'], 'DE')).toBe(false)
  expect(allows(['*'], 'DE')).toBe(true)
})
