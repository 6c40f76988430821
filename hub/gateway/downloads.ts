// What a machine needs to become a host and to stay one: install.sh with this hub's own address inside, and the releases
// of the host program. The hub only passes releases on: they are signed elsewhere, and no host believes a hub.
import { realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { MANIFEST, ManifestError, MOST_MANIFEST_BYTES, readManifest, SIGNATURES } from '../../sdk/release.ts'
import { HubError } from '../errors.ts'
import type { Connection } from './connection.ts'
import { allow } from './methods.ts'
import type { Platform } from './platform.ts'
import { anybody } from './who.ts'

export interface Releases {
  /** A folder that `bun run release` filled, or an `https://` address where such a folder is served. */
  from: string
  /** The text of install.sh, with `@HUB@` and `@KEYS@` where this hub's come in. */
  installer: string
  /** Public keys of those who may release. */
  keys: readonly string[]
}

/** Slow lines take a while for a program; this is between two pieces of it. */
const QUIET_SECONDS = 120

/** Null: not one of these addresses. @throws HubError */
export async function answerDownload(
  hub: Platform,
  pathname: string,
  request: Request,
  connection: Connection,
): Promise<Response | null> {
  if (pathname !== '/install.sh' && !pathname.startsWith('/download/')) return null
  allow(request, 'GET', 'HEAD')
  await anybody(hub, { request, connection })
  if (!hub.releases) throw nothing()
  if (pathname === '/install.sh') return installer(hub, hub.releases, request)
  const file = /^\/download\/((?:\d{1,6}\.\d{1,6}\.\d{1,6}\/)?[A-Za-z0-9][A-Za-z0-9._-]{0,99})$/.exec(pathname)?.[1]
  if (file === undefined) throw nothing()
  connection.quietFor(QUIET_SECONDS)
  const { from } = hub.releases
  if (isAddress(from))
    return new Response(null, {
      status: 302,
      headers: { ...cacheFor(file), location: `${from.replace(/\/+$/, '')}/${file}` },
    })
  return sent(join(from, file), file, request)
}

function installer(hub: Platform, { installer, keys }: Releases, request: Request): Response {
  if (keys.length === 0)
    throw new HubError(
      'not_found',
      'This hub was built without release keys, so it installs nothing. See docs/releases.md.',
    )
  const address = hub.config.publicUrl.replace(/\/+$/, '') || new URL(request.url).origin
  // It becomes a word of a shell.
  if (!/^https?:\/\/[A-Za-z0-9.[\]:-]+(\/[A-Za-z0-9._~/-]*)?$/.test(address))
    throw new HubError('misdirected_request', 'This hub does not answer by that name. Check the address you use.')
  return new Response(
    installer.replace('@HUB@', () => address).replace('@KEYS@', () => keys.join(' ')),
    {
      headers: { 'content-type': 'text/x-shellscript; charset=utf-8', 'cache-control': 'no-store', ...plain },
    },
  )
}

const plain = { 'x-content-type-options': 'nosniff' }

/** What belongs to a version never changes; what is on offer does. */
function cacheFor(file: string): Record<string, string> {
  const fixed = file.includes('/') && !file.endsWith(MANIFEST) && !file.endsWith(SIGNATURES)
  return { 'cache-control': fixed ? 'public, max-age=31536000, immutable' : 'no-cache', ...plain }
}

async function sent(path: string, name: string, request: Request): Promise<Response> {
  const file = Bun.file(path)
  if (!(await file.exists())) throw nothing()
  // Through the link, if it is one: what it leads to may change while this is sent.
  const real = Bun.file(await realpath(path))
  const { size, lastModified } = real
  const etag = `"${size.toString(36)}-${Math.floor(lastModified).toString(36)}"`
  const headers = {
    ...cacheFor(name),
    'content-type': name.endsWith(MANIFEST) ? 'application/json' : 'application/octet-stream',
    'accept-ranges': 'bytes',
    etag,
  }
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304, headers })
  const range = rangeOf(request, etag, size)
  if (range === null) return new Response(request.method === 'HEAD' ? null : real, { headers })
  if (range === 'beyond')
    return new Response(null, { status: 416, headers: { ...headers, 'content-range': `bytes */${size}` } })
  const [start, end] = range
  const partial = { ...headers, 'content-range': `bytes ${start}-${end}/${size}` }
  return new Response(request.method === 'HEAD' ? null : real.slice(start, end + 1), { status: 206, headers: partial })
}

/** First and last byte of the one range that is asked for; null: all of it. */
function rangeOf({ headers }: Request, etag: string, size: number): [number, number] | 'beyond' | null {
  const condition = headers.get('if-range')
  if (condition !== null && condition !== etag) return null
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(headers.get('range') ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return null
  if (first === '') return Number(last) === 0 ? 'beyond' : [Math.max(0, size - Number(last)), size - 1]
  const start = Number(first)
  if (start >= size || (last !== '' && Number(last) < start)) return 'beyond'
  return [start, last === '' ? size - 1 : Math.min(Number(last), size - 1)]
}

function nothing(): HubError {
  return new HubError('not_found', 'This hub has no such release. gpuhost.json under /download/ says what it has.')
}

export const isAddress = (from: string) => /^https?:\/\//.test(from)

/** Tells when a folder of releases offers something else than before. */
export class Shelf {
  private last: string | undefined

  constructor(private readonly releases: Releases) {}

  /** The version newly on offer since the last look; null: nothing new, or nothing that is signed. */
  async news(): Promise<string | null> {
    const { from, keys } = this.releases
    if (isAddress(from)) return null
    const file = Bun.file(join(from, MANIFEST))
    if (!(await file.exists()) || file.size > MOST_MANIFEST_BYTES) {
      this.last ??= ''
      return null
    }
    const bytes = await file.bytes()
    const signatures = await Bun.file(join(from, SIGNATURES))
      .text()
      .catch(() => '')
    const mark = `${Bun.hash(bytes)} ${Bun.hash(signatures)}`
    if (mark === this.last) return null
    const first = this.last === undefined
    try {
      const { version } = readManifest(bytes, signatures, keys)
      this.last = mark
      return first ? null : version
    } catch (error) {
      // Half of it is there, perhaps: the next look decides.
      if (error instanceof ManifestError) return null
      throw error
    }
  }
}
