// The cookie a session lives in. With https it is `__Host-`: bound to this very host, sent over TLS only, and no
// neighbouring subdomain can plant one. Without TLS, as on a developer's own machine, browsers would refuse that name.
const SECURE_NAME = '__Host-gpuhub'
const PLAIN_NAME = 'gpuhub-dev'
const LONGEST_MS = 60 * 24 * 60 * 60_000

/** The secret in a request's session cookie, or null. `url` is where people reach the hub. */
export function sessionCookie(url: string, request: Request): string | null {
  return readCookie(request, sessionName(url))
}

/** A `set-cookie` that signs the browser in. */
export function cookieFor(url: string, secret: string): string {
  return written(sessionName(url), secret, { url, seconds: LONGEST_MS / 1_000 })
}

/** A `set-cookie` that signs the browser out. */
export function cookieGone(url: string): string {
  return written(sessionName(url), '', { url, seconds: 0 })
}

/** A short-lived cookie beside the session's. */
export function passingCookie(url: string, name: string, value: string, seconds: number): string {
  return written(passingName(url, name), value, { url, seconds })
}

export function readPassingCookie(url: string, name: string, request: Request): string | null {
  return readCookie(request, passingName(url, name))
}

const REFUSAL = 'refusal'
const REFUSAL_SECONDS = 60

/** Carries what a provider's way in met to the page that says it: an address would be kept, and could be made up. */
export function refusalCookie(url: string, message: string): string {
  return passingCookie(url, REFUSAL, Buffer.from(message).toString('base64url'), REFUSAL_SECONDS)
}

export function readRefusal(url: string, request: Request): string | null {
  const kept = readPassingCookie(url, REFUSAL, request)
  return kept ? Buffer.from(kept, 'base64url').toString() : null
}

function sessionName(url: string): string {
  return isSecure(url) ? SECURE_NAME : PLAIN_NAME
}

function passingName(url: string, name: string): string {
  return `${sessionName(url)}-${name}`
}

function written(name: string, value: string, { url, seconds }: { url: string; seconds: number }): string {
  const secure = isSecure(url) ? '; Secure' : ''
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${seconds}${secure}`
}

function readCookie(request: Request, name: string): string | null {
  for (const pair of (request.headers.get('cookie') ?? '').split(';')) {
    const at = pair.indexOf('=')
    if (at !== -1 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim()
  }
  return null
}

function isSecure(url: string): boolean {
  return url.startsWith('https:')
}
