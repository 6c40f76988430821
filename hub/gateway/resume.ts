// Where an answer goes on whose host has failed: one pure function, and the order in which it asks its questions.
import type { Traits } from './traits.ts'

/**
 * `restart`: the request as it came; nobody has seen anything of the answer. `ids`: by token ids, exactly where it broke
 * off. `text`: as a conversation whose last message is half an answer. `finish`: nothing is missing but its end.
 */
export type Way = 'restart' | 'ids' | 'text' | 'finish'

export interface Broken {
  traits: Pick<Traits, 'several' | 'logprobs' | 'structured' | 'tools'>
  /** False: the client wants one host's answer or none. */
  failover: boolean
  /** The client has seen something of the answer. */
  visible: boolean
  said: {
    anything: boolean
    thoughts: boolean
    calls: boolean
    /** Tokens of what was said; null: it grew too large to be kept for another host. */
    tokens: number | null
  }
  /** What the hub can read in the model's raw output without the engine's parsers. */
  reads: { thoughts: boolean; calls: boolean }
  /** `allOfIt`: the client said how many tokens it wants, so the seat must have room for them. */
  room: { promptTokens: number; maxTokens: number; allOfIt: boolean }
  seat: { tokenIds: boolean; contextTokens: number }
  /** Ways an engine has refused to go on. */
  refused: ReadonlySet<Way>
}

/** Null: not on this seat. */
export function wayOn(broken: Broken): Way | null {
  const { visible, said, seat, room, refused } = broken
  if (said.anything && continuable(broken)) {
    const tokens = said.tokens ?? 0
    if (tokens >= room.maxTokens) return 'finish'
    if (fits(seat, room, tokens)) {
      if (!refused.has('ids') && byIds(broken)) return 'ids'
      // What nobody has seen is better said anew than joined where the join could differ.
      if (!refused.has('text') && visible && !said.thoughts) return 'text'
    }
  }
  return visible || !fits(seat, room, 0) ? null : 'restart'
}

/** One plain text, perhaps after thoughts: the only kind that two hosts can say together. */
function continuable({ traits, failover, said }: Broken): boolean {
  if (!failover || said.tokens === null || said.calls) return false
  // A grammar begins at its root wherever it is asked to go on; choices and log probabilities cannot be joined.
  return !traits.several && !traits.logprobs && !traits.structured
}

/** Ids come back unparsed: where the answer is more than plain text, the hub has to know how the model writes. */
function byIds({ traits, said, reads, seat }: Broken): boolean {
  return seat.tokenIds && (!traits.tools || reads.calls) && (!said.thoughts || reads.thoughts)
}

function fits(seat: Broken['seat'], { promptTokens, maxTokens, allOfIt }: Broken['room'], said: number): boolean {
  return promptTokens + (allOfIt ? maxTokens : said + 1) <= seat.contextTokens
}
