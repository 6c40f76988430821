import { expect, test } from 'bun:test'
import { sql } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { setTenure } from '../../hub/fleet/tenure.ts'
import { addHostToken } from '../../hub/fleet/token.ts'
import { addUser } from '../../hub/identity/users.ts'
import { systemEnv } from '../../sdk/env.ts'
import { serveHub } from '../hub/testing.ts'
import { earnings, earningsNote, earningsRows, usd } from './earnings.ts'

test.each(testDialects)(
  'a machine reads what it earned today, in a week and in a month, and nothing of another’s, on %s',
  async (database) => {
    await using hub = await serveHub({ database, credit: { ada: '$5' }, hosts: { berlin: {} } })
    const { world } = hub
    const { db } = world.world
    const [row] = await db.query.select().from(db.tables.hosts)
    if (!row) throw new Error('no host')
    const tokenOf = (ownerId: string) => addHostToken(world.env, db, { ownerId, name: 'x' }).then(({ token }) => token)
    const [own, stranger] = [
      await tokenOf(row.ownerId),
      await tokenOf((await addUser(world.env, db, { email: 'mallory@example.com', roles: ['host'] })).id),
    ]
    const ask = (token: string, machine = row.machine) => {
      // The hub's clock is moved by hand: what today is, is asked by it.
      const env = { ...systemEnv, now: () => world.env.now() }
      return earnings({ env, hub: hub.url, token, prove: () => null }, machine, 'Europe/Berlin')
    }
    const answer = async () => void (await (await world.as('ada').chat('count')).text())

    expect(earningsRows(await ask(own))).toEqual([])
    await answer()
    // It was three days ago.
    const { requests } = db.tables
    const ago = 3 * 24 * 60 * 60_000
    await db.query
      .update(requests)
      .set({ at: sql`${requests.at} - ${ago}`, endedAt: sql`${requests.endedAt} - ${ago}` })
    await answer()
    await answer()
    await world.env.advance(1_000)
    const { today, week, month } = await ask(own)
    expect([today, week, month].map(({ data }) => data.map(({ requests }) => requests))).toEqual([[2], [3], [3]])
    const books = (await world.balances()).berlin
    expect(`$${month.earned}`).toBe(books ?? '')
    expect(Number(today.earned)).toBeLessThan(Number(week.earned))
    expect(earningsRows({ zone: 'Europe/Berlin', today, week, month }).map(([model]) => model)).toEqual([
      'gpuhub/emulator:emulated',
      'all',
    ])
    const costs = { id: row.id, owner: row.ownerId, rent: '0.10' }
    await setTenure({ env: world.env, db }, 'command line', costs)
    // It came an hour ago: when the day began by this machine's clock.
    await db.query.update(db.tables.tenures).set({ at: world.env.now() - 60 * 60_000 })
    const paying = await ask(own)
    const rents = [paying.today, paying.week, paying.month].map(({ rent = '' }) => rent)
    expect(rents).toEqual(Array.from({ length: 3 }, () => expect.stringMatching(/^0\.100/)))
    expect(earningsNote(paying)).toBeNull()
    const [rent, left] = earningsRows(paying).slice(-2)
    expect(rent).toEqual(['rent', '$0.10', '$0.10', '$0.10', '', '', ''])
    expect(left?.map((each) => each.slice(0, 4))).toEqual(['left', '-$0.', '-$0.', '-$0.', '', '', ''])
    await setTenure({ env: world.env, db }, 'command line', { id: row.id, team: true })
    expect(earningsNote(await ask(own))).toContain('not paid out')
    expect((await ask(stranger)).month).toMatchObject({ data: [], earned: '0.00' })
    expect((await ask(own, 'machine_of_somebody')).month.data).toEqual([])
    expect(await ask('gph_wrong').then(() => '', String)).toContain('host token is not valid')
  },
)

test.each([
  ['0', '$0.00'],
  ['0.00', '$0.00'],
  ['1.5', '$1.50'],
  ['12.349', '$12.34'],
  ['0.05', '$0.05'],
  ['0.000131', '$0.000131'],
  ['0.00000001', '$0.00000001'],
])('USD %s is shown as %s', (decimal, shown) => {
  expect(usd(decimal)).toBe(shown)
})
