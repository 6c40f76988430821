// What a machine does in its owner's name, with its host token: asks how the hub sees it, and
// confirms the licence of what it is going to serve.
import { Elysia, t } from 'elysia'
import { Licence } from '../../sdk/api.ts'
import { newId } from '../../sdk/env.ts'
import { HostView } from '../../sdk/host-view.ts'
import { PROOF_HEADER } from '../../sdk/wire/machine-key.ts'
import { HubError } from '../errors.ts'
import type { Bearer } from '../fleet/token.ts'
import { clientAccount } from '../identity/users.ts'
import { acknowledgeLicence } from './account.ts'
import { viewHost } from './host-view.ts'
import { refusal } from './openai.ts'
import { readFields } from './people/body.ts'
import { caller, known, type Platform } from './platform.ts'

export function hostingApi(hub: Platform) {
  return new Elysia({ prefix: '/api/v1/hosts', normalize: true })
    .derive(({ set }) => {
      const requestId = newId(hub.env, 'req')
      Object.assign(set.headers, { 'x-request-id': requestId, 'request-id': requestId, 'cache-control': 'no-store' })
      return { requestId }
    })
    .onError(({ code, error, request, set }) => {
      if (code === 'NOT_FOUND') return undefined
      const requestId = String(set.headers['x-request-id'] ?? newId(hub.env, 'req'))
      return refusal(hub, request, requestId, known(code, error))
    })
    .get(
      '/:id',
      async ({ request, params }) => {
        const { ownerId, tokenId } = await machineOf(hub, request)
        hub.identity.limits.take('hostViewBy', tokenId)
        return viewHost(hub, ownerId, params.id)
      },
      {
        response: { 200: HostView },
        detail: { summary: 'For a host: how this hub sees it', security: [{ hostToken: [] }] },
      },
    )
    .onParse(({ request }) => readFields(hub.bodies, request))
    .post(
      '/licences',
      async ({ request, body }) => {
        const { ownerId } = await machineOf(hub, request)
        const bearer = { userId: ownerId, account: clientAccount(ownerId), keyId: null, limited: false }
        return acknowledgeLicence({ ...hub, bearer }, `${body.model}/license/acknowledge`, body.statements)
      },
      {
        body: t.Object({
          model: t.String({ maxLength: 200, description: 'The model, as the catalog names it.' }),
          statements: t.Array(t.String({ maxLength: 80 }), {
            maxItems: 20,
            description: 'The id of every statement confirmed.',
          }),
        }),
        response: { 200: Licence },
        detail: { summary: 'For a host: its owner acknowledges a licence', security: [{ hostToken: [] }] },
      },
    )
}

/** Whose machine asks; wrong tokens count against the address they come from. @throws HubError */
export async function machineOf(hub: Platform, request: Request): Promise<Bearer> {
  const token = /^Bearer +(\S+)$/i.exec(request.headers.get('authorization') ?? '')?.[1] ?? ''
  return hub.hostBearer(token, request.headers.get(PROOF_HEADER)).catch((error: unknown) => {
    const wrong = error instanceof HubError && error.code === 'invalid_api_key'
    if (wrong) hub.strangers.count('wrongKeys', caller(hub, request).connection.address())
    throw error
  })
}
