// Every page and its address, on one screen; and what holds for all of them: who may see it, and that a change is asked
// for by one of our own pages.
import type { Role } from '../hub/identity/users.ts'
import { asHubError, errorHeaders, HubError } from '../hub/errors.ts'
import type { Connection } from '../hub/gateway/connection.ts'
import type { Platform } from '../hub/gateway/platform.ts'
import { sameOrigin, type SignedIn, whoIsSignedIn } from '../hub/identity/guard.ts'
import { account, accountActs, exportAccount, newEmailAct, newEmailPage } from './account/account.tsx'
import { decide, deviceAct, devicePage } from './account/device.tsx'
import { lettersOff, lettersOffPage } from './account/letters-off.tsx'
import {
  chooseHat,
  codeAct,
  codePage,
  forgottenAct,
  forgottenPage,
  passwordAct,
  passwordPage,
  signInAct,
  signInPage,
  signOut,
  wearHat,
} from './account/sign-in.tsx'
import { confirmAct, confirmPage, firstAdminAct, firstAdminPage, signUpAct, signUpPage } from './account/sign-up.tsx'
import { fleet, fleetActs, fleetHost } from './admin/fleet.tsx'
import { ledger, ledgerCheck } from './admin/ledger.tsx'
import { importModel, importPage } from './admin/import.tsx'
import { adminModel, adminModels, setOffer, setPrice } from './admin/models.tsx'
import { adminLive, adminOverview } from './admin/overview.tsx'
import { invitations, invite, uninvite, user, userActs, users } from './admin/people.tsx'
import { report, reports, setReport } from './admin/reports.tsx'
import { acts, letters, setSetting, settings } from './admin/settings.tsx'
import { answerAsset, takesGzip } from './assets.ts'
import { acknowledgeLicence, licences } from './client/licences.tsx'
import { keyLimits, setKeyLimits } from './client/key-limits.tsx'
import { askRevocation, keys, makeKey, revoke } from './client/keys.tsx'
import { playground, playgroundAnswer } from './client/playground.tsx'
import { overview, overviewLive } from './client/overview.tsx'
import { receiptPage, usage, usageCsv } from './client/usage.tsx'
import { Form, readForm } from './form.ts'
import { framed, type Framing } from './frame.tsx'
import { exhibit, gallery } from './gallery/gallery.tsx'
import { documentIndex, documentPage, textPage } from './home/documents.tsx'
import { landing } from './home/landing.tsx'
import { model, models } from './home/models.tsx'
import { reportAbuse, sendReport } from './home/report.tsx'
import { reference } from './home/reference.tsx'
import { status } from './home/status.tsx'
import { drain, machine, rent, resume } from './host/machine.tsx'
import { machines } from './host/machines.tsx'
import { makeToken, newMachine } from './host/new-machine.tsx'
import { hostLive, hostOverview } from './host/overview.tsx'
import { Title } from './parts/heading.tsx'
import {
  act,
  type Audience,
  matchPath,
  open,
  openAct,
  page,
  type Page,
  type Route,
  seeOther,
  signedAct,
  type Visit,
} from './route.ts'

export const routes: readonly Route[] = [
  open('/', landing),
  open('/models', models),
  open('/models/*id', model),
  open('/status', status),
  open('/docs', documentIndex),
  open('/docs/api', reference),
  open('/docs/:slug', documentPage),
  open('/licences', () => textPage('licences')),
  open('/terms', () => textPage('terms')),
  open('/privacy', () => textPage('privacy')),
  open('/acceptable-use', () => textPage('acceptable-use')),
  open('/report-abuse', reportAbuse),
  openAct('/report-abuse', sendReport),

  open('/dev/gallery', gallery),
  open('/dev/gallery/:name', exhibit),

  open('/sign-in', signInPage),
  openAct('/sign-in', signInAct),
  open('/sign-in/code', codePage),
  openAct('/sign-in/code', codeAct),
  open('/sign-up', signUpPage),
  openAct('/sign-up', signUpAct),
  open('/sign-up/confirm', confirmPage),
  openAct('/sign-up/confirm', confirmAct),
  open('/password/forgotten', forgottenPage),
  openAct('/password/forgotten', forgottenAct),
  open('/password', passwordPage),
  openAct('/password', passwordAct),
  open('/first-admin', firstAdminPage),
  openAct('/first-admin', firstAdminAct),
  open('/account/email', newEmailPage),
  openAct('/account/email/confirmation', newEmailAct),
  open('/letters/off', lettersOffPage),
  signedAct('/letters/off', lettersOff),
  act('signed in', '/sign-out', signOut),
  page('signed in', '/hat', chooseHat),
  act('signed in', '/hat', wearHat),
  page('signed in', '/account', account),
  page('signed in', '/account/export', exportAccount),
  act('signed in', '/account/name', accountActs.name),
  act('signed in', '/account/password', accountActs.password),
  act('signed in', '/account/email', accountActs.email),
  act('signed in', '/account/second-factor', accountActs.beginFactor),
  act('signed in', '/account/second-factor/confirmation', accountActs.confirmFactor),
  act('signed in', '/account/second-factor/recovery-codes', accountActs.recoveryCodes),
  act('signed in', '/account/second-factor/removal', accountActs.removeFactor),
  act('signed in', '/account/logins/removal', accountActs.unlink),
  act('signed in', '/account/sessions/end', accountActs.endOthers),
  act('signed in', '/account/sessions/:id/end', accountActs.endSession),
  act('signed in', '/account/terms', accountActs.terms),
  act('signed in', '/account/letters', accountActs.letters),
  act('signed in', '/account/roles', accountActs.become),
  act('signed in', '/account/invitation', accountActs.invitation),
  act('signed in', '/account/deletion', accountActs.deletion),

  page('client', '/client', overview),
  page('client', '/client/live', overviewLive),
  page('client', '/client/keys', keys),
  act('client', '/client/keys', makeKey),
  page('client', '/client/keys/:id/limits', keyLimits),
  act('client', '/client/keys/:id/limits', setKeyLimits),
  page('client', '/client/keys/:id/revocation', askRevocation),
  act('client', '/client/keys/:id/revocation', revoke),
  page('client', '/client/usage', usage),
  page('client', '/client/usage.csv', usageCsv),
  page('client', '/client/requests/:id', receiptPage),
  page('client', '/client/playground', playground),
  act('client', '/client/playground/answers', playgroundAnswer),
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
  act('host', '/host/machines/:id/rent', rent),
  page('host', '/machines', () => seeOther('/host/machines')),
  page('signed in', '/device', devicePage),
  act('signed in', '/device', deviceAct),
  act('host', '/device/:id/approval', decide('approved')),
  act('host', '/device/:id/refusal', decide('refused')),

  page('admin', '/admin', adminOverview),
  page('admin', '/admin/live', adminLive),
  page('admin', '/admin/fleet', fleet),
  page('admin', '/admin/fleet/:id', fleetHost),
  act('admin', '/admin/fleet/:id/drain', fleetActs.drain),
  act('admin', '/admin/fleet/:id/resumption', fleetActs.resume),
  act('admin', '/admin/fleet/:id/vetting', fleetActs.vet),
  act('admin', '/admin/fleet/:id/vetting/removal', fleetActs.unvet),
  act('admin', '/admin/fleet/:id/quarantine', fleetActs.quarantine),
  act('admin', '/admin/fleet/:id/release', fleetActs.release),
  act('admin', '/admin/fleet/:id/tenure', fleetActs.tenure),
  act('admin', '/admin/fleet/:id/note', fleetActs.note),
  page('admin', '/admin/users', users),
  page('admin', '/admin/users/:id', user),
  act('admin', '/admin/users/:id/suspension', userActs.suspend),
  act('admin', '/admin/users/:id/reinstatement', userActs.reinstate),
  act('admin', '/admin/users/:id/roles', userActs.roles),
  act('admin', '/admin/users/:id/credit', userActs.credit),
  act('admin', '/admin/users/:id/reset-link', userActs.link),
  page('admin', '/admin/invitations', invitations),
  act('admin', '/admin/invitations', invite),
  act('admin', '/admin/invitations/:id/revocation', uninvite),
  page('admin', '/admin/models', adminModels),
  page('admin', '/admin/models/import', importPage),
  act('admin', '/admin/models/import', importModel),
  page('admin', '/admin/models/*id', adminModel),
  act('admin', '/admin/models/price/*id', setPrice),
  act('admin', '/admin/models/enable/*id', setOffer(true)),
  act('admin', '/admin/models/disable/*id', setOffer(false)),
  page('admin', '/admin/ledger', ledger),
  act('admin', '/admin/ledger/check', ledgerCheck),
  page('admin', '/admin/settings', settings),
  act('admin', '/admin/settings', setSetting),
  page('admin', '/admin/reports', reports),
  page('admin', '/admin/reports/:id', report),
  act('admin', '/admin/reports/:id', setReport),
  page('admin', '/admin/acts', acts),
  page('admin', '/admin/letters', letters),
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
  admin: [
    { href: '/admin', text: 'Overview', exact: true },
    { href: '/admin/fleet', text: 'Fleet' },
    { href: '/admin/users', text: 'Users' },
    { href: '/admin/invitations', text: 'Invitations' },
    { href: '/admin/models', text: 'Models' },
    { href: '/admin/ledger', text: 'Ledger' },
    { href: '/admin/reports', text: 'Reports' },
    { href: '/admin/settings', text: 'Settings' },
    { href: '/admin/acts', text: 'Acts' },
    { href: '/admin/letters', text: 'Letters' },
  ],
}

/** Answers what is a page's address; null: it is none. Never throws. */
export async function answerPage(hub: Platform, request: Request, connection: Connection): Promise<Response | null> {
  const url = new URL(request.url)
  const asset = answerAsset(url.pathname, request)
  if (asset) return asset
  const found = findRoute(request.method === 'HEAD' ? 'GET' : request.method, url.pathname)
  if (!found) return null
  let guest: SignedIn | null = null
  try {
    if (url.href.includes('%00')) throw new HubError('invalid_request', 'An address holds text; this one does not.')
    const { bySignature } = found.route
    if (!bySignature) sameOrigin(hub.identity, request)
    guest = await whoIsSignedIn(hub.identity, request)
    const elsewhere = turnAway(found.route.who, guest, request, url)
    if (elsewhere) return elsewhere
    const visit = {
      hub,
      request,
      connection,
      url,
      params: found.params,
      guest,
      form: bySignature ? new Form() : await readForm(request),
    }
    return respond(await found.route.answer(visit), visit)
  } catch (error) {
    return respond(
      errorPage(hub, error),
      { hub, request, connection, url, params: {}, guest },
      errorHeaders(asHubError(error)),
    )
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
  const community = visit.hub.policy.current().communityLinks
  const side = <Side guest={guest} hat={hat ?? null} />
  const zips = takesGzip(visit.request)
  const response = framed(answer, { pathname: url.pathname, nav, community, zips, side })
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value)
  for (const cookie of answer.cookies ?? []) response.headers.append('set-cookie', cookie)
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
        <a href="/account">Account</a>
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
