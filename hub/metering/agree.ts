// The token ids another engine goes on from when the one that began an answer is gone. The ids a host reports are a
// stranger's word: they count as far as they say exactly what the client was sent, and in no more tokens than a model
// would need. For the rest the hub's own encoding of the text stands in, so that a host that lies never changes what
// the next one is asked.
import type { TokenizerName } from '../catalog/records.ts'
import { loadTokenizer, type ModelTokenizer } from './tokenizers.ts'

export interface Said {
  /** As the client was sent it. */
  text: string
  /** As the host reported them; null: it reported none. */
  ids: readonly number[] | null
  /**
   * Characters the ids may say beyond the text: an engine holds back what could begin a stop string, and has produced
   * the tokens all the same.
   */
  aheadChars: number
}

export interface Agreed {
  ids: number[]
  /** What the ids say: the text, and what the engine had held back of it. */
  text: string
  /** Tokens the text alone took, at most. */
  tokens: number
}

/** A model writes a word in other tokens than the encoder would now and then. Not more often than that. */
const MOST_EXTRA_SHARE = 0.01

export function agree(name: TokenizerName, said: Said): Agreed {
  const tokenizer = loadTokenizer(name)
  const own = tokenizer.encodeAnswer(said.text)
  const agreed = said.ids ? longestAgreeing(tokenizer, said, said.ids) : []
  const words = tokenizer.decode(agreed)
  const text = words.length > said.text.length ? words : said.text
  const theirs = words.length < text.length ? [...agreed, ...tokenizer.encodeAnswer(text.slice(words.length))] : agreed
  const ahead = text.length > said.text.length
  const plain = ahead ? tokenizer.encodeAnswer(text) : own
  const most = Math.floor(plain.length * (1 + MOST_EXTRA_SHARE))
  const ids = theirs.length <= most ? theirs : plain
  // A text that ends in the middle of a word takes more tokens to write than the model took to get further.
  return { ids, text, tokens: Math.min(own.length, ids.length) }
}

/** The longest beginning of `ids` that says the beginning of the text, all of it, or all and a little more. */
function longestAgreeing(tokenizer: ModelTokenizer, said: Said, ids: readonly number[]): number[] {
  const mute = ids.findIndex((id) => !tokenizer.shows(id))
  let least = 0
  let most = mute < 0 ? ids.length : mute
  const agrees = (length: number) => fits(withoutHalf(tokenizer.decode(ids.slice(0, length))), said)
  // Nearly always all of them do.
  if (!agrees(most)) {
    while (least < most - 1) {
      const middle = (least + most) >> 1
      if (agrees(middle)) least = middle
      else most = middle
    }
    most = least
  }
  // Half a character is no place to go on from. None is longer than four tokens.
  for (let length = most; length > Math.max(0, most - 4); length--)
    if (fits(tokenizer.decode(ids.slice(0, length)), said)) return ids.slice(0, length)
  return []
}

function fits(words: string, { text, aheadChars }: Said): boolean {
  return words.length <= text.length
    ? text.startsWith(words)
    : words.length <= text.length + aheadChars && words.startsWith(text) && !words.endsWith(HALF)
}

/** What stands for bytes that are no character yet. */
const HALF = '\uFFFD'

function withoutHalf(words: string): string {
  return words.replace(/\uFFFD+$/, '')
}
