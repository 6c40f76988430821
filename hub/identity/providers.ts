// GitHub and Google, asked who somebody is (OAuth 2.0, authorization code with PKCE). Everything they say is checked
// here; from here on it is a subject and an address that the provider has verified.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'

export interface Named {
  /** Who it is to that provider, for ever. */
  subject: string
  /** Verified by the provider. */
  email: string
  name: string | null
}

export interface Provider {
  title: string
  /** Where a browser goes to be asked. */
  askAt(question: { state: string; challenge: string; returnTo: string }): Promise<string>
  /** Who it was. @throws HubError */
  whoCame(answer: { code: string; verifier: string; returnTo: string }): Promise<Named>
}

export interface Providers {
  github: Provider | null
  google: Provider | null
}
export type ProviderName = keyof Providers

export interface ProviderSettings {
  githubId: string
  githubSecret: string
  /** `https://github.com`, or a GitHub Enterprise Server. */
  githubUrl: string
  googleId: string
  googleSecret: string
  /** The issuer: its discovery document names the rest. */
  googleUrl: string
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** A provider without an id is not configured. */
export function openProviders(env: Env, settings: ProviderSettings, fetch: Fetch): Providers {
  const { githubId, googleId } = settings
  return {
    github: githubId === '' ? null : github(new Questions(env, fetch, 'GitHub'), settings),
    google: googleId === '' ? null : google(new Questions(env, fetch, 'Google'), settings),
  }
}

function github(ask: Questions, { githubId, githubSecret, githubUrl }: ProviderSettings): Provider {
  const base = githubUrl.replace(/\/+$/, '')
  const api = base === 'https://github.com' ? 'https://api.github.com' : `${base}/api/v3`
  return {
    title: 'GitHub',
    askAt: async (question) =>
      address(`${base}/login/oauth/authorize`, {
        ...common(githubId, question),
        scope: 'read:user user:email',
      }),
    async whoCame(answer) {
      const token = await ask.token(`${base}/login/oauth/access_token`, githubId, githubSecret, answer)
      const user = await ask.json(`${api}/user`, token, GithubUser)
      const emails = await ask.json(`${api}/user/emails`, token, GithubEmails)
      const email = emails.find((each) => each.primary && each.verified) ?? emails.find((each) => each.verified)
      if (!email) throw unverified('GitHub')
      return { subject: String(user.id), email: email.email, name: user.name ?? null }
    },
  }
}

function google(ask: Questions, { googleId, googleSecret, googleUrl }: ProviderSettings): Provider {
  let found: Promise<Static<typeof Discovery>> | undefined
  const endpoints = () => {
    found ??= ask
      .json(`${googleUrl.replace(/\/+$/, '')}/.well-known/openid-configuration`, null, Discovery)
      .catch((error) => {
        found = undefined
        throw error
      })
    return found
  }
  return {
    title: 'Google',
    askAt: async (question) =>
      address((await endpoints()).authorization_endpoint, {
        ...common(googleId, question),
        scope: 'openid email profile',
      }),
    async whoCame(answer) {
      const { token_endpoint, userinfo_endpoint } = await endpoints()
      const token = await ask.token(token_endpoint, googleId, googleSecret, answer)
      const { sub, email, email_verified, name } = await ask.json(userinfo_endpoint, token, GoogleUser)
      if (email_verified !== true && email_verified !== 'true') throw unverified('Google')
      return { subject: sub, email, name: name ?? null }
    },
  }
}

const Token = Type.Object({ access_token: Type.String({ minLength: 1, maxLength: 4_096 }) })
const Name = Type.Optional(Type.Union([Type.String({ maxLength: 500 }), Type.Null()]))
const GithubUser = Type.Object({
  id: Type.Integer(),
  name: Name,
})
const GithubEmails = Type.Array(
  Type.Object({ email: Type.String({ maxLength: 254 }), primary: Type.Boolean(), verified: Type.Boolean() }),
  { maxItems: 1_000 },
)
const GoogleUser = Type.Object({
  sub: Type.String({ minLength: 1, maxLength: 255 }),
  email: Type.String({ maxLength: 254 }),
  email_verified: Type.Union([Type.Boolean(), Type.Literal('true'), Type.Literal('false')]),
  name: Name,
})
const Discovery = Type.Object({
  authorization_endpoint: Type.String({ pattern: '^https?://', maxLength: 500 }),
  token_endpoint: Type.String({ pattern: '^https?://', maxLength: 500 }),
  userinfo_endpoint: Type.String({ pattern: '^https?://', maxLength: 500 }),
})

const WAIT_MS = 10_000
const MOST_BYTES = 256 * 1_024

/** Requests to one provider, with an end. */
class Questions {
  constructor(
    private readonly env: Env,
    private readonly fetch: Fetch,
    private readonly title: string,
  ) {}

  async token(
    url: string,
    id: string,
    secret: string,
    { code, verifier, returnTo }: { code: string; verifier: string; returnTo: string },
  ): Promise<string> {
    const body = new URLSearchParams({
      ...{ grant_type: 'authorization_code', client_id: id, client_secret: secret },
      ...{ code, code_verifier: verifier, redirect_uri: returnTo },
    })
    const headers = { accept: 'application/json', 'content-type': 'application/x-www-form-urlencoded' }
    const { access_token } = await this.ask(url, { method: 'POST', headers, body: body.toString() }, Token)
    return access_token
  }

  json<T extends TSchema>(url: string, token: string | null, schema: T): Promise<Static<T>> {
    const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` }
    return this.ask(url, { headers: { accept: 'application/json', 'user-agent': 'gpuhub', ...authorization } }, schema)
  }

  private async ask<T extends TSchema>(url: string, init: RequestInit, schema: T): Promise<Static<T>> {
    const late = new AbortController()
    const cancel = this.env.timer(WAIT_MS, () => late.abort(new Error(`no answer within ${WAIT_MS} ms`)))
    try {
      const response = await this.fetch(url, { ...init, redirect: 'error', signal: late.signal })
      const text = await limited(response)
      if (!response.ok) throw new Error(`${new URL(url).pathname} answered ${response.status}`)
      const value: unknown = JSON.parse(text)
      if (!Value.Check(schema, value)) throw new Error(`${new URL(url).pathname} answered in another form`)
      return value
    } catch (error) {
      throw new HubError(
        'upstream_error',
        `${this.title} could not tell who you are. Nothing was changed. Try again.`,
        {
          cause: error,
        },
      )
    } finally {
      cancel()
    }
  }
}

async function limited(response: Response): Promise<string> {
  const parts: Uint8Array[] = []
  let length = 0
  for await (const part of response.body ?? []) {
    length += part.length
    if (length > MOST_BYTES) throw new Error('the answer is too long')
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function common(id: string, { state, challenge, returnTo }: { state: string; challenge: string; returnTo: string }) {
  return {
    ...{ response_type: 'code', client_id: id, redirect_uri: returnTo, state },
    ...{ code_challenge: challenge, code_challenge_method: 'S256' },
  }
}

function address(endpoint: string, query: Record<string, string>): string {
  const url = new URL(endpoint)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
  return url.href
}

function unverified(title: string): HubError {
  return new HubError(
    'wrong_credentials',
    `Your account at ${title} has no verified address. Verify one there, or sign up with an address and a password.`,
  )
}
