import { describe, expect, test } from 'bun:test'
import { SseParser } from './stream.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

/** Everything a parser hands over when `chunks` arrive one after another and the source closes. */
function payloads(chunks: Uint8Array[], limitBytes?: number): string[] {
  const seen: string[] = []
  const parser = new SseParser((payload) => seen.push(payload), limitBytes)
  for (const chunk of chunks) parser.push(chunk)
  parser.end()
  return seen
}

/** Cuts `whole` into pieces of 1 to `longest` bytes, the same way for the same seed. */
function cut(whole: Uint8Array, longest: number, seed: number): Uint8Array[] {
  const pieces: Uint8Array[] = []
  let state = seed
  for (let at = 0; at < whole.length; ) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    const length = 1 + (state % longest)
    pieces.push(whole.slice(at, at + length))
    at += length
  }
  return pieces
}

const cases: [name: string, stream: string, payloads: string[]][] = [
  ['one event', 'data: a\n\n', ['a']],
  ['no space after the colon', 'data:a\n\n', ['a']],
  ['only one space is taken', 'data:  a \n\n', [' a ']],
  ['CRLF', 'data: a\r\n\r\ndata: b\r\n\r\n', ['a', 'b']],
  ['CR alone', 'data: a\r\rdata: b\r\r', ['a', 'b']],
  ['line ends mixed', 'data: a\r\n\ndata: b\n\r\ndata: c\r\r\n', ['a', 'b', 'c']],
  ['several data lines join with LF', 'data: {\ndata: "a":1\ndata: }\n\n', ['{\n"a":1\n}']],
  ['comments anywhere', ': hello\n\n: x\ndata: a\n: y\ndata: b\n\n:\n\n', ['a\nb']],
  ['other fields', 'event: error\nid: 7\nretry: 10\ndata: a\n\n', ['a']],
  ['a field that only starts like data', 'database: x\ndat: y\ndatay\n\ndata: a\n\n', ['a']],
  ['data without a value', 'data\n\ndata:\n\ndata: \n\n', ['', '', '']],
  ['no data, no event', 'event: ping\n\n\n\n\n', []],
  ['a byte order mark', '\uFEFFdata: a\n\n', ['a']],
  ['a byte order mark inside a payload stays', 'data: \uFEFFa\n\n', ['\uFEFFa']],
  ['characters of two, three and four bytes', 'data: ñ 字 🦊 e\u0301\n\n', ['ñ 字 🦊 e\u0301']],
  ['the last event lacks its blank line', 'data: a\n\ndata: b', ['a', 'b']],
  ['[DONE] is a payload like others', 'data: {}\n\ndata: [DONE]\n\n', ['{}', '[DONE]']],
]

describe('the parser of server-sent events', () => {
  test.each(cases)('%s', (_, stream, expected) => {
    expect(payloads([bytes(stream)])).toEqual(expected)
    expect(payloads([...bytes(stream)].map((byte) => Uint8Array.of(byte)))).toEqual(expected)
    for (let seed = 1; seed <= 20; seed++) expect(payloads(cut(bytes(stream), 5, seed))).toEqual(expected)
  })

  test('gives the same events wherever the packets of a long stream are cut', () => {
    const stream = bytes(cases.map(([, text]) => `${text.replace('\uFEFFdata', 'data')}\n\n`).join(''))
    const expected = cases.flatMap(([, , events]) => events)
    for (let seed = 1; seed <= 50; seed++) expect(payloads(cut(stream, 1 + seed, seed))).toEqual(expected)
  })

  test('keeps nothing of the buffer it was given', () => {
    const seen: string[] = []
    const parser = new SseParser((payload) => seen.push(payload))
    const reused = new Uint8Array(7)
    reused.set(bytes('data: a'))
    parser.push(reused)
    reused.fill(0x78)
    parser.push(bytes('\n\n'))
    expect(seen).toEqual(['a'])
  })

  test('grows for a large event and takes one of exactly the limit', () => {
    const text = '🦊'.repeat(50_000)
    const stream = bytes(`data: ${text}\n\n`)
    expect(payloads(cut(stream, 4_096, 7))).toEqual([text])
    expect(payloads(cut(stream, 4_096, 7), stream.length)).toEqual([text])
  })

  test.each([
    ['in one line', ['data: ', 'x'.repeat(60), 'x'.repeat(60)]],
    ['in one packet', [`data: ${'x'.repeat(120)}\n\n`]],
    ['in many lines', Array(30).fill('data: xxxxx\n')],
    ['in empty lines', Array(200).fill('data\n')],
    ['in a comment that never ends', Array(30).fill(': xxxxx')],
  ])('refuses an event beyond the limit %s', (_, chunks) => {
    expect(() => payloads(chunks.map(bytes), 100)).toThrow(RangeError)
  })

  test('counts each event alone: a long stream of small ones has no limit', () => {
    expect(payloads(Array(1_000).fill(bytes('data: xxxxxxxxxx\n\n')), 20)).toHaveLength(1_000)
  })
})
