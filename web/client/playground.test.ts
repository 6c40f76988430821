import { expect, test } from 'bun:test'
import { startPages } from '../testing.ts'

const ASK = { model: 'gpuhub/emulator', messages: JSON.stringify([{ role: 'user', content: 'hello there' }]) }

/** The words of a streamed answer. */
function wordsOf(events: string): string {
  return events
    .split('\n\n')
    .filter((event) => event.startsWith('data: {'))
    .map((event) => JSON.parse(event.slice(6)).choices[0]?.delta?.content ?? '')
    .join('')
}

test('an answer in the playground is what a program would get, and costs the same', async () => {
  await using pages = await startPages({ credit: { ada: '$1', bob: '$1' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  const answer = await ada.post('/client/playground/answers', ASK)
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
  expect(answer.headers.get('access-control-allow-origin')).toBeNull()
  const said = wordsOf(await answer.text())
  await (await pages.as('bob').chat('hello there', { stream: true })).text()
  expect(said).toBe(pages.as('bob').truth('hello there').text)
  const { ada: hers, bob } = await pages.balances()
  expect(hers).toBe(bob!)
  expect(hers).not.toBe('$1.00')
  const usage = await (await ada.get('/client/usage')).text()
  expect(usage).toContain(answer.headers.get('x-request-id')!)
  expect(usage).toContain('Playground')
})

test('its key, too, asks for the models it may and no others', async () => {
  await using pages = await startPages({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  await (await ada.post('/client/playground/answers', ASK)).text()
  const list = await (await ada.get('/client/keys')).text()
  const limits = /href="([^"]+)" aria-label="Change the limits of Playground"/.exec(list)?.[1] ?? ''
  expect((await ada.post(limits, { models: 'Qwen/Qwen3-8B' })).status).toBe(303)
  await pages.env.advance(1_000)
  const refused = await ada.post('/client/playground/answers', ASK)
  expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('model_not_allowed')])
})

test('it asks with a key of its own, made once; a revoked one is followed by another', async () => {
  await using pages = await startPages({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  const ask = async () => (await ada.post('/client/playground/answers', ASK)).text()
  await Promise.all([ask(), ask()])
  await ask()
  const keys = async () => [
    ...(await (await ada.get('/client/keys')).text()).matchAll(
      /keys\/(\w+)\/revocation" aria-label="Revoke Playground"/g,
    ),
  ]
  const [[, first = ''] = []] = await keys()
  expect(await keys()).toHaveLength(1)
  await ada.post(`/client/keys/${first}/revocation`)
  expect(wordsOf(await ask())).not.toBe('')
  const [[, second = ''] = []] = await keys()
  expect(second).not.toBe('')
  expect(second).not.toBe(first)
})

test('what cannot be asked is refused in words', async () => {
  await using pages = await startPages({ credit: { ada: '$0' }, hosts: { berlin: {} } })
  const ada = await pages.browser('ada')
  const poor = await ada.post('/client/playground/answers', ASK)
  expect([poor.status, (await poor.json()).error.code]).toEqual([402, 'insufficient_quota'])
  const broken = await ada.post('/client/playground/answers', { ...ASK, messages: '{' })
  expect([broken.status, (await broken.text()).includes('at most 200 messages')]).toEqual([400, true])
})
