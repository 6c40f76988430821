// What admins do on their pages, and that it is done, and written down.
import { expect, test } from 'bun:test'
import { listActs } from '../../hub/policy/acts.ts'
import { changeSettings } from '../../hub/policy/change.ts'
import { REVISION, startHuggingFace } from '../../host/weights/testing/hub.ts'
import { tinyBase, tinyQwen } from '../../hub/catalog/testing/models.ts'
import { startPages } from '../testing.ts'

const REPORT = { kind: 'fraud or spam', about: 'req_1', text: 'It writes <b>spam</b> for somebody.', contact: '' }

async function world() {
  const pages = await startPages({ credit: { ada: '$1', boss: '$0' }, hosts: { berlin: {}, kyoto: {} } })
  const boss = await pages.browser('boss', ['admin'])
  const acts = async () => (await listActs(pages.world.db, { limit: 50 })).map(({ what }) => what)
  /** Which hosts answer. */
  const askedOf = async (times: number) => {
    const before = ['berlin', 'kyoto'].map((name) => pages.host(name).engine.tally.requests)
    for (let i = 0; i < times; i++) expect((await pages.as('ada').chat(`question ${i}`)).status).toBe(200)
    return ['berlin', 'kyoto'].map((name, i) => pages.host(name).engine.tally.requests - (before[i] ?? 0))
  }
  return { pages, boss, acts, askedOf }
}

test('a stranger’s report is on the admins’ list as it was written; what they make of it is kept', async () => {
  const { pages, boss, acts } = await world()
  await using _ = pages
  const sent = await pages.stranger.post('/report-abuse', REPORT)
  const id = /report_\w+/.exec(await sent.text())?.[0] ?? ''
  expect(id).not.toBe('')
  expect(await (await boss.get('/admin')).text()).toContain('1 new abuse report')
  expect(await (await boss.get('/admin/reports?state=new')).text()).toContain(id)
  const page = await (await boss.get(`/admin/reports/${id}`)).text()
  expect(page).toContain('It writes &lt;b>spam&lt;/b> for somebody.')
  const done = await boss.post(`/admin/reports/${id}`, { state: 'closed', note: 'Suspended the account.' })
  expect(done.status).toBe(303)
  expect(await (await boss.get(`/admin/reports/${id}`)).text()).toContain('Suspended the account.')
  expect(await (await boss.get('/admin/reports?state=new')).text()).not.toContain(id)
  expect(await acts()).toContain('report.change')
})

test('a report that says too little comes back as it was typed; whoever sends many is told to wait', async () => {
  const { pages } = await world()
  await using _ = pages
  const short = await pages.stranger.post('/report-abuse', { ...REPORT, text: '<i>x' })
  expect(short.status).toBe(400)
  const html = await short.text()
  expect(html).toContain('&lt;i>x')
  expect(html).toContain('id="text-fault"')
  const statuses: number[] = []
  for (let i = 0; i < 6; i++) statuses.push((await pages.stranger.post('/report-abuse', REPORT)).status)
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
})

test('a host in quarantine gets no request until it is released, and its owner reads why', async () => {
  const { pages, boss, acts, askedOf } = await world()
  await using _ = pages
  const { id } = pages.host('berlin')
  expect((await boss.post(`/admin/fleet/${id}/quarantine`, { reason: ' ' })).status).toBe(400)
  expect((await boss.post(`/admin/fleet/${id}/quarantine`, { reason: 'answers look odd' })).status).toBe(303)
  await pages.env.advance(1_000)
  expect(await askedOf(4)).toEqual([0, 4])
  await pages.env.advance(100)
  const page = await (await boss.get(`/admin/fleet/${id}`)).text()
  expect(page).toContain('answers look odd')
  expect(page).toContain('quarantined')
  await boss.post(`/admin/fleet/${id}/release`)
  await pages.env.advance(1_000)
  expect(await askedOf(4)).toEqual([2, 2])
  expect((await acts()).slice(0, 2)).toEqual(['host.release', 'host.quarantine'])
})

test('vetting gives a host all but the share of those that are not vetted', async () => {
  const { pages, boss, acts, askedOf } = await world()
  await using _ = pages
  await changeSettings(pages.env, pages.world.db, 'command line', { unvettedTrafficPercent: 25 })
  await boss.post(`/admin/fleet/${pages.host('berlin').id}/vetting`)
  await pages.env.advance(1_000)
  expect(await askedOf(8)).toEqual([6, 2])
  await boss.post(`/admin/fleet/${pages.host('berlin').id}/vetting/removal`)
  await pages.env.advance(1_000)
  expect(await askedOf(4)).toEqual([2, 2])
  expect((await acts()).filter((what) => what.startsWith('host.'))).toEqual(['host.unvet', 'host.vet'])
})

test('a note is the team’s own', async () => {
  const { pages, boss, acts } = await world()
  await using _ = pages
  const { id } = pages.host('berlin')
  await boss.post(`/admin/fleet/${id}/note`, { note: 'Bought second-hand.' })
  expect(await (await boss.get(`/admin/fleet/${id}`)).text()).toContain('Bought second-hand.')
  expect(JSON.stringify(await listActs(pages.world.db, { limit: 5 }))).not.toContain('second-hand')
  expect(await acts()).toContain('host.note')
})

test('a start price holds for the next request, and goes back to the catalog’s', async () => {
  const { pages, boss, acts } = await world()
  await using _ = pages
  const price = async () => (await pages.as('ada').chat('hello')).headers.get('x-gpuhub-price-completion')
  const before = await price()
  const path = '/admin/models/price/gpuhub/emulator:emulated'
  for (const wrong of ['-1', 'much', '0.0000001', '1001', ''])
    expect((await boss.post(path, { prompt: '0.10', completion: wrong })).status).toBe(400)
  expect((await boss.post(path, { prompt: '0.5', completion: '1.25' })).status).toBe(303)
  expect(await price()).toBe('1.25')
  expect(await (await pages.stranger.get('/models')).text()).toContain('$1.25')
  await boss.post(path, { prompt: '', completion: '' })
  expect(await price()).toBe(before)
  expect((await acts()).filter((what) => what === 'model.price')).toHaveLength(2)
})

test('where the community meets stands at the foot of every page', async () => {
  const { pages, boss } = await world()
  await using _ = pages
  const value = JSON.stringify([{ name: 'Chat & <b>more</b>', url: 'https://chat.example/a?b=1&c=2' }])
  expect((await boss.post('/admin/settings', { name: 'communityLinks', value })).status).toBe(303)
  const html = await (await pages.stranger.get('/status')).text()
  expect(html).toContain(
    '<a href="https://chat.example/a?b=1&amp;c=2" rel="noopener noreferrer">Chat &amp; &lt;b>more&lt;/b></a>',
  )
})

test('a model is looked at, imported at the commit that was seen, and enabled', async () => {
  const site = startHuggingFace([
    tinyQwen(),
    tinyBase(),
    tinyQwen({ repo: { name: 'acme/Odd', card: { license: 'odd-1' } } }),
  ])
  const pages = await startPages({ credit: { boss: '$0' }, config: { hfEndpoint: site.url } })
  await using _ = pages
  const boss = await pages.browser('boss', ['admin'])
  const post = (fields: Record<string, string>) => boss.post('/admin/models/import', { revision: '', ...fields })
  const odd = await (await post({ model: 'acme/Odd', step: 'import' })).text()
  expect(odd).toContain('Nobody here has read a licence that binds it: LicenseRef-odd-1 (its own)')
  const missing = await post({ model: 'acme/<b>Nothing', step: 'look' })
  expect([missing.status, await missing.text()]).toEqual([400, expect.stringContaining('acme/&lt;b>Nothing')])

  const seen = await (await post({ model: 'acme/Tiny-Qwen', step: 'look' })).text()
  expect(seen).toContain('nothing is against it')
  expect(seen).toContain(`value="${REVISION}"`)
  const acts = async () => (await listActs(pages.world.db, { limit: 9 })).map(({ what }) => what)
  expect(await acts()).not.toContain('model.import')
  const done = await post({ model: 'acme/Tiny-Qwen', revision: REVISION, step: 'import' })
  expect([done.status, done.headers.get('location')]).toEqual([303, '/admin/models/acme/Tiny-Qwen:bf16'])
  expect(await (await boss.get('/admin/models?search=Tiny')).text()).toContain('imported')
  expect((await boss.post('/admin/models/enable/acme/Tiny-Qwen:bf16')).status).toBe(303)
  expect(await (await pages.stranger.get('/models/acme/Tiny-Qwen')).text()).toContain('Tiny-Qwen')
  expect((await acts()).slice(0, 2).sort()).toEqual(['model.enable', 'model.import'])
  await site.close()
})
