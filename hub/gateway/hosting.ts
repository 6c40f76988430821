// What a machine does in its owner's name, with its host token: asks how the hub sees it and what it
// earned, and confirms the licence of what it is going to serve.
import { t } from 'elysia'
import { Licence } from '../../sdk/api.ts'
import { HostDeparture } from '../../sdk/host-departure.ts'
import { HostEarnings } from '../../sdk/host-earnings.ts'
import { HostView } from '../../sdk/host-view.ts'
import { PROOF_HEADER } from '../../sdk/wire/machine-key.ts'
import { HubError } from '../errors.ts'
import { leave } from '../fleet/leave.ts'
import type { Bearer } from '../fleet/token.ts'
import { clientAccount } from '../identity/users.ts'
import { acknowledgeLicence } from './account.ts'
import { earningsOf } from './host-earnings.ts'
import { hostRoutes } from './host-routes.ts'
import { viewHost } from './host-view.ts'
import { readFields } from './people/body.ts'
import { caller, type Platform } from './platform.ts'

export function hostingApi(hub: Platform) {
  return hostRoutes(hub, '/api/v1/hosts')
    .get(
      '/earnings',
      async ({ request, query }) => {
        const { ownerId, tokenId } = await machineOf(hub, request)
        hub.identity.limits.take('hostViewBy', tokenId)
        return earningsOf(hub, ownerId, query)
      },
      {
        query: t.Object({
          machine: t.String({ minLength: 1, maxLength: 80, description: 'Which machine: as its agent names itself.' }),
          from: t.Integer({ minimum: 0, description: 'Milliseconds since 1970; the full hour before it counts.' }),
          to: t.Optional(t.Integer({ minimum: 0, description: 'The first moment that does not count; absent: now.' })),
        }),
        response: { 200: HostEarnings },
        detail: { summary: 'For a host: what it earned, by model', security: [{ hostToken: [] }] },
      },
    )
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
      '/departure',
      async ({ request, body }) => {
        const bearer = await machineOf(hub, request)
        hub.identity.limits.take('hostViewBy', bearer.tokenId)
        return leave(hub.env, hub.db, bearer, body.machine)
      },
      {
        body: t.Object({
          machine: t.String({ minLength: 1, maxLength: 80, description: 'Which machine: as its agent names itself.' }),
        }),
        response: { 200: HostDeparture },
        detail: { summary: 'For a host: it leaves for good', security: [{ hostToken: [] }] },
      },
    )
    .post(
      '/licences',
      async ({ request, body }) => {
        const { ownerId } = await machineOf(hub, request)
        const bearer = { userId: ownerId, account: clientAccount(ownerId), keyId: null, limited: false, models: null }
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
