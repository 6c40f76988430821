// A real browser, and what no page may do in it.
import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome']

/** Where a Chromium is; null: nowhere. */
export function findChromium(): string | null {
  return [process.env.CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path)) ?? null
}

export async function startChromium(): Promise<Browser> {
  const executablePath = findChromium()
  if (!executablePath) throw new Error(`There is no Chromium at ${PLACES.join(', ')}; CHROMIUM may name another.`)
  // Without its own sandbox it runs as root, too: it opens nothing but our pages here.
  return chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu'] })
}

export interface Watched {
  page: Page
  /** What went wrong on any page so far: errors on its console, scripts or requests refused, dialogs, other origins. */
  wrongs: string[]
}

/** A page of its own, watched. */
export async function watchedPage(context: BrowserContext, origin: string): Promise<Watched> {
  const page = await context.newPage()
  const wrongs: string[] = []
  const note = (what: string) => wrongs.push(`${new URL(page.url(), origin).pathname}: ${what}`)
  page.on('console', (message) => {
    // A page that answers 404 or 400 is one we asked for, not a fault of its scripts.
    if (message.type() === 'error' && !/status of 4\d\d/.test(message.text())) note(message.text())
  })
  page.on('pageerror', (error) => note(String(error)))
  page.on('dialog', (dialog) => {
    note(`opened a dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('request', (request) => {
    const url = request.url()
    if (!url.startsWith(origin) && !url.startsWith('data:')) note(`asked another origin: ${url}`)
  })
  return { page, wrongs }
}

export const SCHEMES = ['light', 'dark'] as const
export const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 360, height: 740 } } as const
