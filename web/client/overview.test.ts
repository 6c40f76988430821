import { expect, test } from 'bun:test'
import { inArray } from 'drizzle-orm'
import { startPages } from '../testing.ts'

test('the overview says by model and by key what failed, and how soon answers began', async () => {
  await using pages = await startPages({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const browser = await pages.browser('ada')
  await (await pages.as('ada').chat('hello')).text()
  const { requests } = pages.world.db.tables
  const [answered] = await pages.world.db.query.select().from(requests)
  await pages.world.db.query.insert(requests).values([
    { ...answered!, id: 'req_slow', firstTokenMs: 1_200 },
    { ...answered!, id: 'req_failed', state: 'failed', firstTokenMs: null, cost: 0n, fee: 0n, hostShare: 0n },
  ])
  const html = await (await browser.get('/client?period=today')).text()
  for (const section of ['By model', 'By key']) {
    const [, row = ''] = /<tbody>(.*?)<\/tbody>/s.exec(html.slice(html.indexOf(`<h2>${section}`))) ?? []
    expect(row.replaceAll(/<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ')).toMatch(/ 3 1 · 33\.3 % ≤ 50 ms ≤ 1\.5 s/)
  }
  // The books know of none of these.
  await pages.world.db.query.delete(requests).where(inArray(requests.id, ['req_slow', 'req_failed']))
})
