// A HuggingFace of one's own: the two addresses the downloader asks, with ranges, redirects to a storage under another
// name, gates, and everything that goes wrong with the real one.
import { createHash } from 'node:crypto'

export interface FakeFile {
  path: string
  content: Uint8Array
  /** Kept outside git, as everything large is. */
  lfs?: boolean
}

export interface FakeRepo {
  name: string
  revision: string
  files: FakeFile[]
  gated?: boolean
  /** What its card says, and how many parameters its weights have. */
  card?: { license?: string; license_name?: string; license_link?: string; base_model?: string | string[] }
  parameters?: number
}

/** What befalls the next answers for content. */
export interface Trouble {
  /** The connection is reset after so many bytes. */
  resetAfter?: number
  /** So many bytes come, then nothing. */
  stallAfter?: number
  /** One byte is another. */
  damage?: boolean
  status?: number
  retryAfter?: string
  ignoresRanges?: boolean
}

export interface Served {
  path: string
  start: number
  /** First byte that was not sent any more. */
  end: number
}

export const TOKEN = 'hf_test'
export const REVISION = '9c925d64d72bb0d0c3b1a5a0ed0a3c4a5f6e7d8c'

export function startHuggingFace(repos: FakeRepo[], { bytesPerSecond = Number.POSITIVE_INFINITY } = {}) {
  const served: Served[] = []
  const authorizations: { host: string; value: string | null }[] = []
  const troubles: Trouble[] = []
  let permanent: Trouble = {}

  const find = (path: string) =>
    repos.flatMap((repo) =>
      path.startsWith(`/${repo.name}/`) || path.startsWith(`/api/models/${repo.name}/`) ? [repo] : [],
    )[0]

  const site = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    development: false,
    idleTimeout: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      const authorization = request.headers.get('authorization')
      authorizations.push({ host: 'site', value: authorization })
      const repo = find(pathname)
      if (!repo) return refused(401, 'RepoNotFound', 'Repository not found')
      if (pathname.startsWith('/api/')) return listing(repo, pathname)
      if (repo.gated && authorization === null) return refused(401, 'GatedRepo', 'Access to this model is restricted.')
      if (repo.gated && authorization !== `Bearer ${TOKEN}`) return refused(403, 'GatedRepo', 'Not in the list.')
      const found = fileOf(repo, pathname)
      if (!found) return refused(404, 'EntryNotFound', 'Entry not found')
      if (!found.lfs) return content(found, request)
      // A signed address that works for a while, at another host.
      return new Response(null, {
        status: 302,
        headers: {
          location: `http://localhost:${storage.port}${pathname}?signature=x`,
          'x-repo-commit': repo.revision,
        },
      })
    },
  })
  const storage = Bun.serve({
    port: 0,
    development: false,
    idleTimeout: 0,
    fetch(request) {
      const { pathname } = new URL(request.url)
      authorizations.push({ host: 'storage', value: request.headers.get('authorization') })
      const repo = find(pathname)
      const found = repo && fileOf(repo, pathname)
      return found ? content(found, request) : new Response(null, { status: 404 })
    },
  })

  function content(file: FakeFile, request: Request): Response {
    const trouble = troubles.shift() ?? permanent
    if (trouble.status !== undefined) {
      const headers: Record<string, string> =
        trouble.retryAfter === undefined ? {} : { 'retry-after': trouble.retryAfter }
      return new Response('busy', { status: trouble.status, headers })
    }
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get('range') ?? '')
    const partial = range !== null && !trouble.ignoresRanges
    const start = partial ? Number(range[1]) : 0
    const end = partial ? Math.min(Number(range[2]) + 1, file.content.length) : file.content.length
    const record: Served = { path: file.path, start, end: start }
    served.push(record)
    const whole = file.content.slice(start, end)
    if (trouble.damage && whole.length > 0) whole[0] = (whole[0] ?? 0) ^ 1
    const headers: Record<string, string> = { etag: `"${sha256(file.content)}"`, 'accept-ranges': 'bytes' }
    if (partial) headers['content-range'] = `bytes ${start}-${end - 1}/${file.content.length}`
    return new Response(paced(whole, trouble, record), { status: partial ? 206 : 200, headers })
  }

  /** Not a source that is pulled: what was sent is what went into it. */
  function paced(bytes: Uint8Array, trouble: Trouble, record: Served): ReadableStream<Uint8Array> {
    const pieceBytes = 16 * 1024
    let sent = 0
    return new ReadableStream<Uint8Array>({
      type: 'direct',
      async pull(controller: Direct) {
        while (sent < bytes.length) {
          const limit = trouble.resetAfter ?? trouble.stallAfter ?? Number.POSITIVE_INFINITY
          if (sent >= limit) {
            if (trouble.resetAfter !== undefined) return controller.close(new Error('reset'))
            return new Promise<void>(() => {})
          }
          const piece = bytes.subarray(sent, Math.min(sent + pieceBytes, sent + (limit - sent)))
          controller.write(piece)
          await controller.flush()
          sent += piece.length
          record.end = record.start + sent
          if (Number.isFinite(bytesPerSecond)) await Bun.sleep((piece.length / bytesPerSecond) * 1_000)
        }
        controller.close()
      },
    } as unknown as UnderlyingDefaultSource<Uint8Array>)
  }

  return {
    url: site.url.origin,
    served,
    authorizations,
    /** The next answer for content goes so; further ones queue. */
    next: (trouble: Trouble) => void troubles.push(trouble),
    always: (trouble: Trouble) => void (permanent = trouble),
    async close() {
      await Promise.all([site.stop(true), storage.stop(true)])
    },
  }
}

/** What Bun hands to streams that write themselves. */
interface Direct {
  write(bytes: Uint8Array): unknown
  flush(): Promise<unknown>
  close(error?: Error): unknown
}

function fileOf({ files }: FakeRepo, pathname: string): FakeFile | undefined {
  const path = /\/resolve\/[0-9a-f]{40}\/(.+)$/.exec(pathname)?.[1]
  return files.find((file) => path !== undefined && file.path === decodeURIComponent(path))
}

function listing(repo: FakeRepo, pathname: string): Response {
  const asked = pathname.split('/revision/')[1]
  if (asked !== 'main' && asked !== repo.revision) return refused(404, 'RevisionNotFound', 'Invalid rev id')
  return Response.json({
    ...{ id: repo.name, sha: repo.revision, gated: repo.gated ? 'manual' : false },
    ...{ createdAt: '2026-09-01T10:00:00.000Z', cardData: repo.card, tags: ['text-generation'] },
    ...(repo.parameters === undefined ? {} : { safetensors: { total: repo.parameters } }),
    siblings: repo.files.map(({ path, content, lfs }) => ({
      ...{ rfilename: path, size: content.length, blobId: gitOid(content) },
      ...(lfs ? { lfs: { sha256: sha256(content), size: content.length, pointerSize: 135 } } : {}),
    })),
  })
}

function refused(status: number, code: string, message: string): Response {
  return new Response(message, { status, headers: { 'x-error-code': code, 'x-error-message': message } })
}

const known = new WeakMap<Uint8Array, string>()

export function sha256(content: Uint8Array): string {
  const hash = known.get(content) ?? createHash('sha256').update(content).digest('hex')
  known.set(content, hash)
  return hash
}

const names = new WeakMap<Uint8Array, string>()

function gitOid(content: Uint8Array): string {
  const oid = names.get(content) ?? createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex')
  names.set(content, oid)
  return oid
}

/** Bytes that differ everywhere, the same each time. */
export function madeUp(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = seed >>> 0
  for (let at = 0; at < length; at += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
    bytes[at + 1] = state >>> 16
    bytes[at + 2] = state >>> 8
    bytes[at + 3] = state
  }
  return bytes
}

export function smallRepo(weightBytes: number, more: Partial<FakeRepo> = {}): FakeRepo {
  const text = (words: string) => new TextEncoder().encode(words)
  return {
    name: 'Qwen/Qwen3-8B',
    revision: REVISION,
    files: [
      { path: 'README.md', content: text('# Qwen3') },
      { path: 'config.json', content: text('{"model_type":"qwen3"}') },
      { path: 'tokenizer.json', content: text('{"model":{}}') },
      { path: 'modeling_qwen3.py', content: text('import os') },
      { path: 'pytorch_model.bin', content: text('pickle'), lfs: true },
      { path: 'model.safetensors', content: madeUp(weightBytes), lfs: true },
    ],
    ...more,
  }
}
