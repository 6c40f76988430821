// What happens in a hub, and the letters that follow from it.
import { describe, expect, test } from 'bun:test'
import { parseUsd } from '../sdk/money.ts'
import { until } from '../sdk/testing.ts'
import { judgeHost } from './fleet/judge.ts'
import { allow } from './identity/allowances.ts'
import { listMails, type Mail } from './mail/outbox.ts'
import { startHub, type TestHub } from './testing.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

const letters = async (it: TestHub): Promise<Mail[]> => (await listMails(it.world.db, { limit: 50 })).toReversed()
const kinds = async (it: TestHub) => (await letters(it)).map(({ kind, recipient }) => `${kind} ${recipient}`)

/** Lets time pass until so many letters are there, and a while longer: there are no more. */
async function written(it: TestHub, count: number): Promise<Mail[]> {
  await until(`${count} letters are written`, async () => {
    await it.env.advance(10_000)
    return (await letters(it)).length >= count
  })
  await it.env.advance(3 * MINUTE_MS)
  return letters(it)
}

describe('a client', () => {
  test('who uses the last of their credit is told, and who has enough is not', async () => {
    await using it = await startHub({ credit: { ada: '$0.50', bob: '$5' }, hosts: { berlin: {} } })
    for (const name of ['ada', 'ada', 'bob']) expect((await it.as(name).chat('Why is the sky blue?')).status).toBe(200)
    const [letter, ...more] = await written(it, 1)
    expect(more).toEqual([])
    expect(letter).toMatchObject({ kind: 'credit-low', recipient: 'ada@example.com' })
    expect(letter?.subject).toMatch(/^Your credit is down to \$0\.49\d*$/)
  })

  test('whose key has spent its budget is told once, until the budget is another', async () => {
    await using it = await startHub({ credit: { ada: '$5' }, hosts: { berlin: {} } })
    const { keyId } = it.as('ada')
    await allow(it.world.db, keyId, { budget: parseUsd('0.000003') })
    await it.env.advance(2_000)
    const ask = async (times: number) => {
      let last = 200
      for (let i = 0; i < times && last === 200; i++)
        last = (await it.as('ada').chat('Hello', { max_tokens: 5 })).status
      return last
    }
    expect(await ask(50)).toBe(402)
    const [letter, ...more] = await written(it, 1)
    expect([letter?.kind, more]).toEqual(['key-budget', []])
    expect(letter?.text).toContain('of its budget of $0.000003')
    await allow(it.world.db, keyId, { budget: parseUsd('0.000005') })
    await it.env.advance(2_000)
    expect(await ask(50)).toBe(402)
    expect((await written(it, 2)).map(({ kind }) => kind)).toEqual(['key-budget', 'key-budget'])
  })
})

describe('an owner', () => {
  test('whose machine was lost for two hours is told; one that was stopped is not missed', async () => {
    await using it = await startHub({ hosts: { berlin: {}, oslo: {}, rome: {} } })
    it.host('berlin').kill()
    await it.host('oslo').leave()
    // It is written down that the one was lost, and that both are gone.
    await it.env.advance(30_000)
    const { networkSightings } = it.world.db.tables
    await until('it is written down', async () => {
      await it.env.advance(1_000)
      const rows = await it.world.db.query.select().from(networkSightings)
      return rows.some(({ losses }) => losses.length > 0)
    })
    it.env.jump(HOUR_MS)
    await it.env.advance(3 * MINUTE_MS)
    expect(await kinds(it)).toEqual([])
    it.env.jump(HOUR_MS)
    const [letter, ...more] = await written(it, 1)
    expect(more).toEqual([])
    expect(letter).toMatchObject({ kind: 'machine-offline', recipient: 'berlin@hosts.example.com' })
    expect(letter?.text).toContain(`/host/machines/${it.host('berlin').id}`)
  })

  test('whose machine is kept from requests is told why, in the moment that it is', async () => {
    await using it = await startHub({ hosts: { berlin: {} } })
    const { identity } = it.hub.platform
    const quarantine = (reason: string) =>
      judgeHost(identity, 'command line', it.host('berlin').id, { is: 'quarantined', reason })
    await quarantine('its answers read like another model')
    await quarantine('another reason')
    await judgeHost(identity, 'command line', it.host('berlin').id, { is: 'released' })
    const all = await letters(it)
    expect(await kinds(it)).toEqual(['machine-quarantined berlin@hosts.example.com'])
    expect(all[0]?.text).toContain('its answers read like another model')
  })

  test('whose machine went back to its older program is told once, however often it links', async () => {
    await using it = await startHub()
    await it.addHost('berlin', {}, { failedUpdate: '0.9.0' })
    it.host('berlin').cut()
    await it.env.advance(MINUTE_MS)
    expect(await kinds(it)).toEqual(['update-failed berlin@hosts.example.com'])
    const [letter] = await letters(it)
    expect(letter?.text).toContain('gpuhost 0.9.0 did not start or did not reach the hub')
  })
})
