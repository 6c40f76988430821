// What strangers write comes back as what they wrote, wherever it comes back: two hundred texts that would run as markup,
// through every field that can be written and every question an address can carry. A page may hold no element and no
// attribute that it does not hold with harmless texts.
import { expect, test } from 'bun:test'
import { exhibits } from './gallery/rooms.ts'
import { type Browser, startPages, type TestPages } from './testing.ts'
import { escaped, payloads, vocabularyOf } from './testing/payloads.ts'
import { routes } from './web.tsx'

const everyRole: ('client' | 'host' | 'admin')[] = ['client', 'host', 'admin']
const NAMES =
  'name value email password current country text about kind note reason contact state vetting search amount credit key code ticket invitation terms role hat next model messages max_tokens temperature statement provider prompt completion q period day before after from subject account at posting problem card hours busy kilowatt_hour show version'.split(
    ' ',
  )

async function world() {
  const pages = await startPages({
    credit: { ada: '$5', bob: '$0' },
    hosts: { berlin: {} },
    config: { development: true },
  })
  const ada = await pages.browser('ada', everyRole)
  await pages.as('ada').chat('hello')
  return { pages, ada }
}

/** What stands for `:id` and `*id`. */
function things(pages: TestPages): Record<string, string> {
  return {
    '/models/': 'gpuhub/emulator',
    '/docs/': 'quickstart',
    '/dev/gallery/': 'fields',
    '/client/keys/': pages.as('ada').keyId,
    '/admin/users/': pages.as('bob').userId,
    '/admin/fleet/': pages.host('berlin').id,
    '/admin/models/': 'gpuhub/emulator:emulated',
  }
}

function addressOf(path: string, known: Record<string, string>): string {
  return path.replace(/[:*]\w+/, (_, at: number) => known[path.slice(0, at)] ?? 'x')
}

/** Leaves who asks signed in and in their roles. */
const NOT_ASKED = /sign-out|\/account\/(sessions|deletion|password|email|second-factor)|\/live$|\.csv$|\/export$/
const looked = routes.filter(({ path }) => !NOT_ASKED.test(path))

async function harmless(pages: TestPages, ada: Browser): Promise<Set<string>> {
  const words = new Set<string>()
  const add = async (html: string) => {
    for (const word of await vocabularyOf(html)) words.add(word)
  }
  for (const { name } of exhibits) await add(await (await ada.get(`/dev/gallery/${name}`)).text())
  for (const { method, path } of looked)
    if (method === 'GET') await add(await (await ada.get(addressOf(path, things(pages)))).text())
  return words
}

async function strange(html: string, known: Set<string>): Promise<string[]> {
  return [...(await vocabularyOf(html))].filter((word) => !known.has(word))
}

test('nothing that an address or a form carries becomes markup of the page that answers', async () => {
  const { pages, ada } = await world()
  await using _ = pages
  const known = await harmless(pages, ada)
  const found: string[] = []
  const check = async (what: string, answer: Response) => {
    if (!answer.headers.get('content-type')?.startsWith('text/html')) return
    for (const word of await strange(await answer.text(), known)) found.push(`${what}: ${word}`)
  }
  const all = payloads.join('')
  const stranger = pages.stranger
  for (const { method, path, who } of looked) {
    const address = addressOf(path, things(pages))
    // Everything at once, and a part short enough for fields that are.
    for (const text of [all, ...payloads.filter((_payload, i) => i % 40 === 0)]) {
      const fields = Object.fromEntries(NAMES.map((name) => [name, text]))
      const browsers = who === 'anyone' ? [ada, stranger] : [ada]
      for (const browser of browsers)
        await check(
          `${method} ${path}`,
          method === 'GET'
            ? await browser.get(`${address}?${new URLSearchParams(fields)}`)
            : await browser.post(address, fields),
        )
    }
  }
  for (const text of payloads)
    for (const path of ['/docs?q=', '/models/', '/admin/users?search=', '/report-abuse?about=', '/client/usage?model='])
      await check(path, await ada.get(path + encodeURIComponent(text)))
  expect(found).toEqual([])
}, 300_000)

test('what is kept is shown as it was written', async () => {
  const { pages, ada } = await world()
  await using _ = pages
  const known = await harmless(pages, ada)
  const { identity } = pages.hub.platform
  const { id } = pages.host('berlin')
  const kept: string[] = []
  const found: string[] = []
  const look = async (path: string, text: string) => {
    const html = await (await ada.get(path)).text()
    found.push(...(await strange(html, known)).map((word) => `${path}: ${word}`))
    if (!html.includes(escaped(text))) found.push(`${path} does not show ${text}`)
  }
  for (const [i, payload] of payloads.entries()) {
    // Else the newest of several is nobody's guess.
    await pages.env.advance(1)
    const text = payload.replaceAll('\u0000', '').trim()
    const made = await ada.post('/client/keys', { name: text })
    if (made.status === 200) {
      kept.push(text)
      const html = await made.text()
      found.push(...(await strange(html, known)).map((word) => `a new key: ${word}`))
      if (!html.includes(escaped(text))) found.push(`a new key does not show ${text}`)
      const key = /keys\/(key_\w+)\/revocation/.exec(html)?.[1]
      await look(`/client/keys/${key}/revocation`, text)
      await ada.post(`/client/keys/${key}/revocation`)
    }
    identity.limits.forget('reportFrom', '')
    const sent = await (
      await pages.stranger.post('/report-abuse', {
        kind: 'other',
        about: text,
        text: text.padEnd(10, '.'),
        contact: '',
      })
    ).text()
    const report = /report_\w+/.exec(sent)?.[0]
    await ada.post(`/admin/reports/${report}`, { state: 'open', note: text })
    await look(`/admin/reports/${report}`, text)
    await ada.post(`/admin/fleet/${id}/note`, { note: text })
    await ada.post(`/admin/fleet/${id}/quarantine`, { reason: text.replace(/\s+/g, ' ') })
    await look(`/admin/fleet/${id}`, text)
    await ada.post('/account/name', { name: text })
    await ada.post(`/admin/users/${pages.as('bob').userId}/credit`, { amount: '0.01', note: text, key: `k${i}` })
    // The lists, now and then: they hold many at a time.
    if (i % 40 === 39)
      for (const path of [
        '/client/keys',
        '/admin/reports',
        '/admin/acts',
        '/admin/fleet',
        '/account',
        '/host/machines',
      ])
        found.push(...(await strange(await (await ada.get(path)).text(), known)).map((word) => `${path}: ${word}`))
  }
  const statement = `/admin/ledger?account=client:${pages.as('bob').userId}`
  await look(statement, (payloads.at(-1) ?? '').replaceAll('\u0000', ''))
  expect(found).toEqual([])
  expect(kept.length).toBeGreaterThan(190)
}, 300_000)
