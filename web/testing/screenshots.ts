// `bun run screenshots [FOLDER]`: every page of a hub that lives, on a desk and on a phone, in light and in dark.
// `bun run screenshots --pictures` makes those in docs/pictures, which the README shows, anew: a week of requests, the
// machines simulated.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SCHEMES, SIZES, startChromium } from './chromium.ts'
import { startRealHub } from './real-hub.ts'
import { addresses, fullLife, signIn } from './tour.ts'
import { addWeek } from './week.ts'

const PUBLIC = ['/', '/sign-in', '/sign-up']
const PICTURES = join(import.meta.dirname, '..', '..', 'docs', 'pictures')
/** What a picture shows: the top of a page. */
const PICTURE_SIZE = { width: 1120, height: 760 }
const MOST_BYTES = 120_000

const asked = Bun.argv[2] ?? join('.cache', 'screenshots')
if (asked.startsWith('-') && asked !== '--pictures') {
  console.error(
    'bun run screenshots [FOLDER]: every page, four times.  bun run screenshots --pictures: those of the README.',
  )
  process.exit(2)
}

await using hub = await startRealHub()
const browser = await startChromium()
try {
  console.log(await (asked === '--pictures' ? takePictures() : takeAll(asked)))
} finally {
  await browser.close()
}

async function takeAll(folder: string): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const member = await browser.newContext({ baseURL: hub.url })
  const page = await member.newPage()
  const every = addresses(await fullLife(hub, page, 'ada@example.com'))
  const stranger = await (await browser.newContext({ baseURL: hub.url })).newPage()
  for (const path of every) {
    const viewer = PUBLIC.includes(path) ? stranger : page
    await viewer.goto(path)
    const name =
      path
        .slice(1)
        .replaceAll(/\w+_[0-9a-z]{26}/g, 'one')
        .replaceAll(/[^\w.-]+/g, '_') || 'landing'
    for (const scheme of SCHEMES) {
      await viewer.emulateMedia({ colorScheme: scheme })
      for (const [size, viewport] of Object.entries(SIZES)) {
        await viewer.setViewportSize(viewport)
        await viewer.screenshot({ path: join(folder, `${name}-${size}-${scheme}.png`), fullPage: true })
      }
    }
  }
  return `${every.length} pages in ${folder}`
}

/** @throws when one is larger than a README should carry */
async function takePictures(): Promise<string> {
  mkdirSync(PICTURES, { recursive: true })
  const context = await browser.newContext({ baseURL: hub.url, viewport: PICTURE_SIZE })
  const page = await context.newPage()
  await hub.person('ada@example.com', ['client', 'host'], '10')
  const { token } = await hub.command<{ token: string }>(['host-token', 'add', 'ada@example.com'])
  for (const name of ['atelier', 'gaming-pc', 'attic']) await hub.startHost(name, token)
  const key = (name: string) => hub.command<{ id: string }>(['key', 'add', 'ada@example.com', '--name', name])
  const keyIds = [(await key('web-app')).id, (await key('nightly-tests')).id]
  const users = await hub.command<{ id: string }[]>(['user', 'list'])
  const hosts = await hub.command<{ id: string }[]>(['hosts'])
  addWeek(hub.database, {
    ...{ userId: users[0]?.id ?? '', keyIds, hostIds: hosts.map(({ id }) => id) },
    now: Date.now(),
  })
  await signIn(page, hub, 'ada@example.com')
  let bytes = 0
  const take = async (path: string, name: string, colorScheme: (typeof SCHEMES)[number]) => {
    await page.emulateMedia({ colorScheme })
    await page.goto(path)
    // What is below the last part of a page is the same everywhere.
    const footer = await page.locator('footer').boundingBox()
    const clip = { x: 0, y: 0, ...PICTURE_SIZE, height: Math.min(PICTURE_SIZE.height, footer?.y ?? Infinity) }
    const picture = await page.screenshot({ path: join(PICTURES, `${name}.png`), clip })
    if (picture.length > MOST_BYTES) throw new Error(`${name} has ${picture.length} bytes, more than ${MOST_BYTES}`)
    bytes += picture.length
  }
  await take('/client', 'client-overview', 'light')
  await take('/host/machines', 'machines', 'light')
  await take('/host', 'earnings', 'dark')
  return `3 pictures, ${bytes} bytes, in ${PICTURES}`
}
