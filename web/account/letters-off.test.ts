import { expect, test } from 'bun:test'
import { offPath } from '../../hub/mail/unsubscribe.ts'
import { userById } from '../../hub/identity/users.ts'
import { HUB_URL } from '../../hub/testing.ts'
import { startPages } from '../testing.ts'

test('the link in a letter switches its kind off: by a mail program in one post, by a person in two steps', async () => {
  await using pages = await startPages({ credit: { ada: '$1', bob: '$1' } })
  const { identity } = pages.hub.platform
  const [ada, bob] = [pages.as('ada').userId, pages.as('bob').userId]
  const muted = async (id: string) => (await userById(pages.world.db, id))?.muted
  const link = offPath(identity.letterMark, ada, 'credit-low')

  // Mail programs look ahead.
  const page = await (await pages.stranger.get(link)).text()
  expect(page).toContain('My credit runs low')
  expect(await muted(ada)).toBeNull()
  const action = /<form method="post" action="([^"]+)"/.exec(page)?.[1]?.replaceAll('&amp;', '&') ?? ''
  expect(new URL(action, HUB_URL).href).toBe(new URL(link, HUB_URL).href)

  for (const wrong of [link.replace('credit-low', 'key-budget'), link.replace(ada, bob), '/letters/off']) {
    const answer = await pages.stranger.post(wrong, { 'List-Unsubscribe': 'One-Click' }, {})
    expect([wrong, answer.status]).toEqual([wrong, 400])
  }
  // RFC 8058: either kind of form, no cookie, no sign of a page of ours.
  const body = new FormData()
  body.set('List-Unsubscribe', 'One-Click')
  const request = new Request(HUB_URL + offPath(identity.letterMark, bob, 'key-budget'), { method: 'POST', body })
  expect((await pages.hub.fetch(request, { timeout() {} } as never))?.status).toBe(200)
  expect((await pages.stranger.post(action, { 'List-Unsubscribe': 'One-Click' }, {})).status).toBe(200)
  expect([await muted(ada), await muted(bob)]).toEqual([['credit-low'], ['key-budget']])
})
