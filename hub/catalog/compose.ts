// A catalog record made of what a repository holds: which precision it is, what it needs, whose licence binds, and every
// reason against it. Pure.
import { classOf } from './licence.ts'
import type { Repository } from './huggingface.ts'
import { catalog } from './models.ts'
import type { Base, LicenceClass, ModelRecord, TokenizerName, VariantRecord } from './records.ts'

/** `config.json` and the rest, as JSON that nobody has checked. */
export type Json = Record<string, unknown>

export interface Ingredients {
  repository: Repository
  config: Json
  /** Null: there is none. */
  tokenizerConfig: Json | null
  /** What its tokens are counted with; null: the hub cannot, and `uncountable` says why. */
  tokenizer: TokenizerName | null
  uncountable: string | null
  /** Licences of what it derives from, nearest first; null where it is not said. */
  bases: { id: string; licence: string | null }[]
  /** The team has read a licence that this hub does not know, and found that it may be sold under it. */
  licenceRead: boolean
  at: number
}

export interface Composed {
  record: ModelRecord
  /** Each a sentence with what to do, if anything; empty: it may come. */
  against: string[]
}

/** What vLLM serves as a language model, without programs from the repository. */
const ARCHITECTURES = new Set(
  `ApertusForCausalLM Cohere2ForCausalLM CohereForCausalLM Ernie4_5ForCausalLM Exaone4ForCausalLM Gemma2ForCausalLM
  Gemma3ForCausalLM GemmaForCausalLM Glm4ForCausalLM GlmForCausalLM GptOssForCausalLM GraniteForCausalLM
  GraniteMoeForCausalLM HunYuanDenseV1ForCausalLM LlamaForCausalLM MistralForCausalLM MixtralForCausalLM
  NemotronForCausalLM Olmo2ForCausalLM Olmo3ForCausalLM OlmoForCausalLM OlmoeForCausalLM Phi3ForCausalLM PhiForCausalLM
  Qwen2ForCausalLM Qwen2MoeForCausalLM Qwen3ForCausalLM Qwen3MoeForCausalLM Qwen3NextForCausalLM SeedOssForCausalLM
  SmolLM3ForCausalLM StableLmForCausalLM Starcoder2ForCausalLM`.split(/\s+/),
)

/** HuggingFace's tags for licences this hub knows by their SPDX names. */
const LICENCES: Record<string, string> = {
  'apache-2.0': 'Apache-2.0',
  mit: 'MIT',
  'llama3.1': 'LicenseRef-Llama-3.1',
  'llama3.3': 'LicenseRef-Llama-3.3',
  gemma: 'LicenseRef-Gemma',
  mrl: 'LicenseRef-Mistral-Research',
  mnpl: 'LicenseRef-Mistral-Non-Production',
  'qwen-research': 'LicenseRef-Qwen-Research',
}
const PROGRAMS = /\.py$/
/** Weights beyond this fit no machine that people have at home, or several of them. */
const MOST_WEIGHTS_BYTES = 400e9
const CONTEXT_TOKENS = 32_768
const OUTPUT_TOKENS = 8_192
const LONGEST_ID = 60

export function compose(from: Ingredients): Composed {
  const { repository, config, tokenizer, bases, licenceRead, at } = from
  const against: string[] = []
  const weights = repository.files.filter(({ path }) => /^[\w][\w.-]*\.safetensors$/.test(path))
  const weightBytes = weights.reduce((sum, { bytes }) => sum + bytes, 0)
  if (repository.id.length > LONGEST_ID)
    against.push(`Its name is longer than ${LONGEST_ID} characters, so that no host could offer it.`)
  if (weights.length === 0)
    against.push('It has no weights in safetensors format, the only one that cannot hold programs.')
  if (weightBytes > MOST_WEIGHTS_BYTES) against.push('Its weights are larger than any host here could hold.')
  against.push(...programs(from), ...architecture(config))
  const form = precisionOf(config)
  if ('why' in form) against.push(form.why)
  if (tokenizer === null) against.push(from.uncountable ?? 'This hub cannot count its tokens.')
  const contextTokens = contextOf(config)
  if (contextTokens === null) against.push('Its config.json does not say how long a context it takes.')
  const licence = licenceOf(repository)
  const chain: Base[] = bases.map(({ id, licence: name }) => ({ id, licence: spdx(name) ?? 'unknown' }))
  const decided: LicenceClass | undefined = licenceRead ? 'B' : undefined
  against.push(...licences(licence.name, chain, licenceRead))
  const total = repository.parameters ?? Math.round(weightBytes / ('bytes' in form ? form.bytes : 2))
  const duties = [licence.name, ...chain.map((base) => base.licence)].flatMap(dutiesOf)
  const statements = duties.flatMap((duty) => duty.statements)
  const unknown = [licence.name, ...chain.map((base) => base.licence)].some((name) => classOf(name) === 'C')
  if (licenceRead && unknown)
    statements.push({
      id: 'licence_read',
      text: `I have read the licence of ${repository.id} and of what it derives from, and keep to them.`,
    })
  const model = {
    id: repository.id,
    name: repository.id.slice(repository.id.indexOf('/') + 1),
    ownedBy: repository.id.slice(0, repository.id.indexOf('/')),
    created: repository.created,
    parameters: { total, active: activeOf(config, total) },
    // What is recorded there is the model in bf16; the variant says what this repository is.
    weightBytes: 'precision' in form && form.precision === 'bf16' ? weightBytes : null,
    contextTokens: contextTokens ?? 0,
    tokenizer,
    licence,
    bases: chain,
    attribution: [...new Set(duties.flatMap((duty) => duty.attribution))],
    aupUrl: duties[0]?.aupUrl ?? null,
    statements: [...new Map(statements.map((each) => [each.id, each])).values()],
    gated: repository.gated,
    defaultOn: false,
    ...(decided && unknown ? { decided } : {}),
  }
  const context = Math.min(contextTokens ?? 0, CONTEXT_TOKENS)
  const variant: VariantRecord = {
    repo: repository.id,
    revision: repository.revision,
    precision: 'precision' in form ? form.precision : 'unknown',
    minVramGb: vramOf(weightBytes),
    minComputeCapability: 'capability' in form ? form.capability : null,
    contextTokens: context,
    maxOutputTokens: Math.max(1, Math.min(OUTPUT_TOKENS, Math.floor(context / 2))),
    args: [],
    startPrice: startPriceOf(model.parameters),
    downloadBytes: weightBytes,
  }
  const files = repository.files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 }))
  const record: ModelRecord = { ...model, variants: [variant], imported: { at, files } }
  return { record, against }
}

function programs({ repository, config, tokenizerConfig }: Ingredients): string[] {
  const asks = [config, tokenizerConfig].some((each) => each !== null && each.auto_map !== undefined)
  if (!asks) return []
  const names = repository.files.flatMap(({ path }) => (PROGRAMS.test(path) ? [path] : []))
  return [`It needs programs of its own (${names.slice(0, 3).join(', ') || 'auto_map'}), which no host runs.`]
}

function architecture(config: Json): string[] {
  const named = Array.isArray(config.architectures)
    ? config.architectures.filter((each) => typeof each === 'string')
    : []
  const [first] = named
  if (first === undefined) return ['Its config.json names no architecture.']
  return ARCHITECTURES.has(first)
    ? []
    : [`Its architecture, ${first.slice(0, 60)}, is none that this hub knows to be served.`]
}

type Form = { precision: string; bytes: number; capability: number } | { why: string }

function precisionOf(config: Json): Form {
  const quantized = object(config.quantization_config)
  if (quantized === null) {
    const type = config.dtype ?? config.torch_dtype
    if (type === 'bfloat16' || type === undefined) return { precision: 'bf16', bytes: 2, capability: 8 }
    if (type === 'float16') return { precision: 'fp16', bytes: 2, capability: 7 }
    return { why: `Its weights are ${word(type)}; bfloat16 and float16 are served.` }
  }
  const method = word(quantized.quant_method).toLowerCase()
  const bits = quantized.bits ?? quantized.w_bit
  if (method === 'awq') return { precision: 'awq', bytes: 0.6, capability: 7.5 }
  if (method === 'gptq' && bits === 4) return { precision: 'gptq-int4', bytes: 0.6, capability: 7.5 }
  if (method === 'gptq' && bits === 8) return { precision: 'gptq-int8', bytes: 1.1, capability: 7.5 }
  if (method === 'fp8') return { precision: 'fp8', bytes: 1.1, capability: 8.9 }
  if (method === 'mxfp4') return { precision: 'mxfp4', bytes: 0.6, capability: 8 }
  if (method === 'compressed-tensors') {
    const format = word(quantized.format)
    if (format === 'float-quantized') return { precision: 'fp8', bytes: 1.1, capability: 8.9 }
    if (format === 'pack-quantized') return { precision: 'int4', bytes: 0.6, capability: 7.5 }
    if (format === 'int-quantized') return { precision: 'int8', bytes: 1.1, capability: 7.5 }
    if (format === 'nvfp4-pack-quantized') return { precision: 'nvfp4', bytes: 0.6, capability: 12 }
  }
  return {
    why: `Its weights are quantized by ${method || 'a method it does not name'}, which is not served here.`,
  }
}

function contextOf(config: Json): number | null {
  const tokens = config.max_position_embeddings ?? object(config.text_config)?.max_position_embeddings
  return typeof tokens === 'number' && Number.isSafeInteger(tokens) && tokens >= 512 ? tokens : null
}

/** Of experts only those at work count. */
function activeOf(config: Json, total: number): number {
  const number = (name: string) => (typeof config[name] === 'number' ? config[name] : 0)
  const experts = number('num_local_experts') || number('num_experts') || number('n_routed_experts')
  const atWork = number('num_experts_per_tok')
  const width = number('moe_intermediate_size') || number('intermediate_size')
  if (experts < 2 || atWork < 1 || atWork >= experts) return total
  const inExperts = number('num_hidden_layers') * experts * 3 * number('hidden_size') * width
  if (inExperts <= 0 || inExperts > total) return total
  return Math.round(total - inExperts * (1 - atWork / experts))
}

/** A fifth more than the weights, as the recipes of vLLM show it, and never less than a cache needs. */
function vramOf(weightBytes: number): number {
  return Math.max(2, Math.ceil((weightBytes * 1.2) / 1e9))
}

/**
 * About what the catalog asks for models of that size, dense or not: it lies between the work of a token and the memory
 * it takes. At most 80 % of the cheapest closed model.
 */
function startPriceOf({ total, active }: { total: number; active: number }): VariantRecord['startPrice'] {
  const billions = Math.sqrt(total * active) / 1e9
  const completion = Math.min(0.4, Math.max(0.02, Math.round(billions * 1.1) / 100))
  return { promptPicos: Math.round(completion * 200_000), completionPicos: Math.round(completion * 1_000_000) }
}

/** What else a known licence asks for: as it is written with the catalog's own models. */
function dutiesOf(licence: string): Pick<ModelRecord, 'attribution' | 'aupUrl' | 'statements'>[] {
  const known = classOf(licence) === 'B' && catalog.find((model) => model.licence.name === licence)
  return known ? [known] : []
}

function licenceOf({ id, licence, licenceName, licenceLink }: Repository): ModelRecord['licence'] {
  const said = licence === 'other' || licence === null ? licenceName : licence
  const page = `https://huggingface.co/${id}`
  const url = licenceLink !== null && /^https:\/\/[^\s<>"]+$/.test(licenceLink) ? licenceLink : page
  return { name: spdx(said) ?? 'unknown', url }
}

function spdx(tag: string | null): string | null {
  if (tag === null) return null
  const word = tag.toLowerCase()
  return LICENCES[word] ?? `LicenseRef-${word.replace(/[^a-z0-9.]+/g, '-').slice(0, 60)}`
}

function licences(own: string, bases: readonly Base[], read: boolean): string[] {
  const unknown = [{ id: 'its own', licence: own }, ...bases].filter(({ licence }) => classOf(licence) === 'C')
  if (unknown.length === 0) return []
  const forbidden = unknown.find(({ licence }) => FORBIDS.test(licence))
  if (forbidden) return [`A licence forbids that it is sold by the token: ${forbidden.licence} (${forbidden.id}).`]
  if (read) return []
  const which = unknown.map(({ id, licence }) => `${licence} (${id})`).join(', ')
  return [
    `Nobody here has read a licence that binds it: ${which}. Read it; if it lets you sell answers, import with the licence marked as read.`,
  ]
}

/** Names that say no commerce themselves. */
const FORBIDS = /-nc(-|$)|-nc-|research|non-?production|non-?commercial/i

function word(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 30) : ''
}

function object(value: unknown): Json | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : null
}
