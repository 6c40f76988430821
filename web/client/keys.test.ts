import { expect, test } from 'bun:test'
import { HUB_URL } from '../../hub/testing.ts'
import { startPages, type TestPages } from '../testing.ts'

const DAY_MS = 24 * 60 * 60_000

async function ask(pages: TestPages, key: string): Promise<number> {
  const answer = await pages.hub.fetch(
    new Request(`${HUB_URL}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'gpuhub/emulator', messages: [{ role: 'user', content: 'hello there' }] }),
    }),
    { timeout() {} } as unknown as Parameters<TestPages['hub']['fetch']>[1],
  )
  await answer?.text()
  return answer?.status ?? 0
}

const keyIn = (html: string) => /gh_\w+/.exec(html)?.[0] ?? ''
const dayAfter = (pages: TestPages, days: number) =>
  new Date(pages.env.now() + days * DAY_MS).toISOString().slice(0, 10)

test('a key made with a budget and a last day is held to them, and its page shows both', async () => {
  await using pages = await startPages({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  const make = async (fields: Record<string, string>) => keyIn(await (await ada.post('/client/keys', fields)).text())
  const rich = await make({ name: 'rich', budget: '0.50', expires: dayAfter(pages, 0) })
  const poor = await make({ name: 'poor', budget: '$0.000000001', expires: '' })
  expect([await ask(pages, rich), await ask(pages, poor)]).toEqual([200, 402])
  const list = await (await ada.get('/client/keys')).text()
  expect(list).toContain('of $0.50')
  expect(list).toContain(`${dayAfter(pages, 1)}T00:00:00.000Z`)
})

test('what is no budget and no day to come is said beside the field, and what was typed is kept', async () => {
  await using pages = await startPages({ credit: { ada: '$1' } })
  const ada = await pages.browser('ada')
  for (const [fields, field] of [
    [{ name: 'a', budget: 'a lot', expires: '' }, 'budget'],
    [{ name: 'a', budget: '-1', expires: '' }, 'budget'],
    [{ name: 'a', budget: '', expires: dayAfter(pages, -1) }, 'expires'],
    [{ name: 'a', budget: '', expires: 'tomorrow' }, 'expires'],
  ] as const) {
    const answer = await ada.post('/client/keys', fields)
    expect(answer.status).toBe(400)
    const html = await answer.text()
    expect(html).toMatch(new RegExp(`<input[^>]*aria-invalid="true"[^>]*name="${field}"[^>]*value="${fields[field]}"`))
    expect(keyIn(html)).toBe('')
  }
})
