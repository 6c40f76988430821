import { expect, test } from 'bun:test'
import { renderConversation } from './emulated-prompt.ts'
import { decode, encode, encodeBytes, mark, TokenDecoder, vocabularySize } from './vocabulary.ts'

const corpus = [
  '',
  'The quick brown fox jumps over the lazy dog.',
  '  two spaces,\ttabs\r\nand\n\n\nlines  ',
  'const sum = (a: number, b: number) => { return a + b } // 42',
  'Zürich, naïve, Ελλάδα, Привет, שלום, مرحبا',
  '東京は日本の首都です。한국어 中文',
  '👍🏽 👩‍👩‍👧‍👦 🇨🇭 e\u0301 \u200b\ufeff',
  '<|end|> <|user|> </s> [INST]',
  '\u0000\u0001\u007f\u0080\u07ff\u0800\uffff\u{10ffff}',
]

test('every text comes back as it was', () => {
  for (const text of corpus) expect(decode(encode(text))).toBe(text)
})

test('a lone surrogate becomes the replacement character', () => {
  expect(decode(encode('a\ud800b\udc00'))).toBe('a\ufffdb\ufffd')
})

test('random text comes back as it was', () => {
  let state = 7
  const draw = (below: number) => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) % below
  for (let round = 0; round < 500; round++) {
    let text = ''
    for (let i = draw(60); i > 0; i--)
      text += String.fromCodePoint([draw(128), draw(0x800), draw(0xd800), 0x10000 + draw(0xfffff)][draw(4)]!)
    expect(decode(encode(text))).toBe(text.toWellFormed())
  }
})

test('the canonical encoding of what ids say is one of many, and the shortest', () => {
  for (const text of corpus.slice(1)) {
    const bytes = encodeBytes(text)
    expect(decode(bytes)).toBe(text)
    expect(encode(decode(bytes))).toEqual(encode(text))
    expect(bytes.length).toBeGreaterThanOrEqual(encode(text).length)
  }
  expect(encodeBytes('understanding').length).toBe(13)
  expect(encode('understanding').length).toBe(1)
})

test('what a person writes never becomes a mark', () => {
  for (const text of corpus) for (const id of encode(text)) expect(id).toBeGreaterThan(15)
})

test('a text cut between two tokens encodes to the tokens before the cut', () => {
  const ids = encode('It is easy to explain the main idea: keep the parts small, and test them.\n\nThen go on.')
  for (let cut = 0; cut <= ids.length; cut++) expect(encode(decode(ids.slice(0, cut)))).toEqual(ids.slice(0, cut))
})

test('a streamed character is held back until its last byte is there', () => {
  const decoder = new TokenDecoder()
  const pieces = encode('é!').map((id) => decoder.push(id))
  expect(pieces).toEqual(['', 'é', '!'])
  expect(decode(encode('東').slice(0, 2))).toBe('\ufffd')
})

test('the vocabulary stays as it is: hubs and hosts of different versions must count alike', () => {
  const everyPiece = Array.from({ length: vocabularySize() }, (_, id) => decode([id])).join('\u0000')
  expect(vocabularySize()).toBe(6008)
  expect(new Bun.CryptoHasher('sha256').update(everyPiece).digest('hex').slice(0, 16)).toBe('81f63f3490a457bf')
})

test('a conversation is rendered with marks around its parts', () => {
  const ids = renderConversation({
    messages: [
      { role: 'system', content: 'Be kind.' },
      { role: 'user', content: 'Hi' },
    ],
  })
  expect(ids).toEqual([
    mark.start,
    mark.system,
    ...encode('Be kind.'),
    mark.end,
    mark.user,
    ...encode('Hi'),
    mark.end,
    mark.assistant,
  ])
})

test('a continued message is left open, and equals the ids said so far', () => {
  const messages = [{ role: 'user' as const, content: 'Hi' }]
  const said = encode('The short answer is')
  const continued = renderConversation({
    messages: [...messages, { role: 'assistant', content: decode(said) }],
    addGenerationPrompt: false,
    continueFinalMessage: true,
  })
  expect(continued).toEqual([...renderConversation({ messages }), ...said])
})
