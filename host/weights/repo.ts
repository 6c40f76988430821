// What a repository holds at one commit, and which of it an engine needs.
import { type Static, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { HostError } from '../errors.ts'
import { get, type Source, waitForBetter, Weather } from './source.ts'

/** One file, and how its content is known: by SHA-256 where it is large, else by git's own hash. */
export interface RepoFile {
  path: string
  bytes: number
  sha256: string | null
  gitOid: string
}

export interface Repo {
  repo: string
  /** The commit, 40 hex digits. */
  revision: string
  files: RepoFile[]
}

const MOST_FILES = 10_000
const LIST_MS = 60_000
const MOST_BYTES = 16 * 1024 * 1024

const Info = Type.Object({
  sha: Type.String({ pattern: '^[0-9a-f]{40}$' }),
  siblings: Type.Array(
    Type.Object({
      rfilename: Type.String({ maxLength: 500 }),
      size: Type.Optional(Type.Integer({ minimum: 0 })),
      blobId: Type.Optional(Type.String({ pattern: '^[0-9a-f]{40}$' })),
      lfs: Type.Optional(
        Type.Object({ sha256: Type.String({ pattern: '^[0-9a-f]{64}$' }), size: Type.Integer({ minimum: 0 }) }),
      ),
    }),
    { maxItems: MOST_FILES },
  ),
})

interface Wanted {
  repo: string
  /** Null: what `main` is at now, pinned from here on. */
  revision: string | null
}

/** @throws HostError */
export async function readRepo(source: Source, wanted: Wanted, signal: AbortSignal): Promise<Repo> {
  for (let tries = 1; ; tries++) {
    try {
      return await askRepo(source, wanted, signal)
    } catch (error) {
      await waitForBetter(source, tries, error, signal)
    }
  }
}

async function askRepo(source: Source, { repo, revision }: Wanted, signal: AbortSignal): Promise<Repo> {
  if (!/^[\w.-]{1,96}\/[\w.-]{1,96}$/.test(repo)) throw new HostError(`"${repo.slice(0, 80)}" is no repository.`)
  const path = `/api/models/${repo}/revision/${encodeURIComponent(revision ?? 'main')}?blobs=true`
  const late = new AbortController()
  const cancel = source.env.timer(LIST_MS, () => late.abort(new Weather('it does not answer')))
  const either = AbortSignal.any([signal, late.signal])
  const info = await get(source, { path, repo, signal: either }).then(limited).then(parsed).finally(cancel)
  if (!Value.Check(Info, info)) throw new HostError(`${source.endpoint} does not list ${repo} as HuggingFace does.`)
  if (revision !== null && info.sha !== revision)
    throw new HostError(`${source.endpoint} has another commit of ${repo} than the one asked for.`)
  return { repo, revision: info.sha, files: info.siblings.flatMap(known) }
}

function known({ rfilename, size, blobId, lfs }: Static<typeof Info>['siblings'][number]): RepoFile[] {
  if (blobId === undefined || size === undefined) return []
  return [{ path: rfilename, bytes: lfs?.size ?? size, sha256: lfs?.sha256 ?? null, gitOid: blobId }]
}

/** Configuration, tokenizer, chat template. Formats that can hold programs (.bin, .pt, .py) are not among them. */
const BESIDES =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|params|tekken|preprocessor_config|processor_config|chat_template|quantization_config|quantize_config|hf_quant_config|recipe|model\.safetensors\.index|consolidated\.safetensors\.index)\.(json|jinja|yaml)$|^(merges\.txt|tokenizer\.model|chat_template\.jinja|LICENSE(\.\w+)?|NOTICE(\.\w+)?|USAGE_POLICY)$/

/**
 * The files to download, small ones first: what is wrong shows before the long wait. `args` are the engine's flags:
 * Mistral publishes the weights twice, and they say which form is read. @throws HostError
 */
export function filesToServe({ repo, files }: Repo, args: readonly string[]): RepoFile[] {
  const plain = files.filter(({ path }) => /^[\w][\w.-]{0,200}$/.test(path))
  const weights = plain.filter(({ path }) => path.endsWith('.safetensors'))
  const mistrals = (path: string) => path.startsWith('consolidated')
  const wanted = args.some((word, at) => word === 'mistral' && /^--(load|config)[-_]format$/.test(args[at - 1] ?? ''))
  const both = weights.some(({ path }) => mistrals(path)) && weights.some(({ path }) => !mistrals(path))
  const chosen = both ? weights.filter(({ path }) => mistrals(path) === wanted) : weights
  if (chosen.length === 0)
    throw new HostError(`${repo} has no weights in safetensors format, the only one that cannot hold programs.`)
  const besides = plain.filter(({ path }) => BESIDES.test(path))
  return [...besides, ...chosen].sort((a, b) => a.bytes - b.bytes)
}

async function limited(response: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes, { stream: true })
    if (text.length > MOST_BYTES) throw new HostError('The list of files is too long to be one.')
  }
  return text
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
