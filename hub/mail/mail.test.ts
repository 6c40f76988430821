import { afterEach, describe, expect, test } from 'bun:test'
import { openDb } from '../../db/open.ts'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { until, virtualEnv } from '../../sdk/testing.ts'
import { silentLog } from '../log.ts'
import * as letters from './letters.ts'
import { LetterRefused, listMails, Outbox, type Post, sweepMails } from './outbox.ts'
import { smtpPost } from './smtp.ts'
import { mailServer } from './testing.ts'

const MINUTE = 60_000
const letter = letters.resetPassword('https://hub.example/password?ticket=ght_s3cr3t')

describe.each(testDialects)('the outbox on %s', (dialect) => {
  const open: { drop(): Promise<void> }[] = []
  afterEach(async () => {
    for (const each of open.splice(0).reverse()) await each.drop()
  })

  async function world(post: Post | null) {
    const database = await testDatabase(dialect)
    const env = virtualEnv()
    const said: string[] = []
    const note = (event: string, fields?: object) => void said.push(`${event} ${JSON.stringify(fields)}`)
    const log = { ...silentLog, info: note, warn: note, error: note }
    const outbox = new Outbox({ env, db: database.db, log, post })
    open.push(database, { drop: () => outbox.close() })
    const put = async (to = 'ada@example.com') => {
      await outbox.put(database.db.query, to, letter)
      outbox.wake()
    }
    const mails = () => listMails(database.db, { limit: 10 })
    /** Once what is being done is done. */
    const settled = (tries: number) =>
      until(`try ${tries} is over`, async () => {
        const [mail] = await mails()
        return mail?.tries === tries && (mail.sentAt !== null || mail.error !== null) ? mail : null
      })
    return { env, db: database.db, url: database.url, outbox, put, mails, settled, said, log }
  }

  test('a letter is sent once, and what it said is not kept', async () => {
    const sent: string[] = []
    const { put, settled, db, env, outbox, said } = await world(async (to, { text }) => void sent.push(`${to} ${text}`))
    await put()
    const mail = await settled(1)
    expect(sent).toHaveLength(1)
    expect(sent[0]).toContain('ght_s3cr3t')
    expect(mail).toMatchObject({ text: null, sentAt: env.now(), nextAt: null, kind: 'reset-password' })
    outbox.wake()
    await outbox.close()
    expect(sent).toHaveLength(1)
    expect(JSON.stringify(await db.query.select().from(db.tables.mails))).not.toContain('s3cr3t')
    expect(said.join('\n')).not.toMatch(/s3cr3t|ada@example/)
  })

  test('a mail server that is away is tried again, later each time, and in the end given up', async () => {
    let tries = 0
    const { put, settled, env, outbox, said } = await world(async () => {
      tries++
      throw new Error('connection refused')
    })
    await put()
    const waits = [1, 5, 15, 60, 180, 360, 720]
    for (const [at, minutes] of waits.entries()) {
      const { nextAt } = await settled(at + 1)
      expect(nextAt).toBe(env.now() + minutes * MINUTE)
      env.jump(minutes * MINUTE - 1)
      outbox.wake()
      env.jump(1)
      outbox.wake()
    }
    expect(await settled(8)).toMatchObject({ nextAt: null, text: null, error: 'connection refused' })
    expect(tries).toBe(8)
    expect(said.at(-1)).toContain('letter given up')
  })

  test('a letter that the server will never take is given up at once', async () => {
    const { put, settled } = await world(async () => {
      throw new LetterRefused('550 no such user')
    })
    await put()
    expect(await settled(1)).toMatchObject({ nextAt: null, text: null, error: '550 no such user' })
  })

  test('of several hubs with one outbox, one sends', async () => {
    const sent: string[] = []
    const post: Post = async (to) => void sent.push(to)
    const { env, db, url, log, put, settled } = await world(post)
    const elsewhere = await openDb(url)
    open.push({ drop: () => elsewhere.close() })
    const other = new Outbox({ env, db: elsewhere, log, post })
    open.push({ drop: () => other.close() })
    await db.query.delete(db.tables.mails)
    for (let i = 0; i < 30; i++) await put(`p${i}@example.com`)
    other.wake()
    await settled(1)
    await until('all are sent', () => sent.length >= 30)
    await other.close()
    expect(new Set(sent).size).toBe(30)
    expect(sent).toHaveLength(30)
  })

  test('a hub that dies while it sends leaves the letter to another, a little later', async () => {
    const { env, db, log, put } = await world(() => new Promise(() => {}))
    await put()
    await until('it is being sent', async () => (await listMails(db, { limit: 1 }))[0]?.tries === 1)
    const sent: string[] = []
    const heir = new Outbox({ env, db, log, post: async (to) => void sent.push(to) })
    open.push({ drop: () => heir.close() })
    heir.wake()
    await heir.close()
    expect(sent).toEqual([])
    env.jump(2 * MINUTE)
    const next = new Outbox({ env, db, log, post: async (to) => void sent.push(to) })
    open.push({ drop: () => next.close() })
    next.wake()
    await until('it is sent', () => sent.length === 1)
    // The first one never comes back: its wait ends with its own clock.
    await env.advance(MINUTE)
  })

  test('without a mail server a letter is in the log and stays readable for a week', async () => {
    const { env, db, put, mails, said } = await world(null)
    await put()
    expect(said).toHaveLength(1)
    expect(said[0]).toContain('ght_s3cr3t')
    expect(await mails()).toMatchObject([{ nextAt: null, sentAt: null, text: expect.stringContaining('ght_s3cr3t') }])
    env.jump(6 * 24 * 60 * MINUTE)
    await sweepMails(env, db)
    expect(await mails()).toHaveLength(1)
    env.jump(24 * 60 * MINUTE + 1)
    await sweepMails(env, db)
    expect(await mails()).toEqual([])
  })

  test('a letter goes with what it tells, or not at all', async () => {
    const { db, outbox, mails } = await world(null)
    const failing = db.begin(async (tx) => {
      await outbox.put(tx, 'ada@example.com', letter)
      throw new Error('the rest failed')
    })
    await failing.catch(() => {})
    expect(await mails()).toEqual([])
  })
})

describe('a mail server', () => {
  test('gets the letter as text and as HTML, from whom it should be', async () => {
    const server = await mailServer()
    const { post, close } = smtpPost(server.url, 'gpuhub <no-reply@hub.example>')
    await post('ada@example.com', letter)
    expect(server.logins).toEqual(['ada:secret'])
    const [got] = server.letters
    expect(got?.to).toBe('ada@example.com')
    expect(got?.text).toMatch(/^From: gpuhub <no-reply@hub.example>$/m)
    expect(got?.text).toMatch(/^Subject: Choose a new password$/m)
    expect(got?.text).toContain('Content-Type: text/plain')
    expect(got?.text).toContain('Content-Type: text/html')
    expect(got?.text.replace(/=\n/g, '')).toContain('ticket=3Dght_s3cr3t')
    close()
    await server.close()
  })

  test.each([
    ['https://hub.example', true],
    ['http://hub.test', false],
  ])('learns of %s where news is switched off, and in one click over https alone', async (hub, oneClick) => {
    const server = await mailServer()
    const { post, close } = smtpPost(server.url, 'no-reply@hub.example')
    const off = `${hub}/letters/off?of=${'u'.repeat(60)}&kind=credit-low&mark=${'m'.repeat(22)}`
    await post('ada@example.com', letters.creditLow({ balance: '$0.40', hub, settings: hub, off }))
    await post('ada@example.com', letter)
    const [news = '', required = ''] = server.letters.map(({ text }) => text.replaceAll('\r', ''))
    expect(`\n${news}`.replace(/\n[ \t]+/g, ' ')).toContain(`\nList-Unsubscribe: <${off}>\n`)
    expect(/^List-Unsubscribe-Post: List-Unsubscribe=One-Click$/m.test(news)).toBe(oneClick)
    expect(required).not.toContain('List-Unsubscribe')
    close()
    await server.close()
  })

  test.each([
    ['not now', Error],
    ['never', LetterRefused],
  ] as const)('that says "%s" is understood', async (mood, kind) => {
    const server = await mailServer()
    server.mood = mood
    const { post, close } = smtpPost(server.url, 'no-reply@hub.example')
    const error = await post('ada@example.com', letter).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(kind)
    expect(error instanceof LetterRefused).toBe(mood === 'never')
    close()
    await server.close()
  })

  test('that is not there is weather', async () => {
    const server = await mailServer()
    await server.close()
    const { post, close } = smtpPost(server.url, 'no-reply@hub.example')
    const error = await post('ada@example.com', letter).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(Error)
    expect(error).not.toBeInstanceOf(LetterRefused)
    close()
  })
})

test('every letter says the same as text and as HTML, and lets nothing out of its place', () => {
  const evil = '"><script>alert(1)</script>'
  const all = [
    letters.confirmSignUp('https://hub.example/a?b=1&c=2'),
    letters.alreadyHere({ signIn: 'https://hub.example/in', reset: 'https://hub.example/reset' }),
    letters.resetPassword('https://hub.example/x'),
    letters.passwordChanged(),
    letters.invitation({ url: 'https://hub.example/x', roles: ['client'], credit: '$5.00', days: 14 }),
    letters.invitation({ url: 'https://hub.example/x', roles: ['host'], credit: null, days: 14 }),
    letters.changeEmail('https://hub.example/x'),
    letters.emailChanged(),
    letters.secondFactorChanged('on'),
    letters.secondFactorChanged('off'),
    letters.secondFactorGuessed(),
    letters.recoveryCodeUsed(0),
    letters.recoveryCodeUsed(1),
    letters.recoveryCodeUsed(9),
    letters.machineJoined({ name: evil, url: 'https://hub.example/machines' }),
    letters.erased(),
  ]
  for (const { subject, text, html } of all) {
    expect(subject).not.toMatch(/[\r\n]/)
    expect(html).not.toContain('<script')
    const shown = html
      .replace(/<title>.*<\/title>/, '')
      .replace(/<a href="[^"]*">/g, '')
      .replace(/<[^>]+>/g, ' ')
    const words = (each: string) =>
      each
        .replace(/&amp;/g, '&')
        .replace(/&quot;/g, '"')
        .replace(/&lt;/g, '<')
        .replace(/&gt;/g, '>')
        .replace(/[:\s]+/g, '')
    expect(words(shown)).toBe(words(text))
  }
})
