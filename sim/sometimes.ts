// States that are rare and that the hub must get right. A run that never reaches one of them has gone blind to it, and
// fails, however green it is.
import type { LogFields } from '../hub/log.ts'
import type { Row } from './judge.ts'
import { isResumed } from './question.ts'
import type { Visit } from './visit.ts'

export const RARE = [
  // What clients live through.
  'a second host answered',
  'a third host answered',
  'an answer went on by ids',
  'an answer went on by text',
  'an answer went on twice',
  'an answer failed in its middle',
  'no host was there',
  'all hosts failed',
  'a client left before the first token',
  'a client left in the middle',
  'a client left while its charge was on the way',
  'a client did not read',
  'a whole answer found nobody',
  'an answer was given again',
  'a request was running already',
  'a stream had ended already',
  'a client wanted one host or none',
  'a request waited for a place',
  'a body came too late',
  'a key had too many requests',
  'a balance was too low',
  'a revoked key was refused',
  'two hosts blamed the request',
  'an answer was cut to its limit',
  // What hosts live through.
  'a late frame arrived',
  'a host broke the wire',
  'a host was linked over',
  'a clone was sent away',
  'a host went silent',
  'a host refused an attempt',
  'a host gave an answer back',
  'a linked token was revoked',
  'an engine came back',
  // What hubs live through.
  'a hub stood still',
  'a hub died with requests under way',
  'a hub died between charge and end',
  'a hub drained to the end',
  'a hub drained in vain',
  'a hub was found silent',
  'a hub enrolled anew',
  'something outlived its hub',
  // What the books live through.
  'a commit was done again',
  'a settlement was given up',
  'the books were away at admission',
] as const
export type Rare = (typeof RARE)[number]

/** What a hub's log tells. */
export function rareInLog(event: string, { code, grants, requests }: LogFields): Rare | null {
  switch (event) {
    case 'hub stood still':
      return 'a hub stood still'
    case 'ledger.hub_silent':
      return 'a hub was found silent'
    case 'ledger.enrolled_anew':
      return 'a hub enrolled anew'
    case 'ledger.swept':
      return Number(requests) > 0
        ? 'a hub died between charge and end'
        : Number(grants) > 0
          ? 'something outlived its hub'
          : null
    case 'ledger.retry':
      return 'a commit was done again'
    case 'attempt failed':
      return rareFailure(String(code))
    default:
      return null
  }
}

function rareFailure(code: string): Rare | null {
  if (code === 'superseded') return 'a host was linked over'
  if (code === 'silent') return 'a host went silent'
  if (code === 'bad_token') return 'a linked token was revoked'
  if (code === 'stopping') return 'a host gave an answer back'
  if (code.startsWith('refused:')) return 'a host refused an attempt'
  return null
}

/** What became of one request. */
export function rareInVisit(visit: Visit, row: Row | undefined): Rare[] {
  const { error, story, gone, outcome, attempts } = visit
  const completed = row?.state === 'completed'
  const begun = story.begun
  const seen: [Rare, boolean][] = [
    ['a second host answered', completed && attempts.length === 2],
    ['a third host answered', completed && attempts.length === 3],
    ['an answer went on twice', completed && attempts.filter(({ body }) => isResumed(body)).length > 1],
    ['an answer failed in its middle', story.error !== null && begun],
    ['no host was there', error === 'no_capacity' && attempts.length === 0],
    ['all hosts failed', (error ?? story.error) === 'upstream_error' && attempts.length > 1],
    ['a client left before the first token', gone && attempts.length > 0 && !begun],
    ['a client left in the middle', row?.state === 'cancelled' && row.cost > 0n],
    ['a client left while its charge was on the way', gone && completed && !story.done],
    ['a client did not read', visit.congested],
    ['a whole answer found nobody', row?.state === 'lost' && outcome === 'left' && !visit.ask.body.stream],
    ['an answer was given again', visit.replayed],
    ['a request was running already', error === 'idempotency_in_progress'],
    ['a stream had ended already', error === 'idempotency_completed'],
    ['a client wanted one host or none', !visit.errand.failover && story.error !== null],
    ['a body came too late', error === 'request_body_timeout'],
    ['a key had too many requests', error === 'rate_limit_exceeded'],
    ['a balance was too low', error === 'insufficient_quota'],
    ['a revoked key was refused', error === 'invalid_api_key'],
    ['two hosts blamed the request', error === 'invalid_request' && attempts.length > 1],
    ['an answer was cut to its limit', completed && attempts.at(-1)?.state === 'cancelled'],
    ['a settlement was given up', (error ?? story.error) === 'hub_unavailable' && begun],
    ['the books were away at admission', error === 'hub_unavailable' && attempts.length === 0],
  ]
  return seen.filter(([, is]) => is).map(([rare]) => rare)
}
