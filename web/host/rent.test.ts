// What a machine costs, on the pages of its owner and of the team.
import { expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { startPages } from '../testing.ts'

async function world() {
  const pages = await startPages({ credit: { ada: '$1', boss: '$0', olga: '$0' }, hosts: { berlin: {}, kyoto: {} } })
  const { db } = pages.world
  const olga = await pages.browser('olga', ['host'])
  const { id } = pages.host('berlin')
  await db.query.update(db.tables.hosts).set({ ownerId: olga.userId }).where(eq(db.tables.hosts.id, id))
  const boss = await pages.browser('boss', ['admin'])
  const seen = async (browser: typeof boss, path: string) => {
    const response = await browser.get(path)
    expect(response.status).toBe(200)
    return (await response.text()).replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' ')
  }
  return { pages, olga, boss, id, seen }
}

test('an owner says what a machine costs an hour, and reads whether it pays', async () => {
  const { pages, olga, id, seen } = await world()
  await using _ = pages
  expect(await seen(olga, '/host')).not.toContain('Earned beside rent')
  const wrong = await olga.post(`/host/machines/${id}/rent`, { rent: '<b>free' })
  expect(wrong.status).toBe(400)
  const html = await wrong.text()
  expect(html).toContain('id="rent-fault"')
  expect(html).toContain('&lt;b>free')
  expect((await olga.post(`/host/machines/${id}/rent`, { rent: '0.35' })).status).toBe(303)
  await pages.env.advance(1_000)
  expect(await seen(olga, '/host')).toMatch(/Earned beside rent .*berlin \$0\.35 .*no, \$0\.\d+ short/)
  expect(await seen(olga, `/host/machines/${id}`)).toContain('no, $0.')
  expect(await (await olga.get(`/host/machines/${id}`)).text()).toContain('value="0.35"')
  // Of somebody else's machine there is nothing to say.
  expect((await olga.post(`/host/machines/${pages.host('kyoto').id}/rent`, { rent: '1' })).status).toBe(404)
})

test('the team marks a machine as its own: its income is beside its rent, and not the owner’s to be paid', async () => {
  const { pages, olga, boss, id, seen } = await world()
  await using _ = pages
  expect((await olga.post(`/admin/fleet/${id}/tenure`, { team: 'yes' })).status).toBe(404)
  for (let turn = 0; turn < 2; turn++) await (await pages.as('ada').chat('count')).text()
  expect(await seen(olga, '/host')).toContain('$0.0000')
  expect((await boss.post(`/admin/fleet/${id}/tenure`, { rent: '0', team: 'yes' })).status).toBe(303)
  expect(await seen(boss, '/admin')).toMatch(/The team’s own machines .*berlin the team’s .*costs no rent/)
  expect(await seen(olga, '/host')).toContain('$0.00 to be paid out; the team’s own machines’ is not')
  expect(await seen(olga, `/host/machines/${id}`)).toContain('booked and not paid out')
  expect((await boss.post(`/admin/fleet/${id}/tenure`, { rent: '' })).status).toBe(303)
  expect(await seen(boss, '/admin')).not.toContain('The team’s own machines')
  expect(await seen(boss, `/admin/acts?subject=${id}`)).toContain('host.tenure')
})
