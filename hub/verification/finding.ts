// What a hub makes of a new host's answer to a question of its own: does it run this model at all, does it count as the
// hub does, is it fast enough? It says nothing about a cheat that answers these well: that is what audits are for.
import type { AnswerCount } from '../metering/count.ts'

export interface Finding {
  passed: boolean
  /** In a sentence, for its owner and the team. */
  finding: string
  /** Of the answer after its first token; null: too short to say. */
  tokensPerSecond: number | null
}

export interface Heard {
  /** All it said, thoughts included. */
  text: string
  /** Words it was asked to say, in order; none: this model cannot be asked to say anything. */
  words: readonly string[]
  promptTokens: number
  /** What the engine says the prompt was; null: it does not say. */
  claimedPrompt: number | null
  count: AnswerCount
  /** From the first token to the end, milliseconds. */
  decodeMs: number
  leastTokensPerSecond: number
}

/** Templates differ a little between engines; another model's differs more. */
const PROMPT_SHARE = 0.05
const PROMPT_TOKENS = 12
/** A small model may drop some. */
const WORDS_SHARE = 0.7
/** Fewer tell no speed. */
const LEAST_TOKENS = 16

export function judgeAnswer(heard: Heard): Finding {
  const { promptTokens, claimedPrompt, count, words, decodeMs, leastTokensPerSecond } = heard
  const timed = count.hub >= LEAST_TOKENS
  const speed = timed ? ((count.hub - 1) * 1_000) / Math.max(1, decodeMs) : null
  const tokensPerSecond = speed === null ? null : Math.round(speed * 10) / 10
  const failed = (finding: string): Finding => ({ passed: false, finding, tokensPerSecond })
  if (count.hub === 0) return failed('It answered with nothing.')
  if (claimedPrompt !== null && Math.abs(claimedPrompt - promptTokens) > tolerance(promptTokens))
    return failed(
      `Its engine counts ${claimedPrompt} tokens in a prompt of ${promptTokens}: it seems to run another model.`,
    )
  if (count.flagged) return failed(`It counts other tokens in its answer than the hub does (${count.hub}).`)
  const said = wordsSaid(heard.text, words)
  if (said < words.length * WORDS_SHARE)
    return failed(`It was asked to say ${words.length} words and said ${said} of them.`)
  if (tokensPerSecond !== null && tokensPerSecond < leastTokensPerSecond)
    return failed(`It made ${tokensPerSecond} tokens a second; at least ${leastTokensPerSecond} are asked.`)
  const speedWords = tokensPerSecond === null ? '' : `, ${tokensPerSecond} tokens a second`
  return { passed: true, finding: `It answered as it should${speedWords}.`, tokensPerSecond }
}

function tolerance(promptTokens: number): number {
  return Math.max(PROMPT_TOKENS, promptTokens * PROMPT_SHARE)
}

/** How many of `words` are in `text`, each after the one before. */
function wordsSaid(text: string, words: readonly string[]): number {
  const spoken = text.toLowerCase()
  let at = 0
  let said = 0
  for (const word of words) {
    const found = spoken.indexOf(word, at)
    if (found < 0) continue
    at = found + word.length
    said++
  }
  return said
}
