// The few files a page needs besides itself, embedded in the program. Their address holds a hash of what they say, so a
// browser may keep them for ever.
import sse from 'htmx.org/dist/ext/hx-sse.min.js' with { type: 'text' }
import htmx from 'htmx.org/dist/htmx.min.js' with { type: 'text' }
import playground from './assets/playground.js' with { type: 'text' }
import site from './assets/site.js' with { type: 'text' }
import style from './assets/style.css' with { type: 'text' }

interface Asset {
  type: string
  body: Uint8Array<ArrayBuffer>
  zipped: Uint8Array<ArrayBuffer>
}

const served = new Map<string, Asset>()

export const assets = {
  style: asset('style.css', 'text/css; charset=utf-8', style),
  site: asset('site.js', 'text/javascript; charset=utf-8', site),
  playground: asset('playground.js', 'text/javascript; charset=utf-8', playground),
  htmx: asset('htmx.js', 'text/javascript; charset=utf-8', htmx),
  sse: asset('sse.js', 'text/javascript; charset=utf-8', sse),
  icon: asset(
    'icon.svg',
    'image/svg+xml',
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="7" fill="#0a6b4d"/>' +
      '<path d="M9 11h14v10H9zM6 14h3M6 18h3M23 14h3M23 18h3" stroke="#fff" stroke-width="2" fill="none"/></svg>',
  ),
}

/** Keeps `text` and returns its address. */
function asset(name: string, type: string, text: string): string {
  const body = new TextEncoder().encode(text)
  const path = `/assets/${Bun.hash(body).toString(36)}/${name}`
  served.set(path, { type, body, zipped: Bun.gzipSync(body) })
  return path
}

export function takesGzip({ headers }: Request): boolean {
  return /\bgzip\b/.test(headers.get('accept-encoding') ?? '')
}

export function answerAsset(pathname: string, request: Request): Response | null {
  const asset = served.get(pathname)
  if (!asset) return null
  const zipped = takesGzip(request)
  return new Response(zipped ? asset.zipped : asset.body, {
    headers: {
      'content-type': asset.type,
      'content-length': String((zipped ? asset.zipped : asset.body).length),
      'cache-control': 'public, max-age=31536000, immutable',
      'x-content-type-options': 'nosniff',
      vary: 'accept-encoding',
      ...(zipped ? { 'content-encoding': 'gzip' } : {}),
    },
  })
}
