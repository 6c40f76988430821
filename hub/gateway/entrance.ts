// What every request has to pass before anybody looks at what it asks: an address that is one, and a name we go by.
import { HubError } from '../errors.ts'

export class Entrance {
  private readonly names: ReadonlySet<string> | null
  private last: { url: string; path: string | null } = { url: '', path: null }

  /** `names`: what clients may call this hub in their Host header, with commas between; empty: anything. */
  constructor(names: string) {
    this.names = names === '' ? null : new Set(names.toLowerCase().split(/[\s,]+/))
  }

  /** The path that is asked for. @throws HubError 400 or 421 */
  pathOf({ url, headers }: Pick<Request, 'url' | 'headers'>): string {
    const host = headers.get('host') ?? ''
    // The server puts the Host header before the path; with one that is no name, or several, that makes no address.
    const pathname = this.pathIn(url)
    if (pathname === null || host.includes(','))
      throw new HubError(
        'invalid_request',
        'The Host header of this request is not valid. Send one name, such as hub.example.',
      )
    if (this.names !== null && !this.names.has(host.toLowerCase().replace(/:\d+$/, '')) && !isProbe(pathname))
      throw new HubError(
        'misdirected_request',
        'This hub does not answer by that name. Check the base address you use.',
      )
    return pathname
  }

  /** Nearly every request asks for the same address as the one before. */
  private pathIn(url: string): string | null {
    if (url !== this.last.url) this.last = { url, path: URL.parse(url)?.pathname ?? null }
    return this.last.path
  }
}

/** What load balancers ask, by address. */
function isProbe(pathname: string): boolean {
  return pathname === '/healthz' || pathname === '/readyz'
}
