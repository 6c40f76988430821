import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { transaction } from '../../db/transaction.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { addUser, userById } from '../identity/users.ts'
import { silentLog } from '../log.ts'
import { alarmRaised, creditLow } from './letters.ts'
import { type News, newsFor, Newsroom, sweepNews, wantNews } from './news.ts'
import { newsKinds } from './news-kinds.ts'
import { listMails, Outbox } from './outbox.ts'
import { letterOff, type Off } from './unsubscribe.ts'

const DAY_MS = 24 * 60 * 60_000

/** Stands for the hub's secret. */
const mark = (text: string) => new Bun.CryptoHasher('sha256', 'secret').update(text).digest('base64url').slice(0, 22)

async function world(dialect: (typeof testDialects)[number]) {
  const env = virtualEnv({ now: Date.UTC(2026, 10, 23, 12) })
  const { db, drop } = await testDatabase(dialect)
  const outbox = new Outbox({ env, db, log: silentLog, post: null })
  const news = new Newsroom({ env, db, log: silentLog, outbox, url: () => 'https://hub.example', mark })
  const ada = await addUser(env, db, { email: 'ada@example.com', roles: ['client'] })
  const tell = (userId: string, more: Partial<News> = {}) =>
    transaction(db, (tx) =>
      news.tell(tx, userId, {
        ...{ kind: 'credit-low' as const, about: 'usr_1' },
        letter: (links) => creditLow({ balance: '$0.40', ...links }),
        ...more,
      }),
    )
  const letters = async () => (await listMails(db, { limit: 50 })).map(({ kind, recipient }) => `${kind} ${recipient}`)
  return { env, db, news, ada, tell, letters, [Symbol.asyncDispose]: drop }
}

describe.each(testDialects)('news on %s', (dialect) => {
  test('of one thing comes at most once a day, however many find it out', async () => {
    await using it = await world(dialect)
    const told = await Promise.all([it.tell(it.ada.id), it.tell(it.ada.id), it.tell(it.ada.id)])
    expect(told.filter(Boolean)).toHaveLength(1)
    expect(await it.tell(it.ada.id, { about: 'usr_2' })).toBe(true)
    await it.env.advance(12 * 60 * 60_000)
    expect(await it.tell(it.ada.id)).toBe(true)
    expect(await it.letters()).toEqual(Array(3).fill('credit-low ada@example.com'))
  })

  test('that is for once is not told again when its day is long over', async () => {
    await using it = await world(dialect)
    expect(await it.tell(it.ada.id, { once: true })).toBe(true)
    await it.env.advance(5 * DAY_MS)
    await sweepNews(it.env, it.db)
    expect(await it.tell(it.ada.id, { once: true })).toBe(false)
    // And what is over is forgotten.
    expect(await it.tell(it.ada.id)).toBe(true)
    await it.env.advance(5 * DAY_MS)
    await sweepNews(it.env, it.db)
    expect(await it.db.query.$count(it.db.tables.tellings)).toBe(1)
  })

  test('leads to the page where one chooses, and is not sent to who does not want it', async () => {
    await using it = await world(dialect)
    await it.tell(it.ada.id)
    const [mail] = await listMails(it.db, { limit: 1 })
    expect(mail?.subject).toBe('Your credit is down to $0.40')
    expect(mail?.text).toContain('https://hub.example/account#letters')
    await wantNews(it.db, it.ada.id, ['client'], ['key-budget', 'nonsense'])
    expect((await userById(it.db, it.ada.id))?.muted).toEqual(['credit-low'])
    expect(await it.tell(it.ada.id, { about: 'else' })).toBe(false)
    expect(await it.tell(it.ada.id, { kind: 'key-budget' })).toBe(true)
    await wantNews(it.db, it.ada.id, ['client'], newsFor(['client']))
    expect(await it.tell(it.ada.id, { about: 'else' })).toBe(true)
  })

  test('is switched off by the link in it: that kind, of that person, once or twice', async () => {
    await using it = await world(dialect)
    const bob = await addUser(it.env, it.db, { email: 'bob@example.com', roles: ['client'] })
    await it.tell(it.ada.id)
    const [mail] = await it.db.query.select().from(it.db.tables.mails)
    const { off, text } = mail!
    expect(text).toContain(`without signing in: ${off}`)
    const link = new URL(off ?? '')
    expect(link.href).toStartWith('https://hub.example/letters/off?')
    const given = Object.fromEntries(link.searchParams) as unknown as Off
    const muted = async (id: string) => (await userById(it.db, id))?.muted
    for (const wrong of [
      { ...given, of: bob.id },
      { ...given, kind: 'key-budget' },
      { ...given, kind: 'reset-password' },
      { ...given, mark: '' },
      { ...given, mark: `${given.mark}x` },
      { ...given, mark: given.mark.slice(0, -1) },
    ])
      expect(await letterOff(it.db, mark, wrong).catch((error) => error.code)).toBe('link_not_valid')
    expect([await muted(it.ada.id), await muted(bob.id)]).toEqual([null, null])
    await wantNews(it.db, it.ada.id, ['client'], ['credit-low'])
    await Promise.all([letterOff(it.db, mark, given), letterOff(it.db, mark, given)])
    expect((await muted(it.ada.id))?.toSorted()).toEqual(['credit-low', 'key-budget'])
    expect(await it.tell(it.ada.id, { about: 'else' })).toBe(false)
    expect(await it.tell(bob.id)).toBe(true)
  })

  test('is not sent to who is suspended, erased or unknown', async () => {
    await using it = await world(dialect)
    const { users } = it.db.tables
    expect(await it.tell('usr_nobody')).toBe(false)
    await it.db.query.update(users).set({ suspendedAt: 1 }).where(eq(users.id, it.ada.id))
    expect(await it.tell(it.ada.id)).toBe(false)
    await it.db.query.update(users).set({ suspendedAt: null, erasedAt: 1 }).where(eq(users.id, it.ada.id))
    expect([await it.tell(it.ada.id), await it.letters()]).toEqual([false, []])
  })

  test('of an alarm goes to those who run the hub', async () => {
    await using it = await world(dialect)
    for (const [name, roles] of [
      ['boss', ['admin']],
      ['chief', ['client', 'admin']],
      ['berlin', ['host']],
    ] as const)
      await addUser(it.env, it.db, { email: `${name}@example.com`, roles: [...roles] })
    const letter: News['letter'] = (links) => alarmRaised({ text: 'Nobody serves', href: '/admin/fleet', ...links })
    const news: News = { kind: 'alarm', about: 'nobody-serves', letter }
    await transaction(it.db, (tx) => it.news.tellAdmins(tx, news))
    expect((await it.letters()).sort()).toEqual(['alarm boss@example.com', 'alarm chief@example.com'])
  })

  test('that could not be put does not undo what it tells', async () => {
    await using it = await world(dialect)
    const { mails, settings } = it.db.tables
    const row = { kind: 'x', recipient: 'x', subject: 'x', text: 'x', html: 'x', createdAt: 0, nextAt: 1, tries: 0 }
    const many = Array.from({ length: 10_000 }, (_, i) => ({ ...row, id: `mail_${i}` }))
    for (let at = 0; at < many.length; at += 500) await it.db.query.insert(mails).values(many.slice(at, at + 500))
    await transaction(it.db, async (tx) => {
      await tx.insert(settings).values({ name: 'so', value: 1, changedAt: 0 })
      const letter: News['letter'] = (links) => creditLow({ balance: '$0.40', ...links })
      expect(await it.news.tell(tx, it.ada.id, { kind: 'credit-low', about: 'x', letter })).toBe(false)
    })
    expect(await it.db.query.$count(settings)).toBe(1)
  })
})

test('everybody can choose among what concerns them', () => {
  expect(newsFor(['client'])).toEqual(['credit-low', 'key-budget'])
  expect(newsFor(['host', 'admin'])).toHaveLength(5)
  expect(Object.values(newsKinds).every(({ label }) => label.length > 10)).toBe(true)
})
