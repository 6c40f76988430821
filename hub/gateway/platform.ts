// The platform API, /api/v1: everything an account can ask about itself. Described by /openapi.json, which is made from
// the same schemas that check requests and answers.
import { openapi } from '@elysiajs/openapi'
import { Elysia, t } from 'elysia'
import type { Db } from '../../db/open.ts'
import {
  Acknowledgement,
  Balance,
  CreatedKey,
  DeletedKey,
  KeyPage,
  Licence,
  LicencePage,
  Me,
  NewKey,
  PageQuery,
  PricePage,
  Receipt,
  ReceiptKeyPage,
  ReceiptPage,
  UsagePage,
  UsageQuery,
} from '../../sdk/api.ts'
import { CatalogPage } from '../../sdk/catalog.ts'
import { newId } from '../../sdk/env.ts'
import type { Wish } from '../../sdk/wire/frames.ts'
import { HubError } from '../errors.ts'
import type { Bearer } from '../fleet/token.ts'
import type { Identity } from '../identity/identity.ts'
import type { Seal } from '../identity/seal.ts'
import {
  type Account,
  acknowledgeLicence,
  balance,
  createKey,
  deleteKey,
  keys,
  licences,
  me,
  prices,
  receipt,
  receiptKeys,
  receipts,
  usage,
} from './account.ts'
import { listCatalog } from './catalog.ts'
import { Connection } from './connection.ts'
import type { Releases } from './downloads.ts'
import type { Gateway } from './gateway.ts'
import { apiHeaders, preflight } from './headers.ts'
import { refusal } from './openai.ts'
import { readFields } from './people/body.ts'
import { anybody, type Caller } from './who.ts'
import { whoseAccount } from './whose.ts'

export interface Platform extends Gateway {
  db: Db
  seal: Seal
  identity: Identity
  version: string
  /** The host program, as this hub hands it out; null: it does not. */
  releases: Releases | null
  /** What describes the platform API, as OpenAPI 3. */
  apiDocument: () => Promise<unknown>
  /** Aborted when this hub stops: whatever would stay open ends. */
  stopping: AbortSignal
  /** Whose machine shows this token, proven to be its own. @throws HubError */
  hostBearer: (token: string, proof: string | null) => Promise<Bearer>
  /** Asks a linked host to drain, resume or look for an update. False: it is not linked to this hub. */
  wish: (hostId: string, wish: Wish['wish'], reason: string) => boolean
}

export function platformApi(hub: Platform) {
  return new Elysia({ prefix: '/api/v1', normalize: true })
    .derive({ as: 'scoped' }, ({ set, request }) => {
      const requestId = newId(hub.env, 'req')
      Object.assign(set.headers, apiHeaders(request, requestId))
      return { requestId }
    })
    .onError({ as: 'scoped' }, ({ code, error, request, set }) => {
      if (code === 'NOT_FOUND') return undefined
      const requestId = String(set.headers['x-request-id'] ?? newId(hub.env, 'req'))
      return refusal(hub, request, requestId, known(code, error))
    })
    .onParse({ as: 'scoped' }, ({ request }) => readFields(hub.bodies, request))
    .onTransform({ as: 'scoped' }, ({ query }) => readLimit(query))
    .options('/*', ({ request, requestId }) => preflight(request, requestId))
    .guard({}, (app) =>
      app
        .onBeforeHandle({ as: 'scoped' }, async ({ request }) => void (await anybody(hub, caller(hub, request))))
        .get('/prices', ({ query }) => prices(hub, query), {
          query: PageQuery,
          response: { 200: PricePage },
          detail: { summary: 'Prices in force', security: [] },
        })
        .get('/catalog', ({ query }) => listCatalog(hub, query), {
          query: PageQuery,
          response: { 200: CatalogPage },
          detail: { summary: 'Everything a host needs to know of every variant', security: [] },
        })
        .get('/receipts/keys', () => receiptKeys(hub), {
          response: { 200: ReceiptKeyPage },
          detail: { summary: 'Keys that receipts are signed with', security: [] },
        }),
    )
    .guard({}, (app) =>
      app
        // Before validation, so that a stranger learns nothing about what is valid.
        .derive({ as: 'scoped' }, async ({ request }): Promise<{ account: Account }> => {
          const bearer = await whoseAccount(hub, caller(hub, request))
          hub.quotas.beginPlatform(bearer)
          return { account: { ...hub, bearer } }
        })
        .get('/me', ({ account }) => me(account), {
          response: { 200: Me },
          detail: { summary: 'Who the key speaks for' },
        })
        .get('/balance', ({ account }) => balance(account), {
          response: { 200: Balance },
          detail: { summary: 'Balance' },
        })
        .get('/usage', ({ account, query }) => usage(account, query), {
          query: UsageQuery,
          response: { 200: UsagePage },
          detail: { summary: 'Usage by day, model or key' },
        })
        .get('/receipts', ({ account, query }) => receipts(account, query), {
          query: PageQuery,
          response: { 200: ReceiptPage },
          detail: { summary: 'Receipts, newest first' },
        })
        .get('/receipts/:id', ({ account, params }) => receipt(account, params.id), {
          response: { 200: Receipt },
          detail: { summary: 'One receipt' },
        })
        .get('/keys', ({ account, query }) => keys(account, query), {
          query: PageQuery,
          response: { 200: KeyPage },
          detail: { summary: 'API keys' },
        })
        .post('/keys', ({ account, body }) => createKey(account, body), {
          body: NewKey,
          response: { 200: CreatedKey },
          detail: { summary: 'Make a key; shown once' },
        })
        .delete('/keys/:id', ({ account, params }) => deleteKey(account, params.id), {
          response: { 200: DeletedKey },
          detail: { summary: 'Revoke a key' },
        })
        .get('/licences', ({ account, query }) => licences(account, query), {
          query: PageQuery,
          response: { 200: LicencePage },
          detail: { summary: 'Licences of the models on offer' },
        })
        .post(
          '/models/*',
          ({ account, params, body }) => acknowledgeLicence(account, params['*'], body?.statements ?? []),
          {
            body: t.Optional(Acknowledgement),
            response: { 200: Licence },
            detail: { summary: 'Acknowledge a licence: POST /api/v1/models/{id}/license/acknowledge' },
          },
        ),
    )
}

/** The document that describes it. */
export function apiDocument(hub: Platform) {
  return openapi({
    provider: null,
    specPath: '/openapi.json',
    documentation: {
      info: {
        title: 'gpuhub',
        version: hub.version,
        description: 'The platform API. Inference is OpenAI-compatible, under /v1.',
      },
      components: {
        securitySchemes: {
          key: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: '__Host-gpuhub', description: 'A browser that signed in.' },
          hostToken: { type: 'http', scheme: 'bearer', description: 'What a machine got at gpuhost login.' },
        },
      },
      security: [{ key: [] }],
    },
  })
}

/** A query is text; where the schema wants a number, Elysia reads it only under schemas of its own making. */
export function readLimit(query: Record<string, unknown>): void {
  if (typeof query.limit === 'string' && /^\d{1,9}$/.test(query.limit)) query.limit = Number(query.limit)
}

/** Elysia hands on the request alone; its address was noted before. */
export function caller({ identity }: Pick<Platform, 'identity'>, request: Request): Caller {
  return { request, connection: new Connection(request, undefined, identity.callers) }
}

/** Elysia's own failures as ours. */
export function known(code: string | number, error: unknown): unknown {
  if (error instanceof HubError) return error
  // What our own parser throws comes wrapped.
  if (error instanceof Error && error.cause instanceof HubError) return error.cause
  if (code === 'PARSE')
    return new HubError('invalid_json', 'The body is not valid JSON. Check quotes, commas and the encoding (UTF-8).')
  if (code !== 'VALIDATION') return error
  const failed = error as { type?: string; all?: { path?: string; summary?: string }[] }
  if (failed.type === 'response') return error
  const first = failed.all?.[0]
  const param = (first?.path ?? '').slice(1).replaceAll('/', '.')
  return new HubError(
    'invalid_request',
    `'${param || 'body'}' is not valid: ${first?.summary ?? 'see /openapi.json'}.`,
    { param: param || undefined },
  )
}
