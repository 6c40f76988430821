// The frame around every page, and the headers that keep what strangers wrote from running in it.
import type { VNode } from 'preact'
import { render } from 'preact-render-to-string'
import { assets } from './assets.ts'
import type { Page } from './route.ts'

export interface Link {
  href: string
  text: string
  /** Marked as where one is only at this very address. */
  exact?: boolean
}

export interface Framing {
  /** Of the address shown, to mark where one is. */
  pathname: string
  nav: Link[]
  /** Elsewhere, at the foot. */
  community: { name: string; url: string }[]
  /** The browser takes it zipped. */
  zips: boolean
  /** What stands at the right of the bar. */
  side: VNode
}

const FOOTER: Link[] = [
  { href: '/status', text: 'Status' },
  { href: '/docs', text: 'Documentation' },
  { href: '/licences', text: 'Licences' },
  { href: '/terms', text: 'Terms' },
  { href: '/privacy', text: 'Privacy' },
  { href: '/acceptable-use', text: 'Acceptable use' },
  { href: '/report-abuse', text: 'Report abuse' },
]

const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ')

export function framed(page: Page, framing: Framing): Response {
  const html = `<!doctype html>${render(<Frame page={page} framing={framing} />)}`
  return new Response(framing.zips ? Bun.gzipSync(html) : html, {
    status: page.status ?? 200,
    headers: {
      ...(framing.zips ? { 'content-encoding': 'gzip' } : {}),
      vary: 'accept-encoding',
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-store',
    },
  })
}

function Frame({ page, framing }: { page: Page; framing: Framing }) {
  const { pathname, nav, community, side } = framing
  return (
    <html lang="en">
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>{page.title === 'gpuhub' ? page.title : `${page.title} · gpuhub`}</title>
        {page.description && <meta name="description" content={page.description} />}
        <link rel="icon" href={assets.icon} type="image/svg+xml" />
        <link rel="stylesheet" href={assets.style} />
        <script src={assets.htmx} defer />
        <script src={assets.sse} defer />
        <script src={assets.site} defer />
        {page.scripts?.map((src) => (
          <script src={src} defer />
        ))}
      </head>
      <body>
        <a class="skip" href="#content">
          To the content
        </a>
        <header class="bar">
          <div>
            <a class="brand" href="/">
              gpu<b>hub</b>
            </a>
            <nav aria-label="Pages">
              {nav.map(({ href, text, exact = false }) => (
                <a href={href} aria-current={isHere(href, pathname, exact) ? 'page' : undefined}>
                  {text}
                </a>
              ))}
            </nav>
            <div class="side">{side}</div>
          </div>
        </header>
        <main id="content">{page.body}</main>
        <footer>
          <div>
            {FOOTER.map(({ href, text }) => (
              <a href={href}>{text}</a>
            ))}
            {community.map(({ name, url }) => (
              <a href={url} rel="noopener noreferrer">
                {name}
              </a>
            ))}
          </div>
        </footer>
      </body>
    </html>
  )
}

function isHere(href: string, pathname: string, exact: boolean): boolean {
  return pathname === href || (!exact && pathname.startsWith(`${href}/`))
}
