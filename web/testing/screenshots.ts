// `bun run screenshots [FOLDER]`: every page of a hub that lives, on a desk and on a phone, in light and in dark.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { SCHEMES, SIZES, startChromium } from './chromium.ts'
import { startRealHub } from './real-hub.ts'
import { addresses, fullLife } from './tour.ts'

const PUBLIC = ['/', '/sign-in', '/sign-up']
const folder = Bun.argv[2] ?? join('.cache', 'screenshots')
mkdirSync(folder, { recursive: true })

await using hub = await startRealHub()
const browser = await startChromium()
try {
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
  console.log(`${every.length} pages in ${folder}`)
} finally {
  await browser.close()
}
