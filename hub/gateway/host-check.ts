// The question a hub asks a new host, over the path any request takes, but for the queue: that host and no other is asked.
import { charge, split, type TokenCount } from '../../sdk/money.ts'
import { tokenizerOf } from '../catalog/find.ts'
import { leastTokensPerSecond } from '../catalog/size.ts'
import { type Finding, judgeAnswer } from '../verification/finding.ts'
import { readAsk } from './ask.ts'
import { attemptOn } from './attempt.ts'
import type { Platform } from './platform.ts'
import type { Piece } from './engine.ts'
import { asItCame } from './question.ts'

const MOST_TOKENS = 400
const FIRST_TOKEN_MS = 30_000
const GAP_MS = 10_000
const LIFETIME_MS = 60_000
const HOW_MANY = 24
/** Nothing that a card should not have to say, each a token or two in any vocabulary. */
const WORDS =
  'apple river stone cloud bread winter garden silver window candle forest mirror pocket hammer yellow island butter ladder rocket saddle tunnel velvet walnut zipper anchor basket copper dragon engine feather'.split(
    ' ',
  )

/** Null: the host cannot be asked just now. */
export async function checkHost(
  hub: Platform,
  { hostId, variant }: { hostId: string; variant: string },
): Promise<Finding | null> {
  const seat = hub.turns.get({ hostId, variant })
  const offer = hub.offers.find(variant)
  // One that is at work would seem slow.
  if (!seat || !offer || seat.link.streamCount > 0 || seat.link.running > 0) return null
  const tokenizer = tokenizerOf(offer)
  const words = Array.from(hub.env.random(HOW_MANY), (byte) => WORDS[byte % WORDS.length]!)
  const content = `Write these words once more, in this order, with spaces between them and nothing else: ${words.join(' ')}`
  const request = { model: variant, messages: [{ role: 'user', content }], temperature: 0, stream: true }
  const ask = readAsk('chat', new TextEncoder().encode(JSON.stringify(request)))
  const { tokens: promptTokens } = await hub.meter.countPrompt(tokenizer, ask.prompt)
  const maxTokens = Math.min(MOST_TOKENS, offer.variant.maxOutputTokens, seat.contextTokens - promptTokens)
  const said = { content: '', reasoning: '', ids: [] as number[] | null, tokens: 0 }
  const beganAt = hub.awake.mono()
  const question = asItCame(ask, { model: offer.id, maxTokens, cacheSalt: hub.cacheSalt(`check ${hostId}`) })
  const outcome = await attemptOn(seat, 1, question, {
    awake: hub.awake,
    signal: hub.stopping,
    patience: { firstTokenMs: FIRST_TOKEN_MS, gapMs: GAP_MS },
    firstTokenBy: beganAt + FIRST_TOKEN_MS,
    endBy: beganAt + LIFETIME_MS,
    couldMove: () => true,
    begun: () => {},
    piece: (piece) => hear(said, piece),
    // A host that goes on for ever is not listened to for ever.
    enough: () => said.tokens > 2 * maxTokens,
    whenTaken: (then) => then(),
  })
  if (outcome.kind === 'failed')
    // Nobody's fault but the hub's, or the owner wanted the card back: asked another time.
    return outcome.failure.class === 'hub' || seat.link.draining ? null : failed(outcome.failure.message)
  if (outcome.kind === 'blamed') return failed(`Its engine refused a plain question with status ${outcome.status}.`)
  if (outcome.kind === 'stopped') return null
  const { content: text, reasoning, ids } = said
  const count = await hub.meter.countAnswer(tokenizer, {
    ...{ content: text, reasoning, toolCalls: [], ids, claimed: outcome.claim.completion },
  })
  const finding = judgeAnswer({
    ...{ text: reasoning + text, promptTokens, claimedPrompt: outcome.claim.prompt, count },
    // What the emulated model says follows from nothing but the prompt.
    words: tokenizer === 'emulated' ? [] : words,
    decodeMs: hub.awake.mono() - beganAt - outcome.timing.firstTokenMs,
    leastTokensPerSecond: leastTokensPerSecond(offer.model),
  })
  await pay(hub, { hostId, variant }, { prompt: promptTokens, completion: count.completion })
  return finding
}

/** The work was done, whatever it was worth. */
async function pay(
  hub: Platform,
  { hostId, variant }: { hostId: string; variant: string },
  tokens: TokenCount,
): Promise<void> {
  const offer = hub.offers.find(variant)
  if (!offer) return
  const { share } = split(charge(hub.prices.current(offer), tokens), hub.config.feePpm)
  if (share === 0n) return
  const key = `check:${hostId}:${variant}:${hub.env.now()}`
  await hub.ledger.payForCheck({ hostId, amount: share, key, note: `The hub’s own question to ${variant}` })
}

function hear(said: { content: string; reasoning: string; ids: number[] | null; tokens: number }, piece: Piece): void {
  said.content += piece.content
  said.reasoning += piece.reasoning
  said.tokens += piece.ids?.length ?? 1
  if (piece.ids === null) said.ids = null
  else said.ids?.push(...piece.ids)
}

function failed(why: string): Finding {
  return { passed: false, finding: `It could not answer a plain question: ${why}`, tokensPerSecond: null }
}
