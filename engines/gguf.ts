// The model as llama.cpp loads it: one file with everything in it.
import { readFileSync, writeFileSync } from 'node:fs'
import { files, readTokenizer, shape, tensors, type TokenizerFile } from './model.ts'

const MAGIC = 0x46554747
const VERSION = 3
const ALIGNMENT = 32

const TYPE = { uint32: 4, int32: 5, float32: 6, boolean: 7, text: 8, list: 9 } as const
/** Of tensors. Whole floats, as llama.cpp would otherwise round what it multiplies them with, too. */
const FLOAT32 = 0
/** What a token is: text, a mark that is never shown, one that is, or nothing. */
const TOKEN = { normal: 1, control: 3, shown: 4, unused: 5 } as const

type Field = { uint32: number } | { float32: number } | { boolean: boolean } | { text: string } | List
type List = { texts: readonly string[] } | { int32s: readonly number[] }

export function writeGguf(path: string): void {
  const tokenizer = readTokenizer()
  const fields = Object.entries(describe(tokenizer))
  const infos = new Bytes()
  const parts: Uint8Array[] = []
  let at = 0
  let count = 0
  for (const { name, shape, values } of tensors(tokenizer)) {
    const data = new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    // The innermost dimension comes first here.
    infos.text(names(name)).uint32(shape.length)
    for (const length of shape.toReversed()) infos.uint64(length)
    infos.uint32(FLOAT32).uint64(at)
    parts.push(data, new Uint8Array(padding(data.length)))
    at += data.length + padding(data.length)
    count++
  }
  const head = new Bytes().uint32(MAGIC).uint32(VERSION).uint64(count).uint64(fields.length)
  for (const [name, field] of fields) head.field(name, field)
  const start = [...head.parts, ...infos.parts]
  const length = start.reduce((sum, part) => sum + part.length, 0)
  writeFileSync(path, Buffer.concat([...start, new Uint8Array(padding(length)), ...parts]))
}

function describe(tokenizer: TokenizerFile): Record<string, Field> {
  const config = JSON.parse(readFileSync(files.config, 'utf8')) as { chat_template: string }
  const tokens = Array.from({ length: shape.vocabulary }, (_, id) => `[PAD${id}]`)
  const kinds = tokens.map((): number => TOKEN.unused)
  for (const [token, id] of Object.entries(tokenizer.model.vocab)) {
    tokens[id] = token
    kinds[id] = TOKEN.normal
  }
  for (const { id, content, special } of tokenizer.added_tokens) {
    tokens[id] = content
    kinds[id] = special ? TOKEN.control : TOKEN.shown
  }
  return {
    'general.architecture': { text: 'qwen3' },
    'general.name': { text: 'made on the spot' },
    'general.alignment': { uint32: ALIGNMENT },
    'qwen3.block_count': { uint32: shape.layers },
    'qwen3.context_length': { uint32: shape.contextTokens },
    'qwen3.embedding_length': { uint32: shape.width },
    'qwen3.feed_forward_length': { uint32: shape.hidden },
    'qwen3.attention.head_count': { uint32: shape.heads },
    'qwen3.attention.head_count_kv': { uint32: shape.keyHeads },
    'qwen3.attention.key_length': { uint32: shape.headWidth },
    'qwen3.attention.value_length': { uint32: shape.headWidth },
    'qwen3.attention.layer_norm_rms_epsilon': { float32: shape.normEpsilon },
    'qwen3.rope.freq_base': { float32: shape.ropeBase },
    'tokenizer.ggml.model': { text: 'gpt2' },
    'tokenizer.ggml.pre': { text: 'qwen2' },
    'tokenizer.ggml.tokens': { texts: tokens },
    'tokenizer.ggml.token_type': { int32s: kinds },
    'tokenizer.ggml.merges': { texts: tokenizer.model.merges.map((pair) => pair.join(' ')) },
    'tokenizer.ggml.bos_token_id': { uint32: 151_643 },
    'tokenizer.ggml.eos_token_id': { uint32: 151_645 },
    'tokenizer.ggml.padding_token_id': { uint32: 151_643 },
    'tokenizer.ggml.add_bos_token': { boolean: false },
    'tokenizer.chat_template': { text: config.chat_template },
  }
}

/** llama.cpp's names for the same tensors. */
function names(name: string): string {
  const known: [RegExp, string][] = [
    [/^model\.embed_tokens/, 'token_embd'],
    [/^model\.norm/, 'output_norm'],
    [/^lm_head/, 'output'],
    [/^model\.layers\./, 'blk.'],
    [/input_layernorm/, 'attn_norm'],
    [/post_attention_layernorm/, 'ffn_norm'],
    [/self_attn\.([qkv])_(proj|norm)/, 'attn_$1_$2'],
    [/self_attn\.o_proj/, 'attn_output'],
    [/mlp\.(gate|up|down)_proj/, 'ffn_$1'],
    [/_proj\.weight$/, '.weight'],
  ]
  return known.reduce((text, [from, to]) => text.replace(from, to), name)
}

function padding(length: number): number {
  return (ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT
}

/** Little-endian numbers and texts, in order. */
class Bytes {
  readonly parts: Uint8Array[] = []

  uint32(value: number): this {
    return this.put(new Uint32Array([value]))
  }

  uint64(value: number): this {
    return this.put(new BigUint64Array([BigInt(value)]))
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value)
    return this.uint64(bytes.length).put(bytes)
  }

  field(name: string, field: Field): this {
    this.text(name)
    if ('uint32' in field) return this.uint32(TYPE.uint32).uint32(field.uint32)
    if ('float32' in field) return this.uint32(TYPE.float32).put(new Float32Array([field.float32]))
    if ('boolean' in field) return this.uint32(TYPE.boolean).put(new Uint8Array([Number(field.boolean)]))
    if ('text' in field) return this.uint32(TYPE.text).text(field.text)
    this.uint32(TYPE.list)
    if ('int32s' in field) return this.uint32(TYPE.int32).uint64(field.int32s.length).put(Int32Array.from(field.int32s))
    this.uint32(TYPE.text).uint64(field.texts.length)
    for (const text of field.texts) this.text(text)
    return this
  }

  private put(value: Uint8Array | Uint32Array | Int32Array | Float32Array | BigUint64Array): this {
    this.parts.push(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    return this
  }
}
