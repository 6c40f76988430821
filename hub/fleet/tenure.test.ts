import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { parseUsd } from '../../sdk/money.ts'
import { pendingAccount } from '../ledger/chart.ts'
import { balance } from '../ledger/balance.ts'
import { listActs } from '../policy/acts.ts'
import { startHub, type TestHub } from '../testing.ts'
import { findHost } from './list.ts'
import { neverPayable, nowOf, rentIn, setTenure, teamHosts, tenuresOf } from './tenure.ts'
import { worthOf } from './worth.ts'

const HOUR_MS = 60 * 60_000
const DAY_MS = 24 * HOUR_MS
const usd = parseUsd

/** `later` than the hub's clock, which is dear to move. */
const says = ({ env, world }: TestHub, said: Parameters<typeof setTenure>[2], later = 0) =>
  setTenure({ env: { ...env, now: () => env.now() + later }, db: world.db }, 'command line', said)

async function tenures({ world }: TestHub, id: string) {
  return (await tenuresOf(world.db, [id])).get(id) ?? []
}

describe.each(testDialects)('on %s', (database) => {
  test('a rent counts from the machine’s first day, a new one from its own moment on', async () => {
    await using hub = await startHub({ database, hosts: { berlin: {} } })
    const { id, ownerId } = hub.host('berlin')
    const now = hub.env.now()
    const came = now - 2 * HOUR_MS
    const { hosts } = hub.world.db.tables
    await hub.world.db.query.update(hosts).set({ createdAt: came }).where(eq(hosts.id, id))
    await says(hub, { id, owner: ownerId, rent: '0.30' })
    await says(hub, { id, owner: ownerId, rent: '0.60' }, HOUR_MS)
    // Said again it changes nothing, and is no act.
    await says(hub, { id, owner: ownerId, rent: '0.6' }, 2 * HOUR_MS)
    const told = await tenures(hub, id)
    expect(told).toEqual([
      { at: came, team: false, rent: usd('0.30') },
      { at: now + HOUR_MS, team: false, rent: usd('0.60') },
    ])
    expect(rentIn(told, { from: 0, to: now + HOUR_MS })).toBe(usd('0.90'))
    expect(rentIn(told, { from: now, to: now + 2 * HOUR_MS })).toBe(usd('0.90'))
    expect(rentIn(told, { from: now + HOUR_MS, to: now + 11 * HOUR_MS })).toBe(usd('6'))
    expect(rentIn(told, { from: 0, to: came })).toBe(0n)
    await says(hub, { id, owner: ownerId, rent: '' }, 3 * HOUR_MS)
    expect(nowOf(await tenures(hub, id))).toMatchObject({ rent: 0n })
    expect(
      (await listActs(hub.world.db, { limit: 9 })).map(({ what, before, after }) => [what, before, after]),
    ).toEqual([
      ['host.tenure', { team: false, rent: '$0.60' }, { team: false, rent: '$0.00' }],
      ['host.tenure', { team: false, rent: '$0.30' }, { team: false, rent: '$0.60' }],
      ['host.tenure', { team: false, rent: '$0.00' }, { team: false, rent: '$0.30' }],
    ])
  })

  test('what a machine earns while it is the team’s is booked, and never payable; what it earned before and after is', async () => {
    await using hub = await startHub({ database, credit: { ada: '$5' }, hosts: { berlin: {} } })
    const { id } = hub.host('berlin')
    const { db } = hub.world
    const answer = async () => {
      await (await hub.as('ada').chat('count')).text()
      await hub.env.advance(1_000)
    }
    const earned = () => balance(db, pendingAccount(id))
    await answer()
    const before = await earned()
    await says(hub, { id, team: true, rent: '0.35' })
    expect(await teamHosts(db)).toEqual([id])
    await answer()
    await answer()
    const asTeam = (await earned()) - before
    await says(hub, { id, team: false })
    await answer()
    expect(before).toBeGreaterThan(0n)
    expect(await earned()).toBeGreaterThan(before + asTeam)
    expect(await neverPayable(db, id, await tenures(hub, id), hub.env.now())).toBe(asTeam)
    expect(await teamHosts(db)).toEqual([])
  })

  test('income stands beside rent, for machines that cost some or are the team’s', async () => {
    await using hub = await startHub({ database, credit: { ada: '$5' }, hosts: { berlin: {}, kyoto: {} } })
    const { db } = hub.world
    const berlin = hub.host('berlin')
    await says(hub, { id: berlin.id, rent: '0.50' })
    for (let turn = 0; turn < 2; turn++) await (await hub.as('ada').chat('count')).text()
    const { hosts } = db.tables
    // Ten days ago it came.
    const came = hub.env.now() - 10 * DAY_MS
    await db.query.update(db.tables.tenures).set({ at: came })
    const listed = async () => {
      const all = await Promise.all(['berlin', 'kyoto'].map((name) => findHost(hub.env, db, hub.host(name).id)))
      return all.flatMap((host) => (host ? [host] : []))
    }
    const now = hub.env.now()
    const [worth, ...others] = await worthOf({ now: () => now }, db, await listed())
    expect(others).toEqual([])
    const earned = await balance(db, pendingAccount(berlin.id))
    const today = now % DAY_MS
    const hours = (ms: number) => (usd('0.50') * BigInt(ms) + BigInt(HOUR_MS) - 1n) / BigInt(HOUR_MS)
    expect(worth).toMatchObject({ id: berlin.id, team: false, rent: usd('0.50') })
    expect(worth?.spans).toEqual([
      { earned, rent: hours(today) },
      { earned, rent: hours(today + 6 * DAY_MS) },
      { earned, rent: hours(10 * DAY_MS) },
    ])
    expect(earned).toBeGreaterThan(0n)
    // Given back: from then on it costs nothing.
    await db.query
      .update(hosts)
      .set({ leftAt: now, seenAt: came + DAY_MS })
      .where(eq(hosts.id, berlin.id))
    const [left] = await worthOf({ now: () => now }, db, await listed())
    expect(left?.spans.map(({ rent }) => rent)).toEqual([0n, 0n, hours(DAY_MS)])
  })
})

test.each([
  ['no amount', { rent: 'cheap' }, 'dollars an hour'],
  ['less than nothing', { rent: '-1' }, 'dollars an hour'],
  ['more than anything costs', { rent: '1000.01' }, 'dollars an hour'],
  ['of somebody else’s machine', { rent: '1', owner: 'usr_mallory' }, 'no such machine'],
  ['of no machine', { rent: '1', id: 'host_none' }, 'no such machine'],
])('a rent that is %s is refused', async (_, said, why) => {
  await using hub = await startHub({ hosts: { berlin: {} } })
  const { id } = hub.host('berlin')
  const refused = says(hub, { id, ...said })
  expect(await refused.then(() => '', String)).toContain(why)
  expect(await tenures(hub, id)).toEqual([])
})
