// The addresses for people, under /api/v1 as the rest of the platform API, and described with it. They live by the session
// cookie, so every change of state must come from a page of this hub: that is asked here, once, for all of them.
import { Elysia } from 'elysia'
import { newId } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { sameOrigin } from '../identity/guard.ts'
import { refusal } from './openai.ts'
import { administration } from './people/admin.ts'
import { readFields } from './people/body.ts'
import { machinesDecided, machinesSignIn } from './people/devices.ts'
import { ownAccount } from './people/own.ts'
import { comingIn } from './people/sign-in.ts'
import { ownTerms } from './people/terms.ts'
import { known, type Platform, readLimit } from './platform.ts'

export function peopleApi(hub: Platform) {
  const { identity } = hub
  const forPages = new Elysia({ detail: { security: [{ session: [] }] } })
    .onTransform(({ request, query }) => {
      sameOrigin(identity, request)
      readLimit(query)
    })
    .use(comingIn(identity))
    .use(ownAccount(hub))
    .use(machinesDecided(identity))
    .use(administration(hub))
  return (
    new Elysia({ prefix: '/api/v1', normalize: true })
      .onParse(({ request }) => readFields(hub.bodies, request))
      .derive(({ set }) => {
        const requestId = newId(hub.env, 'req')
        // No origin but our own may read these: unlike a key, a cookie goes along by itself.
        Object.assign(set.headers, {
          ...{ 'x-request-id': requestId, 'request-id': requestId },
          ...{ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff', 'referrer-policy': 'no-referrer' },
        })
        return { requestId }
      })
      .onError(({ code, error, request, set }) => {
        if (code === 'NOT_FOUND') return undefined
        const requestId = String(set.headers['x-request-id'] ?? newId(hub.env, 'req'))
        // Elysia wraps what a parser throws.
        const own = error instanceof Error && error.cause instanceof HubError ? error.cause : error
        return refusal(hub, request, requestId, known(own === error ? code : 'UNKNOWN', own))
      })
      // Without a cookie there is nothing that a foreign page could use.
      .use(machinesSignIn(identity))
      .use(ownTerms(hub))
      .use(forPages)
  )
}
