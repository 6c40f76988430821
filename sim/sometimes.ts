// States that are rare and that the hub must get right. A run that never reaches one of them has gone blind to it, and
// fails, however green it is.
import type { LogFields } from '../hub/log.ts'

export const RARE = [
  // What clients live through.
  'a second host answered',
  'a third host answered',
  'an answer failed in its middle',
  'no host was there',
  'all hosts failed',
  'a client left before the first token',
  'a client left in the middle',
  'a client left while its charge was on the way',
  'a client did not read',
  'a whole answer found nobody',
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
  if (code === 'stopping' || code === 'refused:draining') return 'a host gave an answer back'
  if (code.startsWith('refused:')) return 'a host refused an attempt'
  return null
}
