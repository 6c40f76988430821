// Terms of service, for programs with a key as for pages: whom the API refuses must be able to accept there.
import { Elysia } from 'elysia'
import { acceptTerms, termsStates, termsVersion } from '../../identity/terms.ts'
import { type User, userById } from '../../identity/users.ts'
import { HubError } from '../../errors.ts'
import { caller, type Platform } from '../platform.ts'
import { whoseAccount } from '../whose.ts'
import * as shapes from './shapes.ts'

export function ownTerms(hub: Platform) {
  const { env, db } = hub.identity
  const asking = async (request: Request): Promise<User> => {
    const user = await userById(db, (await whoseAccount(hub, caller(hub, request))).userId)
    if (!user) throw new HubError('not_found', 'This account is gone.')
    return user
  }
  const states = (user: User) => ({ data: termsStates(hub.policy.current(), user, env.now()) })
  return (
    new Elysia()
      .get(
        '/terms',
        () => {
          const settings = hub.policy.current()
          return { client: termsVersion(settings, 'client'), host: termsVersion(settings, 'host') }
        },
        { response: { 200: shapes.TermsInForce }, detail: { summary: 'Versions of the terms in force', security: [] } },
      )
      // Before validation, so that a stranger learns nothing about what is valid.
      .derive(async ({ request }) => ({ user: await asking(request) }))
      .get('/me/terms', ({ user }) => states(user), {
        response: { 200: shapes.TermsList },
        detail: { summary: 'Terms of one’s roles, and which are still to be accepted' },
      })
      .post(
        '/me/terms',
        async ({ request, user, body }) => {
          await acceptTerms(env, db, hub.policy.current(), user, body)
          return states(await asking(request))
        },
        { body: shapes.AcceptTerms, response: { 200: shapes.TermsList }, detail: { summary: 'Accept terms' } },
      )
  )
}
