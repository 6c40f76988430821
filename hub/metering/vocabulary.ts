// A model's vocabulary, from its `tokenizer.json`: text to token ids and back, exactly as its engine does it.
import { ByteLevelPreTokenizer, SequencePreTokenizer, SplitPreTokenizer, type Tokenizer } from '@huggingface/tokenizers'

export interface AddedToken {
  id: number
  content: string
  special: boolean
}

/** Words whose ids are remembered, and how long such a word may be. */
const MAX_CACHED_WORDS = 50_000
const MAX_CACHED_CHARS = 24
/**
 * Longer runs without a word break are encoded piece by piece. Merging costs more than linearly; no real text has such
 * runs, and where a made-up one does, the count is off by at most one token per piece.
 */
const MAX_RUN_CHARS = 4_096

export class Vocabulary {
  private readonly addedIds: Map<string, number>
  private readonly addedById: Map<number, AddedToken>
  private readonly anyMark: RegExp | null
  private readonly visibleMark: RegExp | null
  private readonly splitter: SplitPreTokenizer
  private readonly words = new Map<string, number[]>()
  private readonly bytesOf = new Map<number, Uint8Array>()

  constructor(
    private readonly tokenizer: Tokenizer,
    added: readonly AddedToken[],
  ) {
    this.splitter = splitterOf(tokenizer)
    this.addedIds = new Map(added.map((token) => [token.content, token.id]))
    this.addedById = new Map(added.map((token) => [token.id, token]))
    this.anyMark = oneOf(added)
    this.visibleMark = oneOf(added.filter((token) => !token.special))
  }

  /** A rendered prompt: the marks of its template, such as `<|im_start|>`, are one token each, whoever wrote them. */
  encodePrompt(text: string): number[] {
    return this.encode(text, this.anyMark)
  }

  /**
   * An answer as the client saw it. Engines never show special tokens, so text that looks like one was written in
   * letters and counts as such; tokens that are added but shown, such as `<think>`, are one token.
   */
  encodeAnswer(text: string): number[] {
    return this.encode(text, this.visibleMark)
  }

  /** The text of `ids` without special tokens. Ids outside the vocabulary are nothing, broken UTF-8 is U+FFFD. */
  decode(ids: readonly number[]): string {
    const parts = ids.map((id) => this.bytes(id))
    const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0))
    let at = 0
    for (const part of parts) {
      all.set(part, at)
      at += part.length
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(all)
  }

  /** False for special tokens and for ids outside the vocabulary: they decode to nothing. */
  shows(id: number): boolean {
    return this.bytes(id).length > 0
  }

  private encode(text: string, marks: RegExp | null): number[] {
    const ids: number[] = []
    const sections = marks ? text.toWellFormed().split(marks) : [text.toWellFormed()]
    // Splitting by a group puts what lies between the marks on even places and the marks on odd ones.
    for (const [index, section] of sections.entries()) {
      if (section === '') continue
      if (index % 2 === 1) ids.push(this.addedIds.get(section)!)
      else this.encodePlain(section, ids)
    }
    return ids
  }

  private encodePlain(text: string, ids: number[]): void {
    const normal = this.tokenizer.normalizer?._call(text) ?? text
    for (const word of this.wordsOf(normal)) {
      const known = this.words.get(word)
      if (known) for (const id of known) ids.push(id)
      else this.encodeWord(word, ids)
    }
  }

  private wordsOf(text: string): string[] {
    const words = text.match(this.splitter.pattern!) ?? []
    const length = words.reduce((sum, word) => sum + word.length, 0)
    return length === text.length ? words : this.splitter.pre_tokenize_text(text)
  }

  private encodeWord(word: string, ids: number[]): void {
    const bytes = new TextEncoder().encode(word)
    const letters = Array.from(bytes, (byte) => letterOfByte[byte]!).join('')
    const found: number[] = []
    for (let at = 0; at < letters.length; at += MAX_RUN_CHARS)
      for (const token of this.tokenizer.model!._call([letters.slice(at, at + MAX_RUN_CHARS)]))
        found.push(this.tokenizer.token_to_id(token)!)
    for (const id of found) ids.push(id)
    // Decoded anew: a slice would keep the whole text it was cut from in memory.
    if (word.length <= MAX_CACHED_CHARS)
      this.remember(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes), found)
  }

  private remember(word: string, ids: number[]): void {
    if (this.words.size >= MAX_CACHED_WORDS) this.words.clear()
    this.words.set(word, ids)
  }

  private bytes(id: number): Uint8Array {
    let bytes = this.bytesOf.get(id)
    if (bytes) return bytes
    const added = this.addedById.get(id)
    const token = this.tokenizer.id_to_token(id)
    // Not remembered: whoever makes up ids must not fill the memory with them.
    if (!added && token === undefined) return NOTHING
    if (added) bytes = added.special ? new Uint8Array() : new TextEncoder().encode(added.content)
    else bytes = Uint8Array.from(token!, (letter) => byteOfLetter.get(letter) ?? 0x3f)
    this.bytesOf.set(id, bytes)
    return bytes
  }
}

const NOTHING = new Uint8Array()

/** Only vocabularies that split by a pattern and then go by bytes are known here. @throws for any other. */
function splitterOf({ pre_tokenizer }: Tokenizer): SplitPreTokenizer {
  const parts = pre_tokenizer instanceof SequencePreTokenizer ? pre_tokenizer.tokenizers : []
  const [split, bytes] = parts
  const byBytes = bytes instanceof ByteLevelPreTokenizer && !bytes.use_regex && !bytes.add_prefix_space
  if (parts.length !== 2 || !(split instanceof SplitPreTokenizer) || !split.pattern || !byBytes)
    throw new Error('a tokenizer of this kind is not supported: teach hub/metering/vocabulary.ts about it first')
  return split
}

function oneOf(tokens: readonly AddedToken[]): RegExp | null {
  if (tokens.length === 0) return null
  // The longest first, as engines prefer it.
  const contents = tokens.map((token) => RegExp.escape(token.content)).sort((a, b) => b.length - a.length)
  return new RegExp(`(${contents.join('|')})`)
}

/** Byte-level vocabularies write bytes as letters: printable Latin-1 as itself, the rest from U+0100 on. */
const letterOfByte: string[] = []
let next = 0x100
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  letterOfByte.push(String.fromCharCode(printable ? byte : next++))
}
const byteOfLetter = new Map(letterOfByte.map((letter, byte) => [letter, byte]))
