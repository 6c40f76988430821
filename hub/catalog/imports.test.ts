import { beforeAll, describe, expect, setDefaultTimeout, test } from 'bun:test'
import { testDatabase, testDialects } from '../../db/testing.ts'
import { type FakeRepo, REVISION, sha256, startHuggingFace, TOKEN } from '../../host/weights/testing/hub.ts'
import type { CatalogPage } from '../../sdk/catalog.ts'
import { systemEnv } from '../../sdk/env.ts'
import type { ModelList } from '../../sdk/openai.ts'
import { until } from '../../sdk/testing.ts'
import { countPrompt } from '../metering/count.ts'
import { proveBeside, proveTokenizer } from '../metering/prove.ts'
import { handTokenizer, isImported } from '../metering/tokenizers.ts'
import { listActs } from '../policy/acts.ts'
import { startHub } from '../testing.ts'
import { compose, type Ingredients } from './compose.ts'
import { findOffer, whyNot } from './find.ts'
import { type ImportWish, keepImport, type Prepared, prepareImport, type TokenizerFiles } from './imports.ts'
import { effectiveClass } from './licence.ts'
import { decide } from './offers.ts'
import { type Changes, QWEN_CONFIG, tinyBase, tinyQwen } from './testing/models.ts'

setDefaultTimeout(60_000)

const wish: ImportWish = { model: 'acme/Tiny-Qwen', revision: null, licenceRead: false }

async function prepared(repos: FakeRepo[], more: Partial<ImportWish> = {}, token = ''): Promise<Prepared> {
  const site = startHuggingFace(repos)
  try {
    const library = { env: systemEnv, endpoint: site.url, token }
    return await prepareImport(library, { ...wish, ...more }, prove)
  } finally {
    await site.close()
  }
}

const prove = async (files: TokenizerFiles) => proveTokenizer(files)

const refusal = (work: Promise<unknown>) => work.then(() => 'taken').catch((error: unknown) => String(error))
const conversation = (content: string) => ({
  kind: 'chat' as const,
  chat: { messages: [{ role: 'user' as const, content }] },
})

let tiny: Prepared
beforeAll(async () => {
  const site = startHuggingFace([tinyQwen({ whole: true }), tinyBase()])
  tiny = await prepareImport({ env: systemEnv, endpoint: site.url, token: '' }, wish, proveBeside(systemEnv))
  await site.close()
})

describe('a model that the catalog lacks', () => {
  test('is described as one that it has: pinned, counted, licensed, with what it needs', () => {
    const { record, against } = tiny
    expect(against).toEqual([])
    expect(record).toMatchObject({
      ...{ id: 'acme/Tiny-Qwen', name: 'Tiny-Qwen', ownedBy: 'acme', created: 1_788_256_800, gated: false },
      ...{ parameters: { total: 60_000, active: 60_000 }, weightBytes: 120_000, contextTokens: 40_960 },
      licence: { name: 'Apache-2.0', url: 'https://huggingface.co/acme/Tiny-Qwen' },
      bases: [{ id: 'acme/Tiny-Base', licence: 'MIT' }],
      defaultOn: false,
    })
    expect(record.variants).toMatchObject([
      {
        ...{ repo: 'acme/Tiny-Qwen', revision: REVISION, precision: 'bf16', minVramGb: 2, minComputeCapability: 8 },
        ...{ contextTokens: 32_768, maxOutputTokens: 8_192, downloadBytes: 120_000 },
      },
    ])
    const weights = record.imported?.files.find(({ path }) => path === 'model.safetensors')
    expect(weights).toEqual({
      ...{ path: 'model.safetensors', bytes: 120_000 },
      sha256: sha256(tinyQwen().files.at(-1)!.content),
    })
  })

  test('is counted to the token as its own tokenizer counts', () => {
    const { tokenizer } = tiny.record
    if (tokenizer && isImported(tokenizer)) handTokenizer(tokenizer, tiny.packed!)
    for (const text of ['Hello', 'Ünïcödé 你好 🎉', '<|im_start|>system', 'x'.repeat(5_000)]) {
      const own = countPrompt(tiny.record.tokenizer!, conversation(text))
      expect(own).toEqual(countPrompt('qwen3', conversation(text)))
    }
  })

  test.each<[string, Changes, string]>([
    [
      'weights that can hold programs',
      { repo: { files: tinyQwen().files.filter(({ path }) => path !== 'model.safetensors') } },
      'safetensors',
    ], // prettier-ignore
    [
      'programs of its own',
      { config: { auto_map: { AutoModel: 'modeling_x.X' } }, files: { 'modeling_x.py': 'import os' } },
      'programs of its own (modeling_x.py)',
    ], // prettier-ignore
    ['an architecture nobody serves', { config: { architectures: ['MambaForCausalLM'] } }, 'MambaForCausalLM'],
    ['no architecture', { config: { architectures: null } }, 'names no architecture'],
    ['weights of 32 bits', { config: { torch_dtype: 'float32' } }, 'Its weights are float32'],
    [
      'an unknown quantization',
      { config: { quantization_config: { quant_method: 'bitsandbytes' } } },
      'quantized by bitsandbytes',
    ], // prettier-ignore
    ['no context', { config: { max_position_embeddings: null } }, 'how long a context'],
    ['no tokenizer', { files: { 'tokenizer.json': null } }, 'no tokenizer.json'],
    [
      'a tokenizer of another kind',
      { files: { 'tokenizer.json': '{"model":{"type":"Unigram"},"added_tokens":[]}' } },
      'cannot count its tokens exactly',
    ], // prettier-ignore
    ['tokens beyond its vocabulary', { config: { vocab_size: 100 } }, 'beyond the model’s vocabulary of 100'],
    ['no chat template', { files: { 'tokenizer_config.json': '{}' } }, 'no chat template'],
    [
      'a template that leaves out what was said',
      { files: { 'chat_template.jinja': 'Hello.' } },
      'leaves out what was said',
    ], // prettier-ignore
    ['no licence', { repo: { card: {} } }, 'Nobody here has read'],
    [
      'a licence nobody has read',
      { repo: { card: { license: 'other', license_name: 'acme-1' } } },
      'LicenseRef-acme-1 (its own)',
    ], // prettier-ignore
    ['a licence against commerce', { repo: { card: { license: 'cc-by-nc-4.0' } } }, 'forbids'],
  ])('with %s is refused, and the reason is said', async (_, changes, why) => {
    const { against } = await prepared([tinyQwen(changes), tinyBase()])
    expect(against.join(' ')).toContain(why)
  })

  test('takes the licence of what it derives from; one nobody can name is read by a person, or refused', async () => {
    const llama = await prepared([tinyQwen(), tinyBase({ license: 'llama3.1' })])
    expect(llama.against).toEqual([])
    expect([effectiveClass(llama.record), llama.record.attribution]).toEqual(['B', ['Built with Llama']])
    expect(llama.record.statements.length).toBeGreaterThan(0)
    const gone = [tinyQwen()]
    expect((await prepared(gone)).against.join()).toContain('unknown (acme/Tiny-Base)')
    const read = await prepared(gone, { licenceRead: true })
    expect([read.against, effectiveClass(read.record)]).toEqual([[], 'B'])
    expect(read.record.statements).toMatchObject([{ id: 'licence_read' }])
    const research = [tinyQwen(), tinyBase({ license: 'other', license_name: 'mrl' })]
    expect((await prepared(research, { licenceRead: true })).against.join()).toContain('forbids')
  })

  test('cannot be one of the catalog’s own, nor one that is not there, nor one nobody may read', async () => {
    expect(await refusal(prepared([], { model: 'Qwen/Qwen3-8B' }))).toContain('in the catalog already')
    expect(await refusal(prepared([], { model: 'not a name' }))).toContain('like Qwen/Qwen3-8B')
    expect(await refusal(prepared([]))).toContain('no public model acme/Tiny-Qwen')
    expect(await refusal(prepared([tinyQwen()], { revision: 'f'.repeat(40) }))).toContain('no such revision')
    const gated = [tinyQwen({ repo: { gated: true } }), tinyBase()]
    expect(await refusal(prepared(gated))).toContain('HF_TOKEN')
    expect((await prepared(gated, {}, TOKEN)).record.gated).toBe(true)
  })
})

test('the token of a hub is shown to HuggingFace alone, not to where it sends for large files', async () => {
  const site = startHuggingFace([tinyQwen({ whole: true, repo: { gated: true } }), tinyBase()])
  await prepareImport({ env: systemEnv, endpoint: site.url, token: TOKEN }, wish, prove)
  await site.close()
  const seen = (host: string) =>
    new Set(site.authorizations.filter((each) => each.host === host).map(({ value }) => value))
  expect([seen('site'), seen('storage')]).toEqual([new Set([`Bearer ${TOKEN}`]), new Set([null])])
})

describe('what a record says of', () => {
  const from = (config: object, more: Partial<Ingredients['repository']> = {}): Ingredients => ({
    repository: {
      ...{
        id: 'acme/X',
        revision: REVISION,
        licence: 'mit',
        licenceName: null,
        licenceLink: null,
        bases: [],
        gated: false,
      },
      ...{ parameters: 8_200_000_000, created: 0 },
      files: [{ path: 'model.safetensors', bytes: 16_381_470_720, sha256: null }],
      ...more,
    },
    config: { ...QWEN_CONFIG, ...config },
    ...{ tokenizerConfig: null, tokenizer: 'qwen3', uncountable: null, bases: [], licenceRead: false, at: 0 },
  })

  test.each<[object, string, number | null]>([
    [{ torch_dtype: 'bfloat16' }, 'bf16', 8],
    [{ torch_dtype: 'float16' }, 'fp16', 7],
    [{ quantization_config: { quant_method: 'awq', bits: 4 } }, 'awq', 7.5],
    [{ quantization_config: { quant_method: 'gptq', bits: 4 } }, 'gptq-int4', 7.5],
    [{ quantization_config: { quant_method: 'fp8' } }, 'fp8', 8.9],
    [{ quantization_config: { quant_method: 'compressed-tensors', format: 'pack-quantized' } }, 'int4', 7.5],
    [{ quantization_config: { quant_method: 'compressed-tensors', format: 'nvfp4-pack-quantized' } }, 'nvfp4', 12],
  ])('%j is a precision and the cards that can do it', (config, precision, capability) => {
    const [variant] = compose(from(config)).record.variants
    expect([variant.precision, variant.minComputeCapability]).toEqual([precision, capability])
  })

  test('a model that is in the catalog comes out as the catalog has it', () => {
    const { record } = compose(from({}))
    const [own] = findOffer('Qwen/Qwen3-8B')!.model.variants
    const { minVramGb, startPrice, contextTokens } = record.variants[0]
    expect({ minVramGb, contextTokens }).toEqual({ minVramGb: own.minVramGb, contextTokens: own.contextTokens })
    expect(startPrice.completionPicos / own.startPrice.completionPicos).toBeCloseTo(0.9, 1)
  })

  test('experts at rest do not work, but take their room', () => {
    const moe = {
      ...{ num_hidden_layers: 48, hidden_size: 2_048, moe_intermediate_size: 768, num_experts: 128 },
      num_experts_per_tok: 8,
    }
    const bytes = 61_064_245_248
    const files = [{ path: 'model.safetensors', bytes, sha256: null }]
    const { record } = compose(from(moe, { parameters: 30_532_122_624, files }))
    expect(record.parameters.active / 1e9).toBeCloseTo(3.35, 1)
    expect(record.variants[0].minVramGb).toBe(74)
  })
})

describe.each(testDialects)('an imported model on %s', (database) => {
  test('is off until it is enabled; then every hub sells it, and tells hosts all they need', async () => {
    await using it = await startHub({ database, credit: { ada: '$1' } })
    const { db } = it.world
    await keepImport(it.env, db, { userId: 'usr_admin' }, tiny)
    expect(whyNot(findOffer('acme/Tiny-Qwen')!)).toBeNull()
    const listed = async () =>
      ((await (await it.as('ada').fetch('/v1/models')).json()) as ModelList).data.filter(
        ({ owned_by }) => owned_by === 'acme',
      )
    await it.env.advance(1_000)
    expect(await listed()).toEqual([])

    await decide(it.env, db, { userId: 'usr_admin' }, { variant: 'acme/Tiny-Qwen:bf16', enabled: true })
    await until('it is on offer', async () => {
      await it.env.advance(1_000)
      return (await listed()).length > 0
    })
    expect((await listed())[0]).toMatchObject({ id: 'acme/Tiny-Qwen', precision: 'bf16', context_length: 32_768 })
    const { meter } = it.hub.platform
    // Counted in the worker, which has to be handed the tokenizer.
    const long = conversation('All work and no play. '.repeat(2_000))
    expect(await meter.countPrompt(tiny.record.tokenizer!, long)).toEqual(countPrompt('qwen3', long))

    const page = (await (await it.as('ada').fetch('/api/v1/catalog?limit=200')).json()) as CatalogPage
    expect(page.data.find(({ id }) => id === 'acme/Tiny-Qwen:bf16')).toMatchObject({
      ...{ onOffer: true, revision: REVISION, weightBytes: 120_000, minVramGb: 2, license: 'Apache-2.0' },
      ...{ minComputeCapability: '8.0', baseLicense: 'MIT', gated: false },
    })
    // A host serves it, and a client pays for it: at most what its own tokenizer counts.
    await it.addHost('berlin', {}, { model: 'acme/Tiny-Qwen', tokenIds: false })
    const answer = await it.as('ada').chat('Why is the sky blue?', { model: 'acme/Tiny-Qwen' })
    const { usage } = (await answer.json()) as { usage: { prompt_tokens: number; cost: number } }
    const { tokens } = countPrompt('qwen3', conversation('Why is the sky blue?'))
    expect([answer.status, usage.prompt_tokens <= tokens]).toEqual([200, true])
    expect([answer.headers.get('x-gpuhub-price-completion'), usage.cost > 0]).toEqual(['0.02', true])

    const [act] = await listActs(db, { limit: 5, subject: 'acme/Tiny-Qwen' })
    expect(act).toMatchObject({ what: 'model.import', by: { userId: 'usr_admin' }, after: `bf16 at ${REVISION}` })
  })

  test('that anything is against is not kept, and all of it is said', async () => {
    const { db, drop } = await testDatabase(database)
    const bad = { ...tiny, against: ['It has no weights.', 'Nobody has read it.'] }
    const said = await refusal(keepImport(systemEnv, db, 'command line', bad))
    expect(said).toContain('cannot be imported. It has no weights. Nobody has read it.')
    expect(await db.query.$count(db.tables.imports)).toBe(0)
    await drop()
  })
})
