// A model's vocabulary, from its `tokenizer.json`: text to token ids and back, exactly as its engine does it.
import { ByteLevelPreTokenizer, SequencePreTokenizer, SplitPreTokenizer, type Tokenizer } from '@huggingface/tokenizers'
import { type Bpe, MOST_BYTES } from './bpe.ts'
import { Counts } from './counts.ts'
import { Words } from './words.ts'

export interface AddedToken {
  id: number
  content: string
  special: boolean
}

export class Vocabulary {
  private readonly addedIds: Map<string, number>
  private readonly addedById: Map<number, AddedToken>
  private readonly anyMark: RegExp | null
  private readonly visibleMark: RegExp | null
  private readonly splitter: SplitPreTokenizer
  /** The splitter's pattern, to be tried at one place of a text. */
  private readonly pattern: RegExp
  private readonly splitsPlainWords: boolean
  private readonly leavesLatinAlone: boolean
  private readonly words = new Words()
  private readonly counts = new Counts()

  /** `rules` says how a text becomes words, `bpe` how a word becomes tokens. */
  constructor(
    private readonly rules: Pick<Tokenizer, 'normalizer' | 'pre_tokenizer'>,
    private readonly bpe: Bpe,
    added: readonly AddedToken[],
  ) {
    this.splitter = splitterOf(rules)
    this.pattern = new RegExp(this.splitter.pattern!.source, 'uy')
    this.splitsPlainWords = splitsPlainWords(this.pattern)
    this.leavesLatinAlone = this.normal(LATIN) === LATIN
    this.addedIds = new Map(added.map((token) => [token.content, token.id]))
    this.addedById = new Map(added.map((token) => [token.id, token]))
    this.anyMark = oneOf(added)
    this.visibleMark = oneOf(added.filter((token) => !token.special))
  }

  /** A rendered prompt: the marks of its template, such as `<|im_start|>`, are one token each, whoever wrote them. */
  encodePrompt(text: string): number[] {
    const ids: number[] = []
    this.read(text, this.anyMark, ids)
    return ids
  }

  /** How many ids `encodePrompt` would give. */
  countPrompt(text: string): number {
    return this.read(text, this.anyMark, null, this.counts)
  }

  /**
   * An answer as the client saw it. Engines never show special tokens, so text that looks like one was written in
   * letters and counts as such; tokens that are added but shown, such as `<think>`, are one token.
   */
  encodeAnswer(text: string): number[] {
    const ids: number[] = []
    this.read(text, this.visibleMark, ids)
    return ids
  }

  /** How many ids `encodeAnswer` would give. */
  countAnswer(text: string): number {
    return this.read(text, this.visibleMark, null)
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

  /** Counts the tokens of `text`, and puts their ids into `ids` where they are wanted. */
  private read(text: string, marks: RegExp | null, ids: number[] | null, counts: Counts | null = null): number {
    const sections = marks ? text.toWellFormed().split(marks) : [text.toWellFormed()]
    let count = 0
    // Splitting by a group puts what lies between the marks on even places and the marks on odd ones.
    for (const [index, section] of sections.entries()) {
      if (section === '') continue
      if (index % 2 === 0)
        count += counts?.count(section, text, () => this.readPlain(section, null)) ?? this.readPlain(section, ids)
      else {
        count++
        ids?.push(this.addedIds.get(section)!)
      }
    }
    return count
  }

  private readPlain(text: string, ids: number[] | null): number {
    const normal = this.leavesLatinAlone && !BEYOND_LATIN.test(text) ? text : this.normal(text)
    const before = ids?.length ?? 0
    let count = 0
    for (let at = 0; at < normal.length; ) {
      const end = this.wordEnd(normal, at)
      if (end === at) {
        // The pattern has gaps here: what lies between its words counts, too.
        if (ids) ids.length = before
        return this.splitter.pre_tokenize_text(normal).reduce((sum, word) => sum + this.readWord(word, ids), 0)
      }
      const known = this.words.find(normal, at, end)
      if (known < 0) count += this.encodeWord(normal.slice(at, end), ids)
      else {
        count += this.words.tokens(known)
        if (ids) this.words.pushIds(known, ids)
      }
      at = end
    }
    return count
  }

  private readWord(word: string, ids: number[] | null): number {
    const known = this.words.find(word, 0, word.length)
    if (known < 0) return this.encodeWord(word, ids)
    if (ids) this.words.pushIds(known, ids)
    return this.words.tokens(known)
  }

  /** Where the word that begins at `from` ends; `from` itself where the pattern finds none. */
  private wordEnd(text: string, from: number): number {
    const end = this.splitsPlainWords ? plainWordEnd(text, from) : from
    if (end > from) return end
    this.pattern.lastIndex = from
    return this.pattern.test(text) ? this.pattern.lastIndex : from
  }

  private normal(text: string): string {
    return this.rules.normalizer?._call(text) ?? text
  }

  /**
   * Longer runs without a word break are encoded piece by piece. No real text has such runs, and where a made-up one
   * does, the count is off by at most one token per piece.
   */
  private encodeWord(word: string, ids: number[] | null): number {
    const bytes = utf8.encode(word)
    const found: number[] = []
    for (let at = 0; at < bytes.length; at += MOST_BYTES) this.bpe.encode(bytes.subarray(at, at + MOST_BYTES), found)
    this.words.remember(word, found)
    for (const id of found) ids?.push(id)
    return found.length
  }

  private bytes(id: number): Uint8Array {
    const added = this.addedById.get(id)
    if (!added) return this.bpe.bytesOf(id)
    return added.special ? NOTHING : utf8.encode(added.content)
  }
}

const NOTHING = new Uint8Array()
const utf8 = new TextEncoder()

/** What no normal form changes: all of Latin-1, spaces at both ends. */
const LATIN = ` ${Array.from({ length: 256 }, (_, code) => String.fromCharCode(code)).join('')} e `
const BEYOND_LATIN = /[\u0100-\uffff]/

/**
 * Nearly all of most texts: an English word, with the space before it. Where it ends is clear without asking the
 * pattern: before the end of the text, or before an ASCII character that is no letter. `from` where it is not clear.
 */
function plainWordEnd(text: string, from: number): number {
  let at = from
  let code = text.charCodeAt(at)
  if (code === 0x20) code = text.charCodeAt(++at)
  if (isCapital(code)) code = text.charCodeAt(++at)
  const first = at
  while (code >= 0x61 && code <= 0x7a) code = text.charCodeAt(++at)
  return at > first && !(code >= 0x80 || isCapital(code)) ? at : from
}

function isCapital(code: number): boolean {
  return code >= 0x41 && code <= 0x5a
}

/** Whether a pattern takes plain words for words; all that are known do. */
function splitsPlainWords(pattern: RegExp): boolean {
  const words = ['word', ' word', 'Word', ' Word', 's', ' s']
  const followers = ['', ' ', '1', '.', "'", '\n', '  ', '_', '-', "'s", ' s']
  return words.every((word) =>
    followers.every((follower) => {
      pattern.lastIndex = 0
      return pattern.test(word + follower) && pattern.lastIndex === word.length
    }),
  )
}

/** Only vocabularies that split by a pattern and then go by bytes are known here. @throws for any other. */
function splitterOf({ pre_tokenizer }: Pick<Tokenizer, 'pre_tokenizer'>): SplitPreTokenizer {
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
