import { expect, test } from 'bun:test'
import { render } from 'preact-render-to-string'
import { startPages } from '../testing.ts'
import { exhibits } from './rooms.ts'

test('every state of every page has one heading, no id twice, and nothing that a stranger named runs', () => {
  const found = exhibits.flatMap(({ name, body }) => {
    const html = render(body)
    const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
    const twice = ids.filter((id, i) => ids.indexOf(id) !== i)
    return [
      ...(html.match(/<h1/g)?.length === 1 ? [] : [`${name}: not one h1`]),
      ...twice.map((id) => `${name}: "${id}" twice`),
      ...(/<img|<script|\son\w+=(?!alert)|style="|javascript:/i.test(html) ? [`${name}: what it says could run`] : []),
    ]
  })
  expect(found).toEqual([])
  expect(exhibits.length).toBeGreaterThan(80)
  expect(new Set(exhibits.map(({ name }) => name)).size).toBe(exhibits.length)
})

test('it is there for developers only', async () => {
  await using pages = await startPages({ credit: { ada: '$0' } })
  for (const path of ['/dev/gallery', `/dev/gallery/${exhibits[0]?.name}`])
    expect((await (await pages.browser('ada')).get(path)).status).toBe(404)
  await using open = await startPages({ config: { development: true } })
  expect((await open.stranger.get('/dev/gallery')).status).toBe(200)
  expect((await open.stranger.get('/dev/gallery/fields')).status).toBe(200)
  expect((await open.stranger.get('/dev/gallery/no-such')).status).toBe(404)
})
