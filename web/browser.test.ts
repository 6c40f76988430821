// The pages in a real Chromium, served by the program as it is shipped: what people come for, and what holds for every
// page. One hub, one browser; each test goes on where the one before left the hub.
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { source as axe, type AxeResults, type RunOptions } from 'axe-core'
import OpenAI from 'openai'
import { codeAt, stepAt } from '../hub/identity/totp.ts'
import { type Emulator, startEmulator } from '../host/testing.ts'
import type { Browser, Page } from 'playwright-core'
import { findChromium, SIZES, startChromium, type Watched, watchedPage } from './testing/chromium.ts'
import { MODEL, PASSWORD, type RealHub, startRealHub } from './testing/real-hub.ts'
import { exhibits } from './gallery/rooms.ts'
import { payloads } from './testing/payloads.ts'
import { addresses, fullLife, signIn } from './testing/tour.ts'

// A bound, not an expectation: a machine under load is slow.
setDefaultTimeout(120_000)

const there = findChromium() !== null
if (!there) {
  const words = 'NOT RUN: the pages in a browser. There is no Chromium here: apt-get install chromium.'
  if (process.env.CI) throw new Error(words)
  console.error(`\n${words}\n`)
}

let hub: RealHub
let browser: Browser
let engine: Emulator
const watched: Watched[] = []

beforeAll(async () => {
  if (there) [hub, browser, engine] = await Promise.all([startRealHub(), startChromium(), startEmulator()])
})
afterAll(async () => {
  await browser?.close()
  await hub?.[Symbol.asyncDispose]()
  await engine?.close()
})

/** Somebody's browser: nothing of anybody else's is in it. */
async function visitor(): Promise<Page> {
  const context = await browser.newContext({ viewport: SIZES.desktop, baseURL: hub.url })
  context.setDefaultTimeout(100_000)
  const one = await watchedPage(context, hub.url)
  watched.push(one)
  return one.page
}

const pathOf = (page: Page) => new URL(page.url()).pathname

/** As an admin, on the page; @returns the invitation's link. */
async function invite(admin: Page, email: string, role: 'client' | 'host'): Promise<string> {
  await admin.goto('/admin/invitations')
  await admin.fill('#email', email)
  await admin.selectOption('#role', role)
  await admin.click('main button.primary')
  return (await admin.locator('#invitation').textContent()) ?? ''
}

async function fillSignUp(page: Page): Promise<void> {
  await page.fill('#password', PASSWORD)
  await page.fill('#country', 'US')
}

describe.skipIf(!there)('in a browser', () => {
  let admin: Page

  test('the link of the first start makes an admin, once', async () => {
    admin = await visitor()
    await admin.goto(hub.firstAdmin)
    await admin.fill('#email', 'first@example.com')
    await admin.fill('#password', PASSWORD)
    await admin.click('main button.primary')
    expect(pathOf(admin)).toBe('/admin')
    const late = await visitor()
    await late.goto(hub.firstAdmin)
    await late.fill('#email', 'late@example.com')
    await late.fill('#password', PASSWORD)
    await late.click('main button.primary')
    expect(pathOf(late)).toBe('/first-admin')
    expect(await late.locator('[role=alert]').textContent()).not.toBe('')
  })

  test('an invited owner signs up, adds a machine and sees it come, live', async () => {
    const owner = await visitor()
    await owner.goto(await invite(admin, 'owner@example.com', 'host'))
    await fillSignUp(owner)
    await owner.check('input[name=terms]')
    await owner.click('main button.primary')
    expect(pathOf(owner)).toBe('/host')
    await owner.click('text=Add a machine')
    await owner.fill('#name', 'cellar')
    await owner.click('main button.primary')
    const token = (await owner.locator('#token').textContent()) ?? ''
    await owner.goto('/host')
    await hub.startHost('cellar', token, engine.url)
    await owner.locator('#machines', { hasText: 'cellar' }).locator('text=ready').waitFor()
  })

  test('from the first page to the first answer it takes a visitor with an invitation six clicks', async () => {
    const page = await visitor()
    const link = new URL(await invite(admin, 'ada@example.com', 'client'))
    let clicks = 0
    const click = async (what: string) => {
      clicks++
      await page.click(what)
    }
    await page.goto('/')
    await click('.side .primary')
    await page.fill('#invitation', link.searchParams.get('invitation') ?? '')
    await click('main button.primary')
    await fillSignUp(page)
    await click('input[name=terms]')
    await click('main button.primary')
    expect(pathOf(page)).toBe('/client')
    await click('main a.primary >> nth=0')
    await page.fill('#name', 'my-app')
    await click('main button.primary')
    const apiKey = (await page.locator('#fresh-key').textContent()) ?? ''

    await page.goto('/client')
    const openai = new OpenAI({ baseURL: `${hub.url}/v1`, apiKey, maxRetries: 0 })
    const { data, response } = await openai.chat.completions
      .create({ model: MODEL, messages: [{ role: 'user', content: 'Why is the sky blue?' }] })
      .withResponse()
    expect([response.status, clicks]).toEqual([200, 6])
    // The overview says so without being loaded again, and leads to the receipt.
    const id = response.headers.get('x-request-id') ?? ''
    await page.locator(`#latest a[href="/client/requests/${id}"]`).click()
    await page.waitForURL(`**/client/requests/${id}`)
    const receipt = (await page.locator('main').textContent()) ?? ''
    expect(receipt).toContain(`${data.usage?.completion_tokens} tokens`)
    expect(receipt).toContain('my-app')
  })

  test('the sample on the page works as it stands', async () => {
    const page = await visitor()
    await signIn(page, hub, 'ada@example.com')
    await page.goto('/client/keys')
    await page.fill('#name', 'sample')
    await page.click('main button.primary')
    const sample = (await page.locator('#first-request pre >> nth=0').textContent()) ?? ''
    expect(await bash(sample)).toContain('"chat.completion"')
  })

  test('whoever is several people is asked once which pages to see, and can change', async () => {
    await hub.person('many@example.com', ['client', 'host'])
    const page = await visitor()
    await page.goto('/sign-in')
    await page.fill('#email', 'many@example.com')
    await page.fill('#password', 'not this one')
    await page.click('main button.primary')
    await page.locator('main [role=alert]').waitFor()
    expect(await page.inputValue('#email')).toBe('many@example.com')
    await signIn(page, hub, 'many@example.com')
    expect(pathOf(page)).toBe('/hat')
    await page.click('main button[value=host]')
    await page.waitForURL('**/host')
    await page.click('.menu summary')
    await page.click('.menu >> text=Sign out')
    await signIn(page, hub, 'many@example.com')
    expect(pathOf(page)).toBe('/host')
    await page.click('.menu summary')
    await page.click('.menu button[value=client]')
    await page.waitForURL('**/client')
  })

  test('a second factor is scanned or typed, and asked for from then on', async () => {
    await hub.person('careful@example.com', ['client'])
    const page = await visitor()
    await signIn(page, hub, 'careful@example.com')
    await page.goto('/account')
    await page.fill('form[action="/account/second-factor"] input[type=password]', PASSWORD)
    await page.click('form[action="/account/second-factor"] button')
    expect(await page.locator('svg.qr path').getAttribute('d')).toMatch(/^(M\d+ \d+h1v1h-1z)+$/)
    const secret = (await page.locator('#factor-secret').textContent()) ?? ''
    await page.fill('#code', codeNow(secret))
    await page.click('text=Turn on')
    const recovery = (await page.locator('#recovery-codes').textContent()) ?? ''
    await page.click('.menu summary')
    await page.click('.menu >> text=Sign out')
    await signIn(page, hub, 'careful@example.com')
    expect(pathOf(page)).toBe('/sign-in/code')
    await page.fill('#code', '000000')
    await page.click('main button.primary')
    await page.locator('main [role=alert]').waitFor()
    // Each code works once, so the same minute's would be refused.
    await page.fill('#code', recovery.split('\n')[0] ?? '')
    await page.click('main button.primary')
    await page.waitForURL('**/client')
  })

  test('an invitation that is used, a link that is none and a suspended account say what to do next', async () => {
    const link = await invite(admin, 'once@example.com', 'client')
    const page = await visitor()
    await page.goto(link)
    await fillSignUp(page)
    await page.check('input[name=terms]')
    await page.click('main button.primary')
    await page.waitForURL('**/client')
    const other = await visitor()
    for (const path of [link, '/sign-up?invitation=ghi_wrong']) {
      await other.goto(path)
      expect(await other.locator('[role=alert]').count()).toBe(1)
    }
    await admin.goto('/admin/users?search=once')
    await admin.click('main table a')
    await admin.fill('#reason', 'spam by night')
    await admin.click('text=Suspend once@example.com')
    await admin.locator('text=Reinstate').waitFor()
    await page.goto('/client')
    expect(await page.locator('main').textContent()).toContain('spam by night')
  })

  describe('the playground', () => {
    test('streams an answer with what it cost, stops when asked, and gives code that works', async () => {
      const page = await visitor()
      await signIn(page, hub, 'ada@example.com')
      await page.goto('/client/playground')
      await page.fill('#question', `It's <img src=x onerror="document.title='run'"> "quoted" \\ $HOME`)
      await page.keyboard.press('Control+Enter')
      await page.locator('#talk a').waitFor()
      expect(await page.locator('#talk img').count()).toBe(0)
      expect(await page.title()).toContain('Playground')
      expect(await page.locator('#play-cost').textContent()).toMatch(/^\$0\.0000\d+$/)
      expect(Number(await page.locator('#play-tokens').textContent())).toBeGreaterThan(0)
      const { key } = await hub.command<{ key: string }>(['key', 'add', 'ada@example.com'])
      const curl = (await page.locator('#code pre >> nth=0').textContent()) ?? ''
      const again = await bash(curl.replace('YOUR_KEY', key))
      expect(JSON.parse(again).choices[0].message.content).not.toBe('')

      await page.click('#renew')
      engine.next({ hangAfterTokens: 5 })
      await page.fill('#question', 'And what comes after that?')
      await page.click('#send')
      await page.locator('#talk .said:nth-child(2) .plain', { hasText: /\w/ }).waitFor()
      await page.click('#stop')
      await page.locator('#play-state', { hasText: 'Stopped' }).waitFor()
      await page.click('#talk a')
      await page.waitForURL('**/client/requests/*')
      expect(await page.locator('main').textContent()).toContain('stopped by you')
    })

    test('shows what a model says as text, whatever it says', async () => {
      const page = await visitor()
      await signIn(page, hub, 'ada@example.com')
      // As an answer streams, cut where no text is.
      await page.route('**/client/playground/answers', (route) => {
        const said =
          payloads
            .map((payload) => payload.replaceAll('\u0000', ''))
            .join('\n')
            .match(/[^]{1,7}/g) ?? []
        const events = said.map((content) => `data: ${JSON.stringify({ choices: [{ delta: { content } }] })}\n\n`)
        return route.fulfill({ contentType: 'text/event-stream', body: `${events.join('')}data: [DONE]\n\n` })
      })
      await page.goto('/client/playground')
      await page.fill('#question', payloads.join(' '))
      await page.click('#send')
      await page.locator('#talk', { hasText: 'data:,x' }).waitFor()
      await page.locator('#send:enabled').waitFor()
      const tags = await page.evaluate(() =>
        [...document.querySelectorAll('#talk *, #code *')].map((one) => one.tagName),
      )
      expect([...new Set(tags)].sort()).toEqual(['BUTTON', 'CODE', 'DIV', 'INPUT', 'LABEL', 'P', 'PRE'])
      const shown = (await page.locator('#talk .said >> nth=1').locator('.words').textContent()) ?? ''
      for (const payload of payloads) expect(shown).toContain(payload.replaceAll('\u0000', ''))
    })

    test('says what is wrong, and gives the question back', async () => {
      await hub.person('poor@example.com', ['client'])
      const page = await visitor()
      await signIn(page, hub, 'poor@example.com')
      await page.goto('/client/playground')
      await page.fill('#question', 'Hello?')
      await page.click('#send')
      await page.locator('#talk .bad').waitFor()
      expect(await page.locator('#talk .bad').textContent()).toContain('credit')
      expect(await page.inputValue('#question')).toBe('Hello?')
    })
  })

  describe('every page', () => {
    let page: Page
    let every: string[]

    test('answers somebody who is everything', async () => {
      page = await visitor()
      every = addresses(await fullLife(hub, page, 'eve@example.com'))
      expect(every.length).toBeGreaterThan(45)
    })

    // Bounds, again: these are a hundred and fifty pages.
    test.each([
      ['of the route table', () => every],
      ['of the gallery', () => exhibits.map(({ name }) => `/dev/gallery/${name}`)],
    ])(
      '%s has no fault that keeps people out, in light and in dark, and fits a phone',
      async (_, paths) => {
        const second = await watchedPage(page.context(), hub.url)
        watched.push(second)
        const left = [...paths()]
        const found: string[] = []
        const tour = async (tab: Page) => {
          for (let path = left.shift(); path !== undefined; path = left.shift())
            found.push(...(await look(tab, path)).map((fault) => `${path}: ${fault}`))
        }
        await Promise.all([tour(page), tour(second.page)])
        expect(found).toEqual([])
      },
      600_000,
    )

    test('can be walked by keyboard, and shows where one is', async () => {
      const stranger = await visitor()
      await page.setViewportSize(SIZES.desktop)
      for (const path of ['/', '/sign-up', '/client/keys', '/client/playground', '/account', '/admin/fleet']) {
        const walker = path.startsWith('/client') || path.startsWith('/a') ? page : stranger
        await walker.goto(path)
        const { wanted, reached, unseen } = await walk(walker)
        expect({ path, missed: wanted.filter((one) => !reached.includes(one)), unseen }).toEqual({
          path,
          missed: [],
          unseen: [],
        })
      }
    })
  })

  test('nothing went wrong on any page that was open', () => {
    expect(watched.flatMap(({ wrongs }) => wrongs)).toEqual([])
  })
})

/** Of an authenticator app. */
function codeNow(secret: string): string {
  const bits = secret
    .split('')
    .map((one) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(one).toString(2).padStart(5, '0'))
  const bytes = bits.join('').match(/.{8}/g) ?? []
  return codeAt(
    Uint8Array.from(bytes, (byte) => Number.parseInt(byte, 2)),
    stepAt(Date.now()),
  )
}

async function bash(script: string): Promise<string> {
  const child = Bun.spawn(['bash', '-c', script], { stdout: 'pipe', stderr: 'pipe', env: { PATH: process.env.PATH } })
  const out = await new Response(child.stdout).text()
  expect(await child.exited).toBe(0)
  return out
}

/** Looks at a page on a phone in both schemes; the second time only at what differs. */
async function look(page: Page, path: string): Promise<string[]> {
  await page.setViewportSize(SIZES.phone)
  await page.emulateMedia({ colorScheme: 'light' })
  const answer = await page.goto(path)
  const width = await page.evaluate(() => document.documentElement.scrollWidth)
  const light = await faults(page)
  await page.emulateMedia({ colorScheme: 'dark' })
  const dark = await faults(page, { runOnly: ['color-contrast'] })
  return [
    ...(answer?.status() === 200 ? [] : [`status ${answer?.status()}`]),
    ...(width > SIZES.phone.width ? [`${width} px wide on a phone`] : []),
    ...light,
    ...dark.map((fault) => `dark: ${fault}`),
  ]
}

/** What axe finds, a line each. */
async function faults(page: Page, options: RunOptions = {}): Promise<string[]> {
  await page.evaluate(`typeof axe === 'undefined' && (() => { ${axe} })()`)
  // Our one sheet needs no second request of its own.
  const asked = JSON.stringify({ resultTypes: ['violations'], preload: false, ...options })
  const { violations } = (await page.evaluate(`axe.run(document, ${asked})`)) as AxeResults
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 120)}`))
}

/** Presses Tab until the focus is back where it began. */
async function walk(page: Page): Promise<{ wanted: string[]; reached: string[]; unseen: string[] }> {
  const wanted = await page.evaluate(() => {
    const all = document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')
    const seen = [...all].filter((one) => {
      const { disabled, type } = one as HTMLInputElement
      const radio = type === 'radio' && !(one as HTMLInputElement).checked
      return !disabled && type !== 'hidden' && !radio && one.checkVisibility({ visibilityProperty: true })
    })
    return seen.map(
      (one, i) => (
        one.setAttribute('data-stop', `${i} ${one.tagName} ${one.textContent?.trim().slice(0, 30)}`),
        one.getAttribute('data-stop') ?? ''
      ),
    )
  })
  const reached: string[] = []
  const unseen: string[] = []
  for (let i = 0; i <= wanted.length; i++) {
    await page.keyboard.press('Tab')
    const [stop, shown] = await page.evaluate(() => {
      const one = document.activeElement
      // A tab of a sample is drawn by its label.
      const drawn = one?.closest('label') ?? one
      const outlined = [one, drawn].some((each) => each && getComputedStyle(each).outlineStyle !== 'none')
      return [one?.getAttribute('data-stop') ?? '', outlined] as const
    })
    if (stop === '') continue
    reached.push(stop)
    if (!shown) unseen.push(stop)
  }
  return { wanted, reached, unseen }
}
