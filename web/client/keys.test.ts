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
const limitsOf = (html: string, name: string) =>
  new RegExp(`href="([^"]+)" aria-label="Change the limits of ${name}"`).exec(html)?.[1] ?? ''
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

test('a key is made for some models, and its limits are changed later, each by itself', async () => {
  await using pages = await startPages({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  const other = { name: 'web', models: 'Qwen/Qwen3-8B, Qwen/Qwen3-14B' }
  const html = await (await ada.post('/client/keys', other)).text()
  const key = keyIn(html)
  const limits = limitsOf(html, 'web')
  expect(html).toContain('2 models')
  expect(await ask(pages, key)).toBe(403)
  const form = await (await ada.get(limits)).text()
  expect(form).toContain('Qwen/Qwen3-8B\nQwen/Qwen3-14B')
  const change = { budget: '2.00', expires: dayAfter(pages, 3), models: 'gpuhub/emulator' }
  const saved = await ada.post(limits, change)
  expect([saved.status, saved.headers.get('location')]).toEqual([303, '/client/keys'])
  await pages.env.advance(1_000)
  expect(await ask(pages, key)).toBe(200)
  const list = await (await ada.get('/client/keys')).text()
  for (const said of ['of $2.00', `${dayAfter(pages, 4)}T00:00:00.000Z`, '>emulator<']) expect(list).toContain(said)
  // A day that is over stays as it is unless another is typed.
  pages.env.jump(5 * DAY_MS)
  expect((await ada.post(limits, { ...change, budget: '' })).status).toBe(303)
  expect(await (await ada.get('/client/keys')).text()).toContain(`${dayAfter(pages, -1)}T00:00:00.000Z`)
  expect((await ada.post(limits, { budget: '', expires: '', models: '' })).status).toBe(303)
  await pages.env.advance(1_000)
  expect(await ask(pages, key)).toBe(200)
})

test('what is no limit is said beside its field, and changes nothing', async () => {
  await using pages = await startPages({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  const html = await (await ada.post('/client/keys', { name: 'web' })).text()
  const limits = limitsOf(html, 'web')
  for (const [fields, field] of [
    [{ budget: 'a lot' }, 'budget'],
    [{ expires: dayAfter(pages, -1) }, 'expires'],
    [{ models: 'gpuhub/emulator\nqwen3-8b' }, 'models'],
  ] as const) {
    const answer = await ada.post(limits, fields)
    expect(answer.status).toBe(400)
    expect(await answer.text()).toMatch(new RegExp(`<(input|textarea)[^>]*aria-invalid="true"[^>]*name="${field}"`))
  }
  await pages.env.advance(1_000)
  expect(await ask(pages, keyIn(html))).toBe(200)
})

test('what is no budget and no day to come is said beside the field, and what was typed is kept', async () => {
  await using pages = await startPages({ credit: { ada: '$1' } })
  const ada = await pages.browser('ada')
  for (const [fields, field] of [
    [{ name: 'a', budget: 'a lot', expires: '' }, 'budget'],
    [{ name: 'a', budget: '-1', expires: '' }, 'budget'],
    [{ name: 'a', budget: '', expires: dayAfter(pages, -1) }, 'expires'],
    [{ name: 'a', budget: '', expires: 'tomorrow' }, 'expires'],
    [{ name: 'a', budget: '', expires: '', models: 'nope' }, 'models'],
  ] as const) {
    const answer = await ada.post('/client/keys', fields)
    expect(answer.status).toBe(400)
    const html = await answer.text()
    expect(html).toMatch(
      new RegExp(
        `<input[^>]*aria-invalid="true"[^>]*name="${field}"[^>]*value="${(fields as Record<string, string>)[field]}"`,
      ),
    )
    expect(keyIn(html)).toBe('')
  }
})
