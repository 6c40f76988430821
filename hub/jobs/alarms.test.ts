import { describe, expect, test } from 'bun:test'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { virtualEnv } from '../../sdk/testing.ts'
import { Seal } from '../identity/seal.ts'
import { silentLog } from '../log.ts'
import { addReport, changeReport } from '../policy/reports.ts'
import { alarmsOf, lookForAlarms, tellAlarms } from './alarms.ts'
import { isPublic, webhook, webhookKey } from './webhook.ts'

const REPORT = { kind: 'other', about: '', text: 'Somebody misuses this.', contact: '' }
const calm = { asked: 1_000, failed: 0, newReports: 0, unserved: [], offered: 2, sitOut: 0, told: [] }

async function world(dialect: (typeof testDialects)[number]) {
  const database = await testDatabase(dialect)
  const { db } = database
  const env = virtualEnv()
  const told: string[] = []
  const mailed: string[] = []
  let broken = false
  let target = 'https://alerts.example/hook'
  const alarms = {
    ...{ env, db, log: silentLog, offered: () => [], url: () => 'https://hub.example' },
    news: { tellAdmins: async (_: unknown, { about }: { about: string }) => void mailed.push(about) },
    webhook: () => target,
    post: async (url: string, body: string) => {
      if (broken) throw new Error('status 500')
      const { type, id } = JSON.parse(body)
      told.push(`${url} ${type} ${id}`)
    },
  }
  return {
    ...{ env, db, told, mailed },
    round: async (ms = 0) => {
      await env.advance(ms)
      await lookForAlarms(alarms)
      await tellAlarms(alarms)
    },
    break: (how: boolean) => (broken = how),
    forget: () => (target = ''),
    [Symbol.asyncDispose]: () => database.drop(),
  }
}

describe.each(testDialects)('alarms on %s', (dialect) => {
  test('are told once when they begin and once when they are over, by whichever hub looks first', async () => {
    await using it = await world(dialect)
    await it.round()
    expect(it.told).toEqual([])
    const id = await addReport(it.env, it.db, REPORT)
    // Two hubs at a time.
    await Promise.all([it.round(), it.round()])
    await it.round(60_000)
    expect(it.told).toEqual(['https://alerts.example/hook alarm.raised abuse-reports'])
    expect(it.mailed).toEqual(['abuse-reports'])
    await changeReport(it.env, it.db, 'command line', id, { state: 'closed', note: '' })
    await it.round(60_000)
    await it.round(60_000)
    await addReport(it.env, it.db, REPORT)
    await it.round(60_000)
    expect(it.told.map((line) => line.split(' ')[1])).toEqual(['alarm.raised', 'alarm.cleared', 'alarm.raised'])
  })

  test('are told again when that failed, later each time, and given up in the end', async () => {
    await using it = await world(dialect)
    await addReport(it.env, it.db, REPORT)
    it.break(true)
    await it.round()
    it.break(false)
    await it.round(10_000)
    expect(it.told).toEqual([])
    await it.round(10_000)
    expect(it.told).toHaveLength(1)

    it.break(true)
    await it.db.query.delete(it.db.tables.reports)
    for (let i = 0; i < 6; i++) await it.round(3 * 60 * 60_000)
    it.break(false)
    await it.round(24 * 60 * 60_000)
    expect(it.told).toHaveLength(1)
  })

  test('without a webhook are told to nobody, also not later', async () => {
    await using it = await world(dialect)
    it.forget()
    await addReport(it.env, it.db, REPORT)
    await it.round()
    await it.round(60_000)
    expect(it.told).toEqual([])
  })
})

test('what is an alarm', () => {
  const ids = (changes: Partial<typeof calm>) => alarmsOf({ ...calm, ...changes }).map(({ id }) => id)
  expect(ids({})).toEqual([])
  expect(ids({ failed: 10 })).toEqual([])
  expect(ids({ failed: 11 })).toEqual(['requests-fail'])
  expect(alarmsOf({ ...calm, unserved: ['a'] as never })[0]?.text).toBe('No host serves a')
  expect(ids({ unserved: ['a', 'b'] as never })).toEqual([])
  expect(ids({ sitOut: 1, newReports: 1 })).toEqual(['abuse-reports', 'hosts-sit-out'])
})

describe('the webhook', () => {
  const env = virtualEnv()
  const seal = new Seal('a secret that only tests know, and everybody may')
  const sent: { url: string; init: RequestInit }[] = []
  const posting = (addresses: string[], allowPrivate = false, status = 200) =>
    webhook({
      ...{ env, seal, allowPrivate },
      resolve: async () => addresses,
      send: async (url, init) => {
        sent.push({ url, init })
        return { status }
      },
    })

  test('signs what it posts, and follows no redirect', async () => {
    await posting(['93.184.216.34'])('https://alerts.example/hook', '{"a":1}')
    const { url, init } = sent.pop()!
    const signature = (init.headers as Record<string, string>)['x-gpuhub-signature'] ?? ''
    const [, at, mac] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature) ?? []
    expect(mac).toBe(new Bun.CryptoHasher('sha256', webhookKey(seal)).update(`${at}.{"a":1}`).digest('hex'))
    expect([url, init.redirect, Number(at)]).toEqual([
      'https://alerts.example/hook',
      'error',
      Math.floor(env.now() / 1_000),
    ])
  })

  test('reaches no private address, whatever its name, unless it may', async () => {
    for (const address of [
      '127.0.0.1',
      '10.1.2.3',
      '169.254.169.254',
      '::1',
      '::ffff:10.0.0.1',
      'fd00::1',
      '64:ff9b::a00:1',
    ])
      expect(await posting(['93.184.216.34', address])('https://alerts.example/', '{}').catch(String)).toContain(
        address,
      )
    expect(sent).toEqual([])
    await posting(['127.0.0.1'], true)('https://alerts.example/', '{}')
    expect(sent.splice(0)).toHaveLength(1)
    const plain = webhook({ env, seal, allowPrivate: false, send: async () => ({ status: 200 }) })
    for (const url of ['https://127.0.0.1/', 'https://[::1]/', 'https://2130706433/', 'https://localhost/'])
      expect(await plain(url, '{}').catch(String)).toContain('inside some network')
  })

  test('is told that something failed', async () => {
    expect(await posting(['93.184.216.34'], false, 302)('https://alerts.example/', '{}').catch(String)).toContain('302')
  })

  test.each([
    ['8.8.8.8', true],
    ['172.15.0.1', true],
    ['172.31.255.255', false],
    ['192.168.1.1', false],
    ['100.64.0.1', false],
    ['255.255.255.255', false],
    ['2606:4700::1111', true],
    ['2002:a00:1::', false],
    ['fe80::1', false],
    ['nonsense', false],
  ])('%s is public: %p', (address, is) => {
    expect(isPublic(address)).toBe(is)
  })
})
