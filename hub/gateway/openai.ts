// The OpenAI-compatible door: which addresses it answers, and how a refusal looks there.
import { newId } from '../../sdk/env.ts'
import { asHubError, errorBody, errorHeaders } from '../errors.ts'
import type { Ask } from './ask.ts'
import { Cancelled } from './attempts.ts'
import { type Call, complete } from './complete.ts'
import { type Connection, IDLE_SECONDS } from './connection.ts'
import type { Gateway } from './gateway.ts'
import { apiHeaders, preflight } from './headers.ts'
import { logInternal } from './log-internal.ts'
import { allow } from './methods.ts'
import { listModels, retrieveModel } from './models.ts'
import { anybody } from './who.ts'

type Route = { name: Ask['format'] } | { name: 'models' } | { name: 'model'; id: string }

/** Base addresses people give their clients. `https://HUB/v1` is the documented one. */
const BASES = ['/v1/v1', '/openai/v1', '/api/v1', '/v1', '']

/**
 * What the door is asked for; null: somebody else's address. Only an exact match counts, never a prefix. Without a
 * base, the addresses of models are pages for whoever reads HTML.
 */
export function inferenceRoute(pathname: string, { headers }: Pick<Request, 'headers'>): Route | null {
  for (const base of BASES) {
    if (!pathname.startsWith(`${base}/`)) continue
    if (base === '' && headers.get('accept')?.includes('text/html')) continue
    const rest = pathname.slice(base.length).replace(/(.)\/$/, '$1')
    if (rest === '/chat/completions') return { name: 'chat' }
    if (rest === '/completions') return { name: 'completion' }
    if (rest === '/models') return { name: 'models' }
    const id = /^\/models\/([^?]+)$/.exec(rest)?.[1]
    if (id && !id.endsWith('/license/acknowledge')) return { name: 'model', id }
  }
  return null
}

/** Answers one request to the door. Never throws: a refusal is an answer too. */
export async function answerInference(
  hub: Gateway,
  route: Route,
  request: Request,
  connection: Connection,
): Promise<Response> {
  const requestId = newId(hub.env, 'req')
  if (request.method === 'OPTIONS') return preflight(request, requestId)
  try {
    if (route.name === 'models' || route.name === 'model') {
      allow(request, 'GET', 'HEAD')
      const models = (await anybody(hub, { request, connection }))?.models ?? null
      const body = route.name === 'models' ? listModels(hub, models) : retrieveModel(hub, route.id, models)
      return Response.json(body, { headers: apiHeaders(request, requestId) })
    }
    allow(request, 'POST')
    const call: Call = { request, requestId, format: route.name, connection, quota: null, first: null }
    const response = await complete(hub, call)
    // A stream watches its reader itself; a whole answer is Bun's to send, and so to cut.
    if (!isStream(response)) connection.quietFor(hub.config.stallSeconds)
    return response
  } catch (error) {
    connection.quietFor(IDLE_SECONDS)
    return refusal(hub, request, requestId, error)
  }
}

/** Any error as the answer a client gets, here and on every other API route. */
export function refusal(hub: Pick<Gateway, 'log'>, request: Request, requestId: string, error: unknown): Response {
  // Nobody is there to read it; the status is for the access log of a proxy.
  if (error instanceof Cancelled) return new Response(null, { status: 499 })
  const known = asHubError(error)
  logInternal(hub.log, requestId, known)
  const headers = { ...apiHeaders(request, requestId), ...errorHeaders(known) }
  // Bun drops what still comes of a body that was refused, and never keeps it; from one that hardly comes we hang up.
  // To hang up on a client in full flow would cost it the answer: it sees a reset before it reads.
  if (known.code === 'request_body_timeout') headers.connection = 'close'
  return Response.json(errorBody(known, requestId), { status: known.status, headers })
}

function isStream(response: Response): boolean {
  return response.headers.get('content-type')?.startsWith('text/event-stream') ?? false
}
