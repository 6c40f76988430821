// What holds for every page, asked of each row of the route table: a new one is asked, too, or the tests fail.
import { describe, expect, test } from 'bun:test'
import type { Role } from '../db/schema/people.ts'
import { addKey } from '../hub/identity/keys.ts'
import { answerAsset } from './assets.ts'
import { type Browser, startPages, type TestPages } from './testing.ts'
import { routes } from './web.tsx'

const everyRole: Role[] = ['client', 'host', 'admin']

/** Ids of things that are bob's, by the part of the address that names them; null: the same for everybody. */
async function belongings(pages: TestPages): Promise<Record<string, string | null>> {
  const { env, world } = pages
  const { id: key } = await addKey(env, world.db, { userId: pages.as('bob').userId, name: 'bob’s' })
  const answer = await pages.as('bob').chat('hello')
  return {
    '/client/keys/:id': key,
    '/client/requests/:id': answer.headers.get('x-request-id')!,
    '/host/machines/:id': pages.host('berlin').id,
    '/account/sessions/:id': await pages.sessionOf('bob'),
    '/device/:id': 'dev_of_nobody',
    '/admin/': null,
    '/models/*id': null,
    '/docs/:slug': null,
    '/dev/gallery/:name': null,
    '/client/licences/*id': null,
  }
}

async function world() {
  const pages = await startPages({ credit: { ada: '$1', bob: '$1' }, hosts: { berlin: {} } })
  return { pages, theirs: await belongings(pages) }
}

/** What it takes to load it, in bytes. */
function zippedAsset(path: string): number {
  const request = new Request(`http://hub.test${path}`, { headers: { 'accept-encoding': 'gzip' } })
  return Number(answerAsset(path, request)?.headers.get('content-length') ?? Number.NaN)
}

function ownerOf(theirs: Record<string, string | null>, path: string): [prefix: string, id: string | null] {
  const found = Object.entries(theirs).find(([prefix]) => path.startsWith(prefix))
  if (!found) throw new Error(`${path} names something: say in belongings() whose it is`)
  return found
}

describe('every page', () => {
  test('that names a thing says 404 to whoever it does not belong to, and leaves it as it is', async () => {
    const { pages, theirs } = await world()
    await using _ = pages
    const ada = await pages.browser('ada', ['client', 'host'])
    const asked: string[] = []
    for (const { method, path } of routes) {
      if (!/[:*]/.test(path)) continue
      const [prefix, id] = ownerOf(theirs, path)
      if (id === null) continue
      const address = path.replace(prefix, prefix.replace(/[:*]\w+$/, id))
      const answer = method === 'GET' ? await ada.get(address) : await ada.post(address)
      asked.push(`${method} ${path}: ${answer.status}`)
    }
    expect(asked.filter((line) => !line.endsWith(' 404'))).toEqual([])
    expect(asked.length).toBeGreaterThan(5)
    expect((await pages.as('bob').chat('still here')).status).toBe(200)
  })

  test('that changes something refuses whoever cannot show that our own page asked', async () => {
    const { pages } = await world()
    await using _ = pages
    const ada = await pages.browser('ada', everyRole)
    const elsewhere: [string, Record<string, string>][] = [
      ['nothing', {}],
      ['another origin', { origin: 'https://evil.example' }],
      ['a neighbouring site', { 'sec-fetch-site': 'same-site', origin: 'http://hub.test' }],
      ['across sites', { 'sec-fetch-site': 'cross-site' }],
      ['an origin of null', { origin: 'null' }],
    ]
    for (const { method, path, bySignature } of routes) {
      if (method === 'GET') continue
      // An address that needs no page of ours needs the hub's signature.
      const refused = bySignature ? 400 : 403
      for (const [evidence, headers] of elsewhere) {
        const answer = await ada.post(path.replaceAll(/[:*]\w+/g, 'x'), {}, headers)
        expect(`${path} with ${evidence}: ${answer.status}`).toBe(`${path} with ${evidence}: ${refused}`)
      }
    }
  })

  test('that is for members sends strangers to sign in, and does not exist for other roles', async () => {
    const { pages } = await world()
    await using _ = pages
    const only = new Map<Role, Browser>()
    only.set('client', await pages.browser('ada', ['client']))
    only.set('host', await pages.browser('bob', ['host']))
    for (const { method, path, who } of routes) {
      if (who === 'anyone' || method !== 'GET' || /[:*]/.test(path)) continue
      const answer = await pages.stranger.get(path)
      expect([answer.status, answer.headers.get('location')]).toEqual([
        303,
        `/sign-in?next=${encodeURIComponent(path)}`,
      ])
      for (const [role, browser] of only)
        if (who !== 'signed in' && who !== role) expect((await browser.get(path)).status).toBe(404)
    }
  })

  test('forbids inline scripts and other origins, and every answer a frame', async () => {
    const { pages } = await world()
    await using _ = pages
    const ada = await pages.browser('ada', everyRole)
    let seen = 0
    for (const { method, path } of routes) {
      if (method !== 'GET' || /[:*]/.test(path) || path.endsWith('/live') || path.endsWith('.csv')) continue
      const answer = await ada.get(path)
      // Some lead elsewhere, one is a download.
      if (!answer.headers.get('content-type')?.startsWith('text/html')) continue
      seen++
      expect(answer.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'")
      const html = await answer.text()
      expect(html).not.toMatch(/<script(?![^>]* src="\/assets\/)|\son\w+=|style="|javascript:/i)
      // What a page loads by itself comes from the hub.
      expect([...html.matchAll(/<(?:script|link|img)[^>]*(?:src|href)="(?!\/assets\/)/g)]).toEqual([])
      const parts = [...html.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/g)].map(([, part]) => zippedAsset(part ?? ''))
      const cold = Bun.gzipSync(html).length + parts.reduce((sum, bytes) => sum + bytes, 0)
      expect(`${path}: ${cold < 60_000 ? 'fits' : cold}`).toBe(`${path}: fits`)
    }
    expect(seen).toBeGreaterThan(25)
  })
})

test('an address that is none is a page for people and an error for programs', async () => {
  const { pages } = await world()
  await using _ = pages
  const answer = await pages.as('ada').fetch('/v1/nothing')
  expect([answer.status, answer.headers.get('content-type')]).toEqual([404, 'application/json;charset=utf-8'])
  const page = await pages.stranger.get('/models/no/such')
  expect([page.status, page.headers.get('content-type')]).toEqual([404, 'text/html; charset=utf-8'])
})

test('one chooses which letters one gets, and a letter leads to where', async () => {
  await using pages = await startPages({ credit: { ada: '$1' } })
  const ada = await pages.browser('ada', ['client', 'host'])
  const boxes = async () => {
    const html = await (await ada.get('/account')).text()
    expect(html).toContain('id="letters"')
    return [...html.matchAll(/<input type="checkbox" name="kind" value="([\w-]+)"( checked)?/g)].map(
      ([, kind, checked]) => `${kind} ${checked ? 'on' : 'off'}`,
    )
  }
  expect(await boxes()).toEqual([
    ...['credit-low on', 'key-budget on', 'machine-offline on', 'machine-quarantined on', 'network-below on'],
    'update-failed on',
  ])
  expect((await ada.post('/account/letters', { kind: 'machine-offline' })).headers.get('location')).toBe(
    '/account#letters',
  )
  expect((await boxes()).filter((box) => box.endsWith('on'))).toEqual(['machine-offline on'])
})
