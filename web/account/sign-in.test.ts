import { expect, test } from 'bun:test'
import { HUB_URL } from '../../hub/testing.ts'
import { refusalCookie } from '../../hub/identity/cookie.ts'
import { startPages } from '../testing.ts'

test('who comes back from a provider and is suspended reads why; an address alone says nothing', async () => {
  await using pages = await startPages()
  const path = '/sign-in?problem=account_suspended'
  const cookie = refusalCookie(HUB_URL, 'This account is suspended: “<b>spam</b>”').split(';')[0]!
  const told = await (await pages.stranger.get(path, { cookie })).text()
  expect(told).toContain('“&lt;b>spam&lt;/b>”')
  expect(await (await pages.stranger.get(path)).text()).not.toContain('suspended:')
})
