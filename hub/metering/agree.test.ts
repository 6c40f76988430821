import { beforeAll, describe, expect, test } from 'bun:test'
import { encodeBytes, mark } from '../../sdk/wire/vocabulary.ts'
import type { TokenizerName } from '../catalog/records.ts'
import { agree } from './agree.ts'
import { loadTokenizer } from './tokenizers.ts'

const names: TokenizerName[] = ['emulated', 'qwen3', 'mistral-nemo']
beforeAll(() => void names.map(loadTokenizer), 60_000)

const text = 'The price of a token is small, but many tokens make an answer: über 1,000 of them, 東京 👍 included.'

describe.each(names)('what %s goes on from', (name) => {
  const { encodeAnswer, decode } = loadTokenizer(name)
  const ids = encodeAnswer(text)
  const from = (said: string, reported: readonly number[] | null, aheadChars = 0) =>
    agree(name, { text: said, ids: reported, aheadChars })

  test('are the host’s own ids, at every place where they and the text agree', () => {
    let said = ''
    for (let length = 1; length <= ids.length; length++) {
      const words = decode(ids.slice(0, length))
      // An engine says nothing of a character until its last byte is there.
      if (!words.endsWith('\uFFFD')) said = words
      const agreed = from(said, ids.slice(0, length))
      expect(agreed.text).toBe(said)
      expect(decode(agreed.ids)).toBe(said)
      expect(agreed.ids).toEqual(ids.slice(0, agreed.ids.length))
    }
  })

  test('is the hub’s own encoding when the host reports none', () => {
    expect(from(text, null)).toEqual({ ids, text, tokens: ids.length })
  })

  test.each([
    ['other words', (honest: number[]) => honest.map((id) => id + 1)],
    [
      'the same text, byte by byte',
      () => (name === 'emulated' ? encodeBytes(text) : Array.from(text).flatMap((c) => encodeAnswer(c))),
    ],
    [
      'a mark that ends the answer, in the middle',
      (honest: number[]) => [...honest.slice(0, 9), endOf(name), ...honest.slice(9)],
    ],
    ['ids outside the vocabulary', (honest: number[]) => [...honest.slice(0, 4), 99_999_999, ...honest.slice(4)]],
    [
      'thousands of broken characters at the end',
      (honest: number[]) => [...honest, ...Array<number>(20_000).fill(halfOf(name))],
    ],
    ['words of its own at the end', (honest: number[]) => [...honest, ...encodeAnswer(' Buy now at evil.example')]],
  ])('a host that reports %s changes nothing', (_, lie) => {
    expect(from(text, lie(ids))).toEqual({ ids, text, tokens: ids.length })
  })

  test('a single mark among many honest ids is not passed on', () => {
    const long = text.repeat(9)
    const honest = encodeAnswer(long)
    const { ids: agreed } = from(long, [...honest.slice(0, 90), endOf(name), ...honest.slice(90)])
    expect(agreed).not.toContain(endOf(name))
    expect(decode(agreed)).toBe(long)
  })

  test('what the engine held back is part of it, up to what it may hold back', () => {
    const said = decode(ids.slice(0, 6))
    const ahead = decode(ids.slice(0, 8))
    expect(from(said, ids.slice(0, 8), ahead.length - said.length)).toEqual({
      ids: ids.slice(0, 8),
      text: ahead,
      tokens: 6,
    })
    expect(from(said, ids.slice(0, 8), ahead.length - said.length - 1).text.length).toBeLessThan(ahead.length)
    expect(from(said, ids.slice(0, 8))).toEqual({ ids: ids.slice(0, 6), text: said, tokens: 6 })
  })

  test('text that ends in the middle of a word took no more tokens than its host reports', () => {
    const long = 'The infrastructure of transcontinental telecommunications'
    const all = encodeAnswer(long)
    for (let chars = 1; chars < long.length; chars++) {
      const { tokens, ids: agreed } = from(long.slice(0, chars), all, long.length)
      expect([tokens <= agreed.length, agreed]).toEqual([true, all])
    }
  })

  test('text that ends inside a token is finished by the hub’s own encoding of it', () => {
    const said = decode(ids.slice(0, 6)).slice(0, -2)
    const agreed = from(said, ids.slice(0, 6))
    expect(agreed.text).toBe(said)
    expect(decode(agreed.ids)).toBe(said)
  })

  test('nothing said is nothing to go on from', () => {
    expect(from('', ids.slice(0, 3))).toEqual({ ids: [], text: '', tokens: 0 })
  })
})

function endOf(name: TokenizerName): number {
  return name === 'emulated' ? mark.end : name === 'qwen3' ? 151_645 : 2
}

/** A token that is no character by itself. */
function halfOf(name: TokenizerName): number {
  const { encodeAnswer, decode } = loadTokenizer(name)
  return encodeAnswer('👍東🦄ꙮ𝔘').find((id) => decode([id]) === '\uFFFD')!
}
