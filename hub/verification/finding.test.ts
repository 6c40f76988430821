import { expect, test } from 'bun:test'
import { type Heard, judgeAnswer } from './finding.ts'

const words = ['apple', 'river', 'stone', 'cloud', 'bread', 'winter', 'garden', 'silver', 'window', 'candle']
const honest: Heard = {
  ...{ text: `<think>\nEasy.\n</think>\n${words.join(' ')}`, words, promptTokens: 60, claimedPrompt: 60 },
  ...{ count: { completion: 31, hub: 31, flagged: false }, decodeMs: 1_000, leastTokensPerSecond: 15 },
}

test.each<[string, Partial<Heard>, boolean, string]>([
  ['an honest answer', {}, true, 'It answered as it should, 30 tokens a second.'],
  ['one whose engine says no counts', { claimedPrompt: null }, true, 'as it should'],
  ['a prompt that is a little longer', { claimedPrompt: 70 }, true, 'as it should'],
  ['a prompt of another model', { claimedPrompt: 91 }, false, 'counts 91 tokens in a prompt of 60'],
  ['nothing', { count: { completion: 0, hub: 0, flagged: false } }, false, 'nothing'],
  ['tokens that nobody saw', { count: { completion: 31, hub: 31, flagged: true } }, false, 'other tokens'],
  ['other words', { text: 'I am sorry, I cannot do that.' }, false, 'asked to say 10 words and said 0'],
  ['words in another order', { text: words.toReversed().join(' ') }, false, 'said 1 of them'],
  ['a few words less', { text: words.slice(0, 7).join(' ') }, true, 'as it should'],
  ['a slow card', { decodeMs: 2_100 }, false, 'It made 14.3 tokens a second; at least 15 are asked'],
  [
    'an answer too short to time',
    { count: { completion: 9, hub: 9, flagged: false }, decodeMs: 9_000 },
    true,
    'as it should.',
  ], // prettier-ignore
  ['a model of no words', { words: [], text: 'mi fa so' }, true, 'as it should'],
])('%s', (_, changes, passed, words) => {
  const finding = judgeAnswer({ ...honest, ...changes })
  expect([finding.passed, finding.finding]).toEqual([passed, expect.stringContaining(words)])
})
