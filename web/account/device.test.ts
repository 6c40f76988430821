import { expect, test } from 'bun:test'
import { addInvitation } from '../../hub/identity/invitations.ts'
import { beginDevice } from '../../hub/fleet/sign-in.ts'
import { HUB_URL } from '../../hub/testing.ts'
import { startPages } from '../testing.ts'

test('a client with an invitation becomes an owner on the page where the machine’s code is typed', async () => {
  await using pages = await startPages({ credit: { ada: '$1' } })
  const { identity } = pages.hub.platform
  const ada = await pages.browser('ada')
  const office = { env: pages.env, db: pages.world.db, url: HUB_URL, sends: false }
  const { link } = await addInvitation(office, 'command line', { roles: ['host'], credit: 0n })
  const invitation = link.split('invitation=')[1] ?? ''
  const caller = { address: '198.51.100.7', agent: 'test', country: null }
  const machine = { key: Buffer.alloc(32, 7).toString('base64'), name: 'attic', gpu: 'RTX 4090', agent: '1' }
  const { userCode: code } = await beginDevice(identity, caller, { ...machine, timeZone: null })

  const shown = await (await ada.get(`/device?invitation=${invitation}`)).text()
  expect(shown).toContain(`value="${invitation}"`)
  const without = await ada.post('/device', { code })
  expect([without.status, await without.text()]).toEqual([403, expect.stringContaining('Only owners of hosts')])
  const wrong = await ada.post('/device', { code, invitation: '<i>' })
  expect([wrong.status, await wrong.text()]).toEqual([400, expect.stringContaining('id="invitation-fault"')])
  const asked = await ada.post('/device', { code, invitation })
  expect(asked.status).toBe(200)
  const html = await asked.text()
  expect(html).toContain('attic')
  expect(await (await ada.get('/device')).text()).not.toContain('name="invitation"')
  const approval = /\/device\/[\w]+\/approval/.exec(html)?.[0] ?? ''
  expect((await ada.post(approval)).status).toBe(303)
})
