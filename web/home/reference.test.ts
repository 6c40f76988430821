import { expect, test } from 'bun:test'
import { startPages } from '../testing.ts'

test('the API reference names every address of the OpenAPI document, each with its fields', async () => {
  await using pages = await startPages()
  const { paths } = (await pages.hub.platform.apiDocument()) as { paths: Record<string, Record<string, unknown>> }
  const html = await (await pages.stranger.get('/docs/api')).text()
  for (const [path, methods] of Object.entries(paths)) {
    expect(html).toContain(`<code>${path}</code>`)
    for (const method of Object.keys(methods))
      expect(html).toContain(`<span class="tag">${method.toUpperCase()}</span>`)
  }
  expect(html).toContain('<code>costNanos</code>')
  // Whatever is new has a place.
  expect(html).not.toContain('<h2>More</h2>')
})
