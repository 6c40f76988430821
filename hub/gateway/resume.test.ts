import { expect, test } from 'bun:test'
import { type Broken, type Way, wayOn } from './resume.ts'

type Change = { [K in keyof Broken]?: Broken[K] extends ReadonlySet<Way> ? Way[] : Partial<Broken[K]> }

/** A stream of plain text by a model without thoughts, half told, and a seat that takes token ids. */
function half(change: Change = {}): Broken {
  return {
    traits: { several: false, logprobs: false, structured: false, tools: false, ...change.traits },
    failover: change.failover === undefined ? true : (change.failover as boolean),
    visible: change.visible === undefined ? true : (change.visible as boolean),
    said: { anything: true, thoughts: false, calls: false, tokens: 50, ...change.said },
    reads: { thoughts: true, calls: true, ...change.reads },
    room: { promptTokens: 100, maxTokens: 200, allOfIt: true, ...change.room },
    seat: { tokenIds: true, contextTokens: 1_000, ...change.seat },
    refused: new Set(change.refused as Way[] | undefined),
  }
}

const nothing = { anything: false, tokens: null }
const noIds = { tokenIds: false }
const whole = { visible: false }
const alone = { failover: false }

test.each<[string, Change, Way | null]>([
  ['nothing was said yet', { said: nothing, ...whole }, 'restart'],
  ['plain text', {}, 'ids'],
  ['plain text, engine without ids', { seat: noIds }, 'text'],
  ['plain text, ids refused', { refused: ['ids'] }, 'text'],
  ['plain text, all ways refused', { refused: ['ids', 'text'] }, null],
  ['plain text, all ways refused, unseen', { refused: ['ids', 'text'], ...whole }, 'restart'],
  ['plain text, unseen', { ...whole }, 'ids'],
  ['plain text, unseen, engine without ids', { ...whole, seat: noIds }, 'restart'],
  ['plain text, no failover', { ...alone }, null],
  ['plain text, no failover, unseen', { ...alone, ...whole }, 'restart'],
  ['plain text, too large to keep', { said: { tokens: null } }, null],
  ['plain text, too large to keep, unseen', { said: { tokens: null }, ...whole }, 'restart'],
  ['all its tokens were said', { said: { tokens: 200 } }, 'finish'],
  ['all its tokens were said, engine without ids', { said: { tokens: 201 }, seat: noIds }, 'finish'],
  ['all its tokens were said, no failover', { said: { tokens: 200 }, ...alone }, null],
  ['the seat has room for exactly the rest', { seat: { contextTokens: 300 } }, 'ids'],
  ['the seat has too little room', { seat: { contextTokens: 299 } }, null],
  ['the seat has room for a little', { seat: { contextTokens: 151 }, room: { allOfIt: false } }, 'ids'],
  ['the seat has room for nothing more', { seat: { contextTokens: 150 }, room: { allOfIt: false } }, null],
  [
    'the seat has room only for the prompt, unseen',
    { seat: { contextTokens: 150 }, room: { allOfIt: false }, ...whole },
    'restart',
  ],
  ['nothing was said, and the seat is too small', { said: nothing, ...whole, seat: { contextTokens: 299 } }, null],
  ['after thoughts', { said: { thoughts: true } }, 'ids'],
  ['after thoughts the hub cannot read', { said: { thoughts: true }, reads: { thoughts: false } }, null],
  ['after thoughts, engine without ids', { said: { thoughts: true }, seat: noIds }, null],
  ['after thoughts, engine without ids, unseen', { said: { thoughts: true }, seat: noIds, ...whole }, 'restart'],
  ['tools on offer', { traits: { tools: true } }, 'ids'],
  ['tools on offer, calls the hub cannot read', { traits: { tools: true }, reads: { calls: false } }, 'text'],
  ['tools on offer, engine without ids', { traits: { tools: true }, seat: noIds }, 'text'],
  [
    'tools on offer, after thoughts, calls the hub cannot read',
    { traits: { tools: true }, said: { thoughts: true }, reads: { calls: false } },
    null,
  ],
  ['a call was sent', { traits: { tools: true }, said: { calls: true } }, null],
  ['a call was heard, unseen', { traits: { tools: true }, said: { calls: true }, ...whole }, 'restart'],
  ['structured, all of it held back', { traits: { structured: true }, said: nothing, ...whole }, 'restart'],
  ['structured, seen because it grew too large', { traits: { structured: true }, said: { tokens: null } }, null],
  ['several choices', { traits: { several: true }, said: { tokens: null } }, null],
  ['several choices, unseen', { traits: { several: true }, said: { tokens: null }, ...whole }, 'restart'],
  ['log probabilities', { traits: { logprobs: true } }, null],
  ['log probabilities, unseen', { traits: { logprobs: true }, ...whole }, 'restart'],
])('%s', (_, change, way) => {
  expect(wayOn(half(change))).toBe(way)
})
