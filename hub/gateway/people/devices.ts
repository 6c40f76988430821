// Machines that sign in: two addresses for the machine, in RFC 8628's words, and three for its owner.
import { Elysia, t } from 'elysia'
import { HubError } from '../../errors.ts'
import { beginDevice, decideDevice, findDevice, pollDevice } from '../../fleet/sign-in.ts'
import type { Caller } from '../../identity/caller.ts'
import { requireRole } from '../../identity/guard.ts'
import type { Identity } from '../../identity/identity.ts'
import { findInvitation } from '../../identity/invitations.ts'
import { paths } from '../../identity/paths.ts'
import * as shapes from './shapes.ts'

const CLIENT = 'gpuhost'
const GRANT = 'urn:ietf:params:oauth:grant-type:device_code'

const Authorization = t.Object({
  client_id: t.String({ maxLength: 40, description: 'gpuhost' }),
  machine_key: t.String({ maxLength: 60, description: 'Ed25519 public key of the machine, 32 bytes, base64.' }),
  name: t.String({ maxLength: 200, description: 'What the machine calls itself.' }),
  gpu: t.String({ maxLength: 200, description: 'Its GPU.' }),
  agent: t.String({ maxLength: 80, description: 'Version of the agent.' }),
  time_zone: t.Optional(t.String({ maxLength: 60, description: 'As IANA writes it.' })),
  invitation: t.Optional(t.String({ maxLength: 100, description: 'What its owner was given to become one.' })),
})

const TokenRequest = t.Object({
  client_id: t.String({ maxLength: 40 }),
  grant_type: t.String({ maxLength: 80, description: GRANT }),
  device_code: t.String({ maxLength: 100 }),
  proof: t.String({ maxLength: 200, description: 'Signature of the machine, base64url: it holds the key it named.' }),
})

/** For machines: no cookies, so nothing a foreign page could ask for in somebody's name. */
export function machinesSignIn(identity: Identity) {
  return new Elysia()
    .post(
      '/device/authorization',
      async ({ request, body }) => {
        knownClient(body.client_id)
        const { machine_key: key, name, gpu, agent, time_zone: timeZone = null, invitation } = body
        const caller = identity.callers.of(request)
        if (invitation !== undefined) await requireForHosts(identity, caller, invitation)
        const began = await beginDevice(identity, caller, { key, name, gpu, agent, timeZone })
        return {
          device_code: began.deviceCode,
          user_code: began.userCode,
          verification_uri: identity.url() + (invitation === undefined ? paths.device : paths.deviceWith(invitation)),
          ...(invitation === undefined ? {} : { sign_up_uri: identity.url() + paths.invitation(invitation) }),
          by_invitation: identity.policy.current().hostSignUp !== 'open',
          expires_in: began.expiresSeconds,
          interval: began.intervalSeconds,
        }
      },
      {
        body: Authorization,
        response: {
          200: t.Object({
            device_code: t.String(),
            user_code: t.String({ description: 'What the owner types.' }),
            verification_uri: t.String({ description: 'Where.' }),
            sign_up_uri: t.Optional(
              t.String({ description: 'Where whoever has no account uses the invitation first.' }),
            ),
            by_invitation: t.Boolean({ description: 'New owners of hosts need an invitation here.' }),
            expires_in: t.Integer({ description: 'Seconds.' }),
            interval: t.Integer({ description: 'Seconds between questions, at least.' }),
          }),
        },
        detail: { summary: 'A machine asks to join (RFC 8628)', security: [] },
      },
    )
    .post(
      '/device/token',
      async ({ body, set }) => {
        knownClient(body.client_id)
        if (body.grant_type !== GRANT) throw new HubError('invalid_request', `grant_type is ${GRANT}.`)
        const polled = await pollDevice(identity, { deviceCode: body.device_code, proof: body.proof })
        if ('error' in polled) {
          set.status = 400
          return { error: polled.error }
        }
        return { access_token: polled.token, token_type: 'gpuhost', id: polled.id, owner: polled.owner }
      },
      {
        body: TokenRequest,
        response: {
          200: t.Object({
            access_token: t.String({ description: 'A host token, for this machine alone; shown once.' }),
            token_type: t.String(),
            id: t.String({ description: 'The token’s id.' }),
            owner: t.String({ description: 'Whose machine it is now.' }),
          }),
          400: t.Object({
            error: t.String({
              description: 'authorization_pending, slow_down, access_denied, expired_token, invalid_grant',
            }),
          }),
        },
        detail: { summary: 'A machine asks how it stands, and gets its token (RFC 8628)', security: [] },
      },
    )
}

/** For the owner, in front of the page that shows what asks. */
export function machinesDecided(identity: Identity) {
  return new Elysia()
    .post(
      '/device/lookup',
      async ({ request, body }) => {
        const { user } = await requireRole(identity, request, 'host')
        const found = await findDevice(identity, identity.callers.of(request), user, body.code)
        const { askedAt, expiresAt, ...machine } = found
        return {
          ...machine,
          askedAt: new Date(askedAt).toISOString(),
          expiresAt: new Date(expiresAt).toISOString(),
        }
      },
      {
        body: shapes.DeviceCode,
        response: { 200: shapes.DeviceRow },
        detail: { summary: 'The machine behind a code; from then on only you may decide about it' },
      },
    )
    .post(
      '/device/:id/approval',
      async ({ request, params }) => {
        const { user } = await requireRole(identity, request, 'host')
        await decideDevice(identity, user, params.id, 'approved')
        return { done: true as const }
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Let the machine join' } },
    )
    .post(
      '/device/:id/refusal',
      async ({ request, params }) => {
        const { user } = await requireRole(identity, request, 'host')
        await decideDevice(identity, user, params.id, 'refused')
        return { done: true as const }
      },
      { response: { 200: shapes.Done }, detail: { summary: 'Refuse it' } },
    )
}

/** Said at the machine, before anybody walks to a browser with it. It is not used up. @throws HubError */
async function requireForHosts(identity: Identity, caller: Caller, invitation: string): Promise<void> {
  const { roles } = await findInvitation(identity, caller, invitation)
  if (!roles.includes('host'))
    throw new HubError('invitation_not_valid', 'This invitation is not for owners of hosts. Ask for one that is.', {
      param: 'invitation',
    })
}

function knownClient(id: string): void {
  if (id !== CLIENT) throw new HubError('invalid_request', `client_id is ${CLIENT}.`, { param: 'client_id' })
}
