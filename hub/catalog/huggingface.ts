// What HuggingFace says of a model at one commit. Everything it says is a stranger's word: checked here, and bounded.
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'

/** Where, and as whom, a hub reads. */
export interface Library {
  env: Env
  /** Without a slash at the end. */
  endpoint: string
  /** Of an account that has accepted the terms of gated models; empty: none. */
  token: string
}

export interface RepositoryFile {
  path: string
  bytes: number
  /** Of what is large; null: git's own hash stands for it. */
  sha256: string | null
}

export interface Repository {
  id: string
  /** The commit, 40 hex digits. */
  revision: string
  files: RepositoryFile[]
  /** As HuggingFace tags it, e.g. `apache-2.0`; null: none. */
  licence: string | null
  /** Where `licence` is `other`: what its publisher calls it, and where it says it. */
  licenceName: string | null
  licenceLink: string | null
  bases: string[]
  gated: boolean
  /** Parameters, as counted from the weights; null: it does not say. */
  parameters: number | null
  /** Seconds since 1970. */
  created: number
}

const REPOSITORY = /^[A-Za-z0-9][\w.-]{0,95}\/[A-Za-z0-9][\w.-]{0,95}$/
const COMMIT = /^[0-9a-f]{40}$/
const ANSWER_MS = 60_000
const MOST_INFO_BYTES = 8 * 1024 * 1024
const MOST_FILES = 10_000
const orNull = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const words = Type.String({ maxLength: 500 })

const Info = Type.Object({
  sha: Type.String({ pattern: COMMIT.source }),
  gated: orNull(Type.Union([Type.Boolean(), words])),
  createdAt: orNull(words),
  tags: orNull(Type.Array(Type.String(), { maxItems: 2_000 })),
  cardData: orNull(
    Type.Object({
      license: Type.Optional(Type.Unknown()),
      license_name: Type.Optional(Type.Unknown()),
      license_link: Type.Optional(Type.Unknown()),
      base_model: Type.Optional(Type.Unknown()),
    }),
  ),
  safetensors: orNull(Type.Object({ total: orNull(Type.Integer({ minimum: 0 })) })),
  siblings: Type.Array(
    Type.Object({
      rfilename: words,
      size: orNull(Type.Integer({ minimum: 0 })),
      lfs: orNull(
        Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), size: Type.Integer({ minimum: 0 }) }),
      ),
    }),
    { maxItems: MOST_FILES },
  ),
})

/** `revision` null: what `main` is at now. @throws HubError */
export async function readRepository(library: Library, id: string, revision: string | null): Promise<Repository> {
  if (!REPOSITORY.test(id))
    throw new HubError('invalid_request', 'Name a HuggingFace repository, like Qwen/Qwen3-8B.', { param: 'model' })
  if (revision !== null && !/^[\w./-]{1,100}$/.test(revision))
    throw new HubError('invalid_request', 'A revision is a commit, a branch or a tag.', { param: 'revision' })
  const path = `/api/models/${id}/revision/${encodeURIComponent(revision ?? 'main')}?blobs=true`
  const info: unknown = parsed(await get(library, id, path, MOST_INFO_BYTES))
  if (!Value.Check(Info, info))
    throw new HubError('invalid_request', `${library.endpoint} does not describe ${id} as HuggingFace does.`)
  if (revision !== null && COMMIT.test(revision) && info.sha !== revision)
    throw new HubError('invalid_request', `${library.endpoint} has another commit of ${id} than the one asked for.`)
  return repositoryOf(id, info)
}

/** A small file of it, as text; null: there is none. @throws HubError for one that is too large */
export async function readText(
  library: Library,
  { id, revision, files }: Repository,
  path: string,
  mostBytes: number,
): Promise<string | null> {
  const file = files.find((each) => each.path === path)
  if (!file) return null
  if (file.bytes > mostBytes)
    throw new HubError('invalid_request', `${path} of ${id} has ${file.bytes} bytes; at most ${mostBytes} are read.`)
  const text = await get(library, id, `/${id}/resolve/${revision}/${path}`, mostBytes)
  if (file.sha256 !== null && sha256(text) !== file.sha256)
    throw new HubError('invalid_request', `${path} of ${id} came damaged. Try again.`)
  return text
}

function repositoryOf(id: string, info: Static<typeof Info>): Repository {
  const { sha, gated, createdAt, cardData, tags, safetensors, siblings } = info
  const text = (value: unknown) => (typeof value === 'string' && value.length <= 300 ? value.trim() || null : null)
  const tagged = tags?.find((tag) => tag.startsWith('license:'))?.slice('license:'.length) ?? null
  const bases = [cardData?.base_model].flat().flatMap((base) => (typeof base === 'string' && base !== id ? [base] : []))
  const created = createdAt ? Date.parse(createdAt) : Number.NaN
  return {
    ...{ id, revision: sha, gated: gated !== undefined && gated !== null && gated !== false },
    licence: text([cardData?.license].flat()[0])?.toLowerCase() ?? tagged,
    ...{ licenceName: text(cardData?.license_name), licenceLink: text(cardData?.license_link) },
    bases: bases.filter((base) => REPOSITORY.test(base)).slice(0, 4),
    parameters: safetensors?.total ?? null,
    created: Number.isNaN(created) ? 0 : Math.floor(created / 1_000),
    files: siblings.flatMap(({ rfilename, size, lfs }) => {
      const bytes = lfs?.size ?? size
      return bytes === undefined || bytes === null ? [] : [{ path: rfilename, bytes, sha256: lfs?.sha256 ?? null }]
    }),
  }
}

async function get({ env, endpoint, token }: Library, id: string, path: string, mostBytes: number): Promise<string> {
  const late = new AbortController()
  const cancel = env.timer(ANSWER_MS, () => late.abort(new Error('it does not answer')))
  try {
    const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` }
    const response = await follow(endpoint + path, headers, late.signal)
    if (!response.ok) throw refusal(response.status, response.headers.get('x-error-code'), id)
    return await limited(response, mostBytes)
  } catch (error) {
    if (error instanceof HubError) throw error
    throw new HubError('hub_unavailable', `${endpoint} cannot be read: ${words80(error)}. Try again in a while.`, {
      cause: error,
    })
  } finally {
    cancel()
  }
}

/** To a storage at another address, which must not see the token. */
async function follow(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  const origin = new URL(url).origin
  for (let hops = 0, at = url; hops < 5; hops++) {
    const own = new URL(at).origin === origin
    const response = await fetch(at, { headers: own ? headers : {}, redirect: 'manual', signal })
    const location = response.headers.get('location')
    if (response.status < 300 || response.status > 399 || location === null) return response
    at = new URL(location, at).href
    if (!/^https?:$/.test(new URL(at).protocol)) break
  }
  throw new Error('it leads in circles')
}

async function limited(response: Response, mostBytes: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  for await (const piece of response.body ?? []) {
    bytes += piece.length
    if (bytes > mostBytes) throw new Error('its answer is too long')
    pieces.push(piece)
  }
  return new TextDecoder().decode(Buffer.concat(pieces))
}

function refusal(status: number, code: string | null, id: string): HubError {
  if (code === 'GatedRepo')
    return new HubError(
      'invalid_request',
      `${id} is gated: accept its terms on HuggingFace, and give this hub that account’s token as HF_TOKEN.`,
    )
  if (code === 'RevisionNotFound') return new HubError('invalid_request', `${id} has no such revision.`)
  if (status === 401 || status === 404)
    return new HubError('invalid_request', `HuggingFace has no public model ${id}. Is it spelt right?`)
  return new HubError('hub_unavailable', `HuggingFace answers ${status}. Try again in a while.`)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

function words80(error: unknown): string {
  return String(error instanceof Error ? error.message : error).slice(0, 80)
}
