// Every page and its address, on one screen; and what holds for all of them: who may see it, and that a change is asked
// for by one of our own pages.
import type { Role } from '../db/schema/people.ts'
import { asHubError, errorHeaders, HubError } from '../hub/errors.ts'
import type { Platform } from '../hub/gateway/platform.ts'
import { sameOrigin, type SignedIn, whoIsSignedIn } from '../hub/identity/guard.ts'
import { answerAsset } from './assets.ts'
import { acknowledgeLicence, licences } from './client/licences.tsx'
import { askRevocation, keys, makeKey, revoke } from './client/keys.tsx'
import { overview, overviewLive } from './client/overview.tsx'
import { receiptPage, usage, usageCsv } from './client/usage.tsx'
import { readForm } from './form.ts'
import { framed, type Framing } from './frame.tsx'
import { documentIndex, documentPage, textPage } from './home/documents.tsx'
import { landing } from './home/landing.tsx'
import { model, models } from './home/models.tsx'
import { status } from './home/status.tsx'
import { drain, machine, machines, makeToken, newMachine, resume } from './host/machines.tsx'
import { hostLive, hostOverview } from './host/overview.tsx'
import { Title } from './parts/heading.tsx'
import { act, type Audience, matchPath, open, page, type Page, type Route, seeOther, type Visit } from './route.ts'

export const routes: readonly Route[] = [
  open('/', landing),
  open('/models', models),
  open('/models/*id', model),
  open('/status', status),
  open('/docs', documentIndex),
  open('/docs/:slug', documentPage),
  open('/licences', () => textPage('licences')),
  open('/terms', () => textPage('terms')),
  open('/privacy', () => textPage('privacy')),
  open('/acceptable-use', () => textPage('acceptable-use')),

  page('client', '/client', overview),
  page('client', '/client/live', overviewLive),
  page('client', '/client/keys', keys),
  act('client', '/client/keys', makeKey),
  page('client', '/client/keys/:id/revocation', askRevocation),
  act('client', '/client/keys/:id/revocation', revoke),
  page('client', '/client/usage', usage),
  page('client', '/client/usage.csv', usageCsv),
  page('client', '/client/requests/:id', receiptPage),
  page('client', '/client/licences', licences),
  act('client', '/client/licences/*id', acknowledgeLicence),

  page('host', '/host', hostOverview),
  page('host', '/host/live', hostLive),
  page('host', '/host/machines', machines),
  page('host', '/host/machines/new', newMachine),
  act('host', '/host/machines/new', makeToken),
  page('host', '/host/machines/:id', machine),
  act('host', '/host/machines/:id/drain', drain),
  act('host', '/host/machines/:id/resumption', resume),
]

const NAV: Record<Role | 'anyone', Framing['nav']> = {
  anyone: [
    { href: '/models', text: 'Models' },
    { href: '/docs', text: 'Documentation' },
    { href: '/status', text: 'Status' },
  ],
  client: [
    { href: '/client', text: 'Overview', exact: true },
    { href: '/client/keys', text: 'Keys' },
    { href: '/client/usage', text: 'Usage' },
    { href: '/client/playground', text: 'Playground' },
    { href: '/client/licences', text: 'Licences' },
    { href: '/models', text: 'Models' },
  ],
  host: [
    { href: '/host', text: 'Earnings', exact: true },
    { href: '/host/machines', text: 'Machines' },
    { href: '/models', text: 'Models' },
    { href: '/docs', text: 'Documentation' },
  ],
  admin: [],
}

/** Answers what is a page's address; null: it is none. Never throws. */
export async function answerPage(hub: Platform, request: Request): Promise<Response | null> {
  const url = new URL(request.url)
  const asset = answerAsset(url.pathname, request)
  if (asset) return asset
  const found = findRoute(request.method === 'HEAD' ? 'GET' : request.method, url.pathname)
  if (!found) return null
  let guest: SignedIn | null = null
  try {
    sameOrigin(hub.identity, request)
    guest = await whoIsSignedIn(hub.identity, request)
    const elsewhere = turnAway(found.route.who, guest, request, url)
    if (elsewhere) return elsewhere
    const visit = { hub, request, url, params: found.params, guest, form: await readForm(request) }
    return respond(await found.route.answer(visit), visit)
  } catch (error) {
    return respond(errorPage(hub, error), { hub, request, url, params: {}, guest }, errorHeaders(asHubError(error)))
  }
}

/** Where somebody goes who is not signed in; null: they may stay. @throws HubError: what is not for them does not exist */
function turnAway(who: Audience, guest: SignedIn | null, request: Request, url: URL): Response | null {
  if (who === 'anyone') return null
  if (!guest) {
    const next = request.method === 'POST' ? '' : `?next=${encodeURIComponent(url.pathname + url.search)}`
    return seeOther(`/sign-in${next}`)
  }
  if (who !== 'signed in' && !guest.user.roles.includes(who)) throw new HubError('not_found', NOTHING)
  return null
}

function respond(answer: Page | Response, visit: Visit, headers: Record<string, string> = {}): Response {
  if (answer instanceof Response) return answer
  const { guest, url } = visit
  const hat = areaOf(url.pathname) ?? guest?.hat
  const nav = NAV[guest && hat ? hat : 'anyone']
  const response = framed(answer, { pathname: url.pathname, nav, side: <Side guest={guest} hat={hat ?? null} /> })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  return response
}

const NOTHING = 'There is nothing at this address, or it is not yours.'
const AREAS: readonly string[] = ['client', 'host', 'admin'] satisfies Role[]

/** Whose pages an address belongs to. */
function areaOf(pathname: string): Role | null {
  const area = pathname.split('/')[1] ?? ''
  return AREAS.includes(area) ? (area as Role) : null
}

const HATS: Record<Role, string> = { client: 'Client', host: 'Host', admin: 'Admin' }

/** The right of the bar: whose pages one sees, and the way out. */
function Side({ guest, hat }: { guest: SignedIn | null; hat: Role | null }) {
  if (!guest)
    return (
      <>
        <a href="/sign-in">Sign in</a>
        <a class="button primary" href="/sign-up">
          Get a key
        </a>
      </>
    )
  return (
    <details class="menu">
      <summary>{hat ? HATS[hat] : 'Account'}</summary>
      <div class="card">
        <p class="muted small">{guest.user.email}</p>
        {guest.user.roles.length > 1 && (
          <form method="post" action="/hat" class="stack">
            {guest.user.roles.map((role) => (
              <button name="hat" value={role} class="link" aria-current={role === hat || undefined}>
                {HATS[role]}
              </button>
            ))}
          </form>
        )}
        <a href="/settings">Settings</a>
        <form method="post" action="/sign-out">
          <button class="link">Sign out</button>
        </form>
      </div>
    </details>
  )
}

function findRoute(method: string, pathname: string): { route: Route; params: Record<string, string> } | null {
  for (const route of routes) {
    if (route.method !== method) continue
    try {
      const params = matchPath(route.path, pathname)
      if (params) return { route, params }
    } catch {
      // An address that is no text is nobody's.
    }
  }
  return null
}

function errorPage({ log }: Platform, thrown: unknown): Page {
  const error = asHubError(thrown)
  if (error.code === 'internal') log.error('a page failed', { error: (thrown as Error).stack ?? String(thrown) })
  return {
    title: error.status === 404 ? 'Not found' : 'Not possible',
    status: error.status,
    body: (
      <>
        <Title note={error.message}>{error.status === 404 ? 'Nothing here' : 'That did not work'}</Title>
        <p>
          <a href="/">To the start</a>
        </p>
      </>
    ),
  }
}
