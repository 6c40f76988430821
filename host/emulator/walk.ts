// The emulated model: the next token as a pure function of all ids before it and of the model's seed.
//
// `Walk` is a fold over ids. It needs no memory of how they came about: given the ids of a prompt and half an answer,
// wherever they come from, it goes on exactly as the model that began would have. Ids the model would not have said
// itself throw it off its script; it then finishes the sentence somehow and speaks on, differently: a wrong id early
// in an answer changes everything after it, as with a real model.
import { decode, encode, mark, vocabularySize } from '../../sdk/wire/vocabulary.ts'
import { bridges, closings, type Link, openings, type Phrase, sentences } from './phrases.ts'

const SHORTEST_TOKENS = 60
const SPREAD_TOKENS = 130
/** How far back the walk looks for words to talk about. */
const TOPIC_REACH = 512
const MAX_TOPICS = 4

type Tail = 'mark' | 'newline' | 'space' | 'stop' | 'word'
type Part = 'opening' | 'sentence' | 'closing' | 'end'

const NEWLINE = encode('\n')[0]!
const PARAGRAPH = encode('\n\n')[0]!

export class Walk {
  private readonly ids: number[] = []
  private hash: number
  /** Tokens said in a row that the model would have said itself; 0 while off the script. */
  private run = 0
  private target = 0
  private topics: number[][] = []
  /** Sentences begun in this run, and the last one's place in its list. */
  private begun = 0
  private place: number | null = null
  private part: Part = 'opening'
  private links: Link[] = []
  private queue: readonly number[] = []
  private queueAt = 0
  private upcoming: Phrase | null = null

  constructor(seed: number) {
    this.hash = mix(0x9e3779b9 ^ seed, seed)
  }

  /** The next token; `mark.end` when the answer is complete, unless `ignoreEnd` asks for more. */
  next(ignoreEnd = false): number {
    if (this.queueAt >= this.queue.length) this.refill()
    if (this.part === 'end' && !ignoreEnd && this.queueAt === 0) return mark.end
    return this.queue[this.queueAt]!
  }

  /** Takes a token as said, by whomever. */
  push(id: number): void {
    const expected = this.next(true)
    this.ids.push(id)
    this.hash = mix(this.hash, id)
    if (id === expected) this.advance()
    else this.leaveScript()
  }

  /** A 32-bit number that depends on every id so far: what sampling draws from. */
  draw(salt: number): number {
    return mix(mix(this.hash, salt), 0x5bd1e995)
  }

  private advance(): void {
    if (this.run === 0) this.enterScript()
    this.run++
    this.queueAt++
    if (this.upcoming) {
      this.begun++
      this.links = [...this.upcoming.rest]
      this.upcoming = null
      if (this.part === 'end') this.part = 'sentence'
    }
  }

  private enterScript(): void {
    this.target = SHORTEST_TOKENS + (this.draw(1) % SPREAD_TOKENS)
    this.topics = topicsOf(this.ids)
  }

  private leaveScript(): void {
    this.run = 0
    this.begun = 0
    this.place = null
    this.links = []
    this.queue = []
    this.queueAt = 0
    this.upcoming = null
    this.part = 'opening'
  }

  /** Fills the queue with the next link of this sentence, or the first of another. */
  private refill(): void {
    this.queueAt = 0
    const link = this.links.shift()
    if (link) {
      this.queue = 'topic' in link ? pick(this.topics, this.draw(2)) : pick(link.choices, this.draw(3))
      return
    }
    if (this.run === 0) return this.start()
    if (this.part === 'closing') this.part = 'end'
    else this.part = this.run >= this.target ? 'closing' : 'sentence'
    const fresh = this.ids.at(-1) === PARAGRAPH
    if (this.part === 'sentence' && !fresh && this.begun % 4 === 3) this.queue = [PARAGRAPH]
    else this.begin(this.part === 'closing' ? closings : sentences, !fresh)
  }

  /** Off the script: something to say after ids that are not ours. The first id never depends on topics. */
  private start(): void {
    const tail = tailOf(this.ids.at(-1) ?? mark.end)
    this.part = tail === 'mark' ? 'opening' : 'sentence'
    if (tail === 'mark') return this.begin(openings, false)
    if (tail === 'word') return this.begin(bridges, false)
    this.begin(sentences, tail === 'stop')
    // A space before a word would melt into the word's own token, so that the text would have another encoding.
    if (tail === 'space') this.queue = [NEWLINE, ...this.queue]
  }

  /** Sentences are written so that they follow each other well: one of the next two is taken. */
  private begin(phrases: readonly Phrase[], joined: boolean): void {
    const draw = this.draw(4)
    const follows = phrases === sentences && this.place !== null
    const place = (follows ? this.place! + 1 + (draw % 2) : draw) % phrases.length
    if (phrases === sentences) this.place = place
    this.upcoming = phrases[place]!
    this.queue = joined ? this.upcoming.first.joined : this.upcoming.first.alone
  }
}

function pick<T>(choices: readonly T[], draw: number): T {
  return choices[draw % choices.length]!
}

/** One round of MurmurHash3, as an unsigned 32-bit number. */
function mix(hash: number, value: number): number {
  let k = Math.imul(value, 0xcc9e2d51)
  k = Math.imul((k << 15) | (k >>> 17), 0x1b873593)
  let h = hash ^ k
  h = Math.imul((h << 13) | (h >>> 19), 5) + 0xe6546b64
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  return (h ^ (h >>> 13)) >>> 0
}

const tails: Tail[] = []

function tailOf(id: number): Tail {
  if (id < 16 || id >= vocabularySize()) return 'mark'
  return (tails[id] ??= tailOfText(decode([id])))
}

function tailOfText(text: string): Tail {
  if (/[\n\r]$/.test(text)) return 'newline'
  if (/\s$/.test(text)) return 'space'
  return /[.!?:;")\]]$/.test(text) ? 'stop' : 'word'
}

const WORD = /[\p{L}\p{M}]{2,24}|\p{Extended_Pictographic}/gu
const SAID_OFTEN = new Set(
  (
    'about after again also answer asks because been before being best both briefly call could count does down each ' +
    'every example explain find from give have help here into just know later less like list long make many more most ' +
    'much need only other over please question really reply said sentence short should show some step such tell than ' +
    'that their them then there these they thing things think this those tool under using very want well were what ' +
    'when where which while will with word words work would write your hello thanks'
  ).split(' '),
)

/** What the last question is about: a few of its words, each encoded as it stands between spaces. */
function topicsOf(ids: readonly number[]): number[][] {
  const found = new Set<string>()
  for (const [word] of lastQuestion(ids).matchAll(WORD)) {
    if (/^[A-Za-z]{2,3}$/.test(word) || SAID_OFTEN.has(word.toLowerCase())) continue
    found.add(word)
    if (found.size === MAX_TOPICS) break
  }
  const words = found.size > 0 ? [...found] : ['this question']
  return words.map((word) => encode(` ${word}`))
}

function lastQuestion(ids: readonly number[]): string {
  const from = Math.max(0, ids.lastIndexOf(mark.user))
  const ends = ids.indexOf(mark.end, from)
  const to = ends < 0 ? ids.length : ends
  return decode(ids.slice(Math.max(from, to - TOPIC_REACH), to))
}
