// Byte-pair encoding, as engines do it: a word's bytes become tokens, and the two neighbours whose merge was learnt first
// become one, until none can. Everything lies in a few flat arrays: as objects a vocabulary would be most of the hub's
// memory, and the collector would walk through it again and again.

/** The `model` of a `tokenizer.json`. */
export interface BpeModel {
  /** Ids by token, its bytes written as letters. */
  vocab: Record<string, number>
  /** The first is the one learnt first. */
  merges: readonly (string | readonly [string, string])[]
  /** A word that is a token is that token, whatever merging would make of it. */
  ignoreMerges: boolean
}

/** Most bytes of one piece that is encoded. */
export const MOST_BYTES = 4_096

const NOTHING = new Uint8Array()
const NONE = -1

export class Bpe {
  private readonly bytes: Uint8Array
  /** Where the bytes of a token begin; those of the next id follow. */
  private readonly bytesAt: Int32Array
  private readonly ofByte = new Int32Array(256).fill(NONE)
  private readonly pairs: Pairs
  /** Ids by their bytes, as far as they are needed; null: they are not. */
  private readonly whole: ByBytes | null
  private readonly scratch = new Scratch()

  /** @throws when a merge speaks of a token that is not there. */
  constructor({ vocab, merges, ignoreMerges }: BpeModel) {
    const tokens = Object.entries(vocab).map(([text, id]) => ({ id, bytes: bytesOfLetters(text) }))
    this.bytesAt = new Int32Array(tokens.reduce((most, { id }) => Math.max(most, id), 0) + 2)
    for (const { id, bytes } of tokens) this.bytesAt[id + 1] = bytes.length
    for (let id = 1; id < this.bytesAt.length; id++) this.bytesAt[id]! += this.bytesAt[id - 1]!
    this.bytes = new Uint8Array(this.bytesAt.at(-1)!)
    for (const { id, bytes } of tokens) {
      this.bytes.set(bytes, this.bytesAt[id]!)
      if (bytes.length === 1) this.ofByte[bytes[0]!] = id
    }
    if (this.ofByte.includes(NONE)) throw new Error('a vocabulary has no token for some byte')
    this.pairs = new Pairs(merges.length)
    for (const [rank, merge] of merges.entries()) {
      const [left, right] = typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge
      const ids = [vocab[left], vocab[right], vocab[left + right]]
      if (ids.includes(undefined)) throw new Error(`a vocabulary merges ${left} and ${right}, and lacks a token for it`)
      this.pairs.add(ids as [number, number, number], rank)
    }
    this.whole = ignoreMerges ? new ByBytes(this, tokens) : null
  }

  /** What a token stands for; nothing for an id outside the vocabulary. A view, not to be changed. */
  bytesOf(id: number): Uint8Array {
    if (!Number.isInteger(id) || id < 0 || id >= this.bytesAt.length - 1) return NOTHING
    return this.bytes.subarray(this.bytesAt[id], this.bytesAt[id + 1])
  }

  /** Appends the tokens of a word of at most `MOST_BYTES`. */
  encode(word: Uint8Array, ids: number[]): void {
    const known = this.whole?.find(word) ?? NONE
    if (known !== NONE) ids.push(known)
    else this.merge(word, ids)
  }

  private merge(word: Uint8Array, ids: number[]): void {
    const { pairs, scratch } = this
    const { token, next, before, pair, queue } = scratch
    const end = word.length
    queue.clear()
    const look = (at: number) => {
      const after = next[at]!
      const found = after < end ? pairs.find(token[at]!, token[after]!) : NONE
      pair[at] = found
      if (found !== NONE) queue.add(pairs.rank[found]!, at)
    }
    for (let at = 0; at < end; at++) {
      token[at] = this.ofByte[word[at]!]!
      next[at] = at + 1
      before[at] = at - 1
    }
    for (let at = 0; at < end; at++) look(at)
    for (let first = queue.take(); first !== null; first = queue.take()) {
      const { at, rank } = first
      const found = pair[at]!
      // What stood here has been merged meanwhile.
      if (found === NONE || pairs.rank[found] !== rank) continue
      const gone = next[at]!
      token[at] = pairs.merged[found]!
      next[at] = next[gone]!
      if (next[at]! < end) before[next[at]!] = at
      pair[gone] = NONE
      look(at)
      if (before[at]! >= 0) look(before[at]!)
    }
    for (let at = 0; at < end; at = next[at]!) ids.push(token[at]!)
  }
}

/** Merges by the two tokens they join: a hash table in arrays. */
class Pairs {
  readonly rank: Int32Array
  readonly merged: Int32Array
  private readonly left: Int32Array
  private readonly right: Int32Array
  private readonly mask: number

  constructor(count: number) {
    const size = powerOfTwo(2 * count)
    this.mask = size - 1
    this.rank = new Int32Array(size)
    this.merged = new Int32Array(size)
    this.left = new Int32Array(size).fill(NONE)
    this.right = new Int32Array(size)
  }

  /** Of two merges of the same tokens the first learnt counts. */
  add([left, right, merged]: [number, number, number], rank: number): void {
    if (this.find(left, right) !== NONE) return
    let slot = hashOf(left, right) & this.mask
    while (this.left[slot] !== NONE) slot = (slot + 1) & this.mask
    this.left[slot] = left
    this.right[slot] = right
    this.merged[slot] = merged
    this.rank[slot] = rank
  }

  /** Where `rank` and `merged` have it, or NONE. */
  find(left: number, right: number): number {
    for (let slot = hashOf(left, right) & this.mask; ; slot = (slot + 1) & this.mask) {
      if (this.left[slot] === NONE) return NONE
      if (this.left[slot] === left && this.right[slot] === right) return slot
    }
  }
}

/** Ids by what they stand for. */
class ByBytes {
  private readonly slots: Int32Array
  private readonly mask: number

  constructor(
    private readonly bpe: Pick<Bpe, 'bytesOf'>,
    tokens: readonly { id: number; bytes: Uint8Array }[],
  ) {
    const size = powerOfTwo(2 * tokens.length)
    this.mask = size - 1
    this.slots = new Int32Array(size).fill(NONE)
    for (const { id, bytes } of tokens) {
      let slot = hashOfBytes(bytes) & this.mask
      while (this.slots[slot] !== NONE) slot = (slot + 1) & this.mask
      this.slots[slot] = id
    }
  }

  find(bytes: Uint8Array): number {
    for (let slot = hashOfBytes(bytes) & this.mask; ; slot = (slot + 1) & this.mask) {
      const id = this.slots[slot]!
      if (id === NONE || equal(this.bpe.bytesOf(id), bytes)) return id
    }
  }
}

/** What merging needs for one word, kept for the next. */
class Scratch {
  readonly token = new Int32Array(MOST_BYTES)
  readonly next = new Int32Array(MOST_BYTES)
  readonly before = new Int32Array(MOST_BYTES)
  readonly pair = new Int32Array(MOST_BYTES)
  readonly queue = new Queue()
}

/** Places by rank, then from left to right: a binary heap. No place is added more than three times. */
class Queue {
  private readonly keys = new Float64Array(3 * MOST_BYTES + 1)
  private size = 0

  clear(): void {
    this.size = 0
  }

  add(rank: number, at: number): void {
    const key = rank * MOST_BYTES + at
    let place = this.size++
    while (place > 0) {
      const parent = (place - 1) >> 1
      if (this.keys[parent]! <= key) break
      this.keys[place] = this.keys[parent]!
      place = parent
    }
    this.keys[place] = key
  }

  take(): { rank: number; at: number } | null {
    if (this.size === 0) return null
    const first = this.keys[0]!
    const last = this.keys[--this.size]!
    let place = 0
    for (;;) {
      let child = 2 * place + 1
      if (child >= this.size) break
      if (child + 1 < this.size && this.keys[child + 1]! < this.keys[child]!) child++
      if (this.keys[child]! >= last) break
      this.keys[place] = this.keys[child]!
      place = child
    }
    this.keys[place] = last
    return { rank: Math.floor(first / MOST_BYTES), at: first % MOST_BYTES }
  }
}

/** Byte-level vocabularies write bytes as letters: printable Latin-1 as itself, the rest from U+0100 on. */
const byteOfLetter = new Map<string, number>()
let following = 0x100
for (let byte = 0; byte < 256; byte++) {
  const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
  byteOfLetter.set(String.fromCharCode(printable ? byte : following++), byte)
}

function bytesOfLetters(text: string): Uint8Array {
  return Uint8Array.from(text, (letter) => byteOfLetter.get(letter) ?? 0x3f)
}

function powerOfTwo(least: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(2, least)))
}

function hashOf(left: number, right: number): number {
  const mixed = Math.imul(Math.imul(left, 0x9e3779b1) ^ right, 0x85ebca6b)
  return mixed ^ (mixed >>> 15)
}

function hashOfBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5 | 0
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash ^ (hash >>> 15)
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return false
  return true
}
