// Models that the team brought here: read from HuggingFace at one commit, judged, and kept in the database, tokenizer and
// all, so that every hub of a deployment has the same and none needs HuggingFace again.
import { eq, inArray } from 'drizzle-orm'
import type { Db, Queries } from '../../db/open.ts'
import { transaction } from '../../db/transaction.ts'
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { type Actor, record } from '../policy/acts.ts'
import { type Composed, compose, type Json } from './compose.ts'
import { bring, findOffer } from './find.ts'
import { type Library, readRepository, readText, type Repository } from './huggingface.ts'
import type { ImportedTokenizer, ModelRecord } from './records.ts'

export const MOST_IMPORTS = 200
/** The largest known are half of it. */
const MOST_TOKENIZER_BYTES = 40 * 1024 * 1024
const MOST_CONFIG_BYTES = 2 * 1024 * 1024
const MOST_BASES = 3

/** What a tokenizer is made of. */
export interface TokenizerFiles {
  /** `tokenizer.json`, as it came. */
  tokenizer: string
  /** The part of `tokenizer_config.json` that is needed, with the chat template. */
  config: Json
  /** Of the model; null: it does not say. */
  vocabularySize: number | null
}

/** Makes it one text, and proves that this hub counts with it exactly. Rejects with an Error: why it cannot. */
export type ProveTokenizer = (files: TokenizerFiles) => Promise<{ name: ImportedTokenizer; packed: string }>

export interface ImportWish {
  model: string
  /** A commit, a branch or a tag; null: what `main` is at now. Pinned to the commit it is at. */
  revision: string | null
  /** Somebody has read licences that this hub does not know, and found that it may be sold under them. */
  licenceRead: boolean
}

export interface Prepared extends Composed {
  packed: string | null
}

/** What an import would bring, and what is against it. Changes nothing. @throws HubError where it cannot be read */
export async function prepareImport(
  library: Library,
  { model, revision, licenceRead }: ImportWish,
  prove: ProveTokenizer,
): Promise<Prepared> {
  const known = findOffer(model)
  if (known && !known.model.imported)
    throw new HubError('invalid_request', `${known.model.id} is in the catalog already. Enable it there.`, {
      param: 'model',
    })
  const repository = await readRepository(library, model, revision)
  const config = (await readJson(library, repository, 'config.json')) ?? {}
  const counted = await tokenizerOf(library, repository, config, prove)
  const composed = compose({
    ...{ repository, config, licenceRead, at: library.env.now(), bases: await basesOf(library, repository) },
    ...{ tokenizerConfig: counted.config, tokenizer: counted.name, uncountable: counted.why },
  })
  return { ...composed, packed: counted.packed }
}

/** Keeps what was prepared; hosts and clients see it once it is enabled. @throws HubError with all that is against it */
export async function keepImport(env: Env, db: Db, by: Actor, prepared: Prepared): Promise<ModelRecord> {
  const { record: model, against, packed } = prepared
  if (against.length > 0)
    throw new HubError('invalid_request', `${model.id} cannot be imported. ${against.join(' ')}`, { param: 'model' })
  const { imports, tokenizers } = db.tables
  const { tokenizer } = model
  if (packed === null || tokenizer === null) throw new Error('what cannot be counted is never kept')
  await transaction(db, async (tx) => {
    const [before] = await tx.select().from(imports).where(eq(imports.model, model.id))
    if (!before && (await tx.$count(imports)) >= MOST_IMPORTS)
      throw new HubError(
        'invalid_request',
        `There are ${MOST_IMPORTS} imported models already, which is all there may be.`,
      )
    await tx.insert(tokenizers).values({ id: tokenizer, packed, at: env.now() }).onConflictDoNothing()
    const row = { model: model.id, record: model, changedAt: env.now() }
    await tx.insert(imports).values(row).onConflictDoUpdate({ target: imports.model, set: row })
    await act(env, db, tx, by, model, before?.record as ModelRecord | undefined)
  })
  bring(model)
  return model
}

function act(env: Env, db: Db, tx: Queries, by: Actor, model: ModelRecord, before: ModelRecord | undefined) {
  const shown = (each: ModelRecord) => `${each.variants[0].precision} at ${each.variants[0].revision}`
  return record(env, db, tx, {
    ...{ by, what: 'model.import', subject: model.id },
    ...{ before: before ? shown(before) : null, after: shown(model) },
  })
}

/** Imported models, brought into this process's catalog: those that are new to it, or another since. */
export class Imports {
  /** When each changed that is here. */
  private readonly known = new Map<string, number>()

  constructor(private readonly db: Db) {}

  async refresh(): Promise<void> {
    const { imports } = this.db.tables
    const all = await this.db.query.select({ model: imports.model, changedAt: imports.changedAt }).from(imports)
    const news = all.filter(({ model, changedAt }) => this.known.get(model) !== changedAt).map(({ model }) => model)
    if (news.length === 0) return
    const rows = await this.db.query.select().from(imports).where(inArray(imports.model, news))
    for (const { model, record: its, changedAt } of rows) {
      // Written by `keepImport` alone.
      bring(its as ModelRecord)
      this.known.set(model, changedAt)
    }
  }
}

/** Of these tokenizers, by name, as they are kept. */
export async function readTokenizers(db: Db, names: readonly string[]): Promise<Map<string, string>> {
  if (names.length === 0) return new Map()
  const { tokenizers } = db.tables
  const rows = await db.query
    .select()
    .from(tokenizers)
    .where(inArray(tokenizers.id, [...names]))
  return new Map(rows.map(({ id, packed }) => [id, packed]))
}

interface Counted {
  name: ImportedTokenizer | null
  packed: string | null
  config: Json | null
  why: string | null
}

async function tokenizerOf(
  library: Library,
  repository: Repository,
  config: Json,
  prove: ProveTokenizer,
): Promise<Counted> {
  const none = (why: string, its: Json | null = null): Counted => ({ name: null, packed: null, config: its, why })
  const settings = await readJson(library, repository, 'tokenizer_config.json')
  const text = await readText(library, repository, 'tokenizer.json', MOST_TOKENIZER_BYTES)
  if (text === null || settings === null)
    return none(
      'It has no tokenizer.json with a tokenizer_config.json, by which its tokens could be counted.',
      settings,
    )
  const template =
    (await readText(library, repository, 'chat_template.jinja', MOST_CONFIG_BYTES)) ?? templateOf(settings)
  if (template === null)
    return none('It has no chat template, so nobody could say what a conversation is in its tokens.', settings)
  const { bos_token: bos, eos_token: eos, add_bos_token: addBos } = settings
  const its = {
    chat_template: template,
    bos_token: tokenOf(bos),
    eos_token: tokenOf(eos),
    add_bos_token: addBos === true,
  }
  const size = typeof config.vocab_size === 'number' ? config.vocab_size : null
  try {
    return { ...(await prove({ tokenizer: text, config: its, vocabularySize: size })), config: settings, why: null }
  } catch (error) {
    const why = String(error instanceof Error ? error.message : error).slice(0, 200)
    return none(`This hub cannot count its tokens exactly: ${why}`, settings)
  }
}

/** Several templates may be named: the one for conversations is called default. */
function templateOf({ chat_template: given }: Json): string | null {
  if (typeof given === 'string') return given
  const named = Array.isArray(given) ? (given as Json[]).find(({ name }) => name === 'default') : undefined
  return typeof named?.template === 'string' ? named.template : null
}

function tokenOf(value: unknown): string | null {
  const content = typeof value === 'object' && value !== null ? (value as Json).content : value
  return typeof content === 'string' ? content : null
}

/** What it derives from, and under which licence: nearest first, not further than three steps. */
async function basesOf(library: Library, repository: Repository): Promise<{ id: string; licence: string | null }[]> {
  const bases: { id: string; licence: string | null }[] = []
  let next = repository.bases
  while (next.length > 0 && bases.length < MOST_BASES) {
    const [id] = next
    if (id === undefined || bases.some((base) => base.id === id)) break
    // One that is gone, or gated, has a licence all the same; nobody here knows which.
    const base = await readRepository(library, id, null).catch(() => null)
    bases.push({ id, licence: base?.licence === 'other' ? base.licenceName : (base?.licence ?? null) })
    next = [...next.slice(1), ...(base?.bases ?? [])]
  }
  return bases
}

async function readJson(library: Library, repository: Repository, path: string): Promise<Json | null> {
  const text = await readText(library, repository, path, MOST_CONFIG_BYTES)
  return text === null ? null : jsonOf(text)
}

function jsonOf(text: string): Json {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Json) : {}
  } catch {
    return {}
  }
}
