// The words a vocabulary has met, with their token ids. They are looked up where they stand in a text, without being
// cut out of it: counting the tokens of a prompt leaves nothing for the collector.

/** Words that are remembered, and how long such a word may be. */
const MOST_WORDS = 50_000
export const LONGEST_WORD = 24
const MOST_CHARS = MOST_WORDS * 10
const MOST_IDS = MOST_WORDS * 3
const SLOTS = 2 ** 17

export class Words {
  /** By hash, the next free one after it: 1 + the number of a word, 0 where none is. */
  private readonly slots = new Int32Array(SLOTS)
  private readonly hashes = new Int32Array(MOST_WORDS)
  private readonly lengths = new Uint8Array(MOST_WORDS)
  private readonly charsAt = new Int32Array(MOST_WORDS)
  private readonly idsAt = new Int32Array(MOST_WORDS + 1)
  private readonly chars = new Uint16Array(MOST_CHARS)
  private readonly ids = new Int32Array(MOST_IDS)
  private count = 0
  private charCount = 0

  /** The number of the word from `from` to `to`; -1: not met yet, or too long to be remembered. */
  find(text: string, from: number, to: number): number {
    const length = to - from
    if (length > LONGEST_WORD) return -1
    const hash = hashOf(text, from, to)
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const word = this.slots[slot]! - 1
      if (word < 0) return -1
      if (this.hashes[word] === hash && this.lengths[word] === length && this.same(word, text, from, length))
        return word
    }
  }

  /** How many tokens it is. */
  tokens(word: number): number {
    return this.idsAt[word + 1]! - this.idsAt[word]!
  }

  pushIds(word: number, to: number[]): void {
    for (let at = this.idsAt[word]!; at < this.idsAt[word + 1]!; at++) to.push(this.ids[at]!)
  }

  /** A word that `find` did not. Does nothing with one that is too long. */
  remember(word: string, ids: readonly number[]): void {
    if (word.length > LONGEST_WORD || ids.length > LONGEST_WORD) return
    const idCount = this.idsAt[this.count]!
    if (this.count === MOST_WORDS || this.charCount + word.length > MOST_CHARS || idCount + ids.length > MOST_IDS)
      return this.forgetAll()
    const hash = hashOf(word, 0, word.length)
    let slot = hash & (SLOTS - 1)
    while (this.slots[slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
    this.slots[slot] = ++this.count
    const at = this.count - 1
    this.hashes[at] = hash
    this.lengths[at] = word.length
    this.charsAt[at] = this.charCount
    for (let i = 0; i < word.length; i++) this.chars[this.charCount++] = word.charCodeAt(i)
    this.ids.set(ids, idCount)
    this.idsAt[this.count] = idCount + ids.length
  }

  private same(word: number, text: string, from: number, length: number): boolean {
    const at = this.charsAt[word]!
    for (let i = 0; i < length; i++) if (this.chars[at + i] !== text.charCodeAt(from + i)) return false
    return true
  }

  private forgetAll(): void {
    this.slots.fill(0)
    this.count = 0
    this.charCount = 0
  }
}

/** FNV-1a over the characters. */
function hashOf(text: string, from: number, to: number): number {
  let hash = 0x811c9dc5 | 0
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash
}
