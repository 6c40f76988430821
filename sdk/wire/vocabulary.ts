// The emulated model's own vocabulary. The hub counts with it and the engine emulator speaks it, so that a hub without
// a GPU anywhere meters for real: ids on the wire, canonical or not, that decode to text and are encoded again.
//
// Id 0–15 mark the parts of a prompt and are never made from text; 16–271 are the bytes 0–255; then come the pieces.
// `encode` takes the longest piece that fits, from left to right, and UTF-8 bytes where none does. Every string thus
// has exactly one canonical encoding, but many sequences decode to it: its bytes, one by one, are another.
import { parts, spacedSigns, spaces, words } from './words.ts'

export const EMULATED_MODEL = 'gpuhub/emulator'

/** Marks in a rendered prompt. `end` closes a message and ends an answer; it decodes to nothing, as the others do. */
export const mark = { end: 0, start: 1, system: 2, user: 3, assistant: 4, tool: 5, tools: 6, call: 7 } as const

const FIRST_BYTE = 16
const FIRST_PIECE = FIRST_BYTE + 256
/** The trie knows characters below this; all pieces are ASCII. */
const WIDTH = 128

interface Vocabulary {
  pieces: string[]
  /** `next[node * WIDTH + character]` is the node behind that character, 0 where none is. */
  next: Uint16Array
  /** The id a node completes, 0 where none: id 0 is a mark and never the end of a piece. */
  idAt: Uint16Array
}

let loaded: Vocabulary | undefined

function vocabulary(): Vocabulary {
  loaded ??= build()
  return loaded
}

export function vocabularySize(): number {
  return FIRST_PIECE + vocabulary().pieces.length
}

/** A token with text in it: not a mark, and inside the vocabulary. */
export function shows(id: number): boolean {
  return id >= FIRST_BYTE && id < vocabularySize()
}

/** The canonical token ids of `text`. Linear; lone surrogates are encoded as U+FFFD. Never yields a mark. */
export function encode(text: string): number[] {
  const { next, idAt } = vocabulary()
  const ids: number[] = []
  const length = text.length
  for (let at = 0; at < length; ) {
    let node = 0
    let id = 0
    let end = at
    for (let i = at; i < length; i++) {
      const code = text.charCodeAt(i)
      if (code >= WIDTH) break
      node = next[node * WIDTH + code]!
      if (node === 0) break
      const found = idAt[node]!
      if (found !== 0) {
        id = found
        end = i + 1
      }
    }
    if (id !== 0) {
      ids.push(id)
      at = end
    } else {
      at = pushBytes(ids, text, at)
    }
  }
  return ids
}

/** The text of `ids`. Marks and ids outside the vocabulary decode to nothing; broken UTF-8 to U+FFFD. */
export function decode(ids: readonly number[]): string {
  const decoder = new TokenDecoder()
  let text = ''
  for (const id of ids) text += decoder.push(id)
  return text + decoder.finish()
}

/** Decodes one id at a time and holds back a character until its last byte is there, as engines do when they stream. */
export class TokenDecoder {
  private readonly pieces = vocabulary().pieces
  private utf8: TextDecoder | undefined
  private held = false

  push(id: number): string {
    if (id >= FIRST_BYTE + WIDTH && id < FIRST_PIECE) {
      this.utf8 ??= new TextDecoder('utf-8', { ignoreBOM: true })
      this.held = true
      return this.utf8.decode(Uint8Array.of(id - FIRST_BYTE), { stream: true })
    }
    if (id < FIRST_BYTE) return ''
    const text = id < FIRST_PIECE ? String.fromCharCode(id - FIRST_BYTE) : (this.pieces[id - FIRST_PIECE] ?? '')
    return this.held ? this.finish() + text : text
  }

  /** What was held back, as U+FFFD, when no more bytes will come. */
  finish(): string {
    if (!this.held) return ''
    this.held = false
    return this.utf8!.decode()
  }
}

/** `text` as single bytes: decodes to the same text as `encode(text)`, with many more tokens. */
export function encodeBytes(text: string): number[] {
  return Array.from(new TextEncoder().encode(text), (byte) => FIRST_BYTE + byte)
}

const utf8 = new TextEncoder()

function pushBytes(ids: number[], text: string, at: number): number {
  const point = text.codePointAt(at)!
  if (point < WIDTH) {
    ids.push(FIRST_BYTE + point)
    return at + 1
  }
  // TextEncoder turns a lone surrogate into U+FFFD by itself.
  for (const byte of utf8.encode(String.fromCodePoint(point))) ids.push(FIRST_BYTE + byte)
  return at + (point > 0xffff ? 2 : 1)
}

function build(): Vocabulary {
  const pieces = [
    ...new Set([...words.flatMap(wordForms), ...parts, ...spaces, ...spacedSigns.map((sign) => ` ${sign}`)]),
  ]
  const next = new Uint16Array(WIDTH * pieces.reduce((nodes, piece) => nodes + piece.length, 1))
  const idAt = new Uint16Array(next.length / WIDTH)
  let nodes = 1
  for (const [index, piece] of pieces.entries()) {
    let node = 0
    for (let i = 0; i < piece.length; i++) {
      const slot = node * WIDTH + piece.charCodeAt(i)
      if (next[slot] === 0) next[slot] = nodes++
      node = next[slot]!
    }
    idAt[node] = FIRST_PIECE + index
  }
  return { pieces, next: next.slice(0, nodes * WIDTH), idAt: idAt.slice(0, nodes) }
}

function wordForms(word: string): string[] {
  const forms = word.length === 1 ? [] : [word, word[0]!.toUpperCase() + word.slice(1)]
  return [...forms, ` ${word}`, ` ${word[0]!.toUpperCase()}${word.slice(1)}`]
}
