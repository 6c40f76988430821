// Every page and its address, on one screen; and what holds for all of them.
import type { Platform } from '../hub/gateway/platform.ts'
import { asHubError, type HubError } from '../hub/errors.ts'
import { answerAsset } from './assets.ts'
import { framed } from './frame.tsx'
import { documentIndex, documentPage, textPage } from './home/documents.tsx'
import { landing } from './home/landing.tsx'
import { model, models } from './home/models.tsx'
import { Title } from './parts/heading.tsx'
import { matchPath, type Page, type Route, type Visit } from './route.ts'

export const routes: readonly Route[] = [
  { method: 'GET', path: '/', who: 'anyone', answer: landing },
  { method: 'GET', path: '/models', who: 'anyone', answer: models },
  { method: 'GET', path: '/models/*id', who: 'anyone', answer: model },
  { method: 'GET', path: '/docs', who: 'anyone', answer: documentIndex },
  { method: 'GET', path: '/docs/:slug', who: 'anyone', answer: documentPage },
  { method: 'GET', path: '/licences', who: 'anyone', answer: () => textPage('licences') },
  { method: 'GET', path: '/terms', who: 'anyone', answer: () => textPage('terms') },
  { method: 'GET', path: '/privacy', who: 'anyone', answer: () => textPage('privacy') },
  { method: 'GET', path: '/acceptable-use', who: 'anyone', answer: () => textPage('acceptable-use') },
]

const NAV = [
  { href: '/models', text: 'Models' },
  { href: '/docs', text: 'Documentation' },
  { href: '/status', text: 'Status' },
]

/** Answers what is a page's address; null: it is none. */
export async function answerPage(hub: Platform, request: Request): Promise<Response | null> {
  const url = new URL(request.url)
  const asset = answerAsset(url.pathname, request)
  if (asset) return asset
  const found = findRoute(request.method === 'HEAD' ? 'GET' : request.method, url.pathname)
  if (!found) return null
  const visit: Visit = { hub, request, url, params: found.params }
  const answer = await Promise.resolve(found.route.answer(visit)).catch((error) => errorPage(hub, error))
  return answer instanceof Response ? answer : framed(answer, { pathname: url.pathname, nav: NAV, side: <></> })
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
  const error: HubError = asHubError(thrown)
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
