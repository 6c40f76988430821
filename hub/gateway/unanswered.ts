// What a client is told when nobody could answer, or go on with an answer that had begun.
import { HubError } from '../errors.ts'

export interface Unanswered {
  attempts: number
  /** No host has done worse than to be busy, or there was none. */
  onlyBusy: boolean
  /** The client has seen something of an answer. */
  visible: boolean
  /** There are hosts, and none of them can go on with an answer of this kind. */
  cannot: boolean
}

export function unanswered({ attempts, onlyBusy, visible, cannot }: Unanswered): HubError {
  if (visible) {
    const how = cannot ? 'an answer of this kind cannot go on elsewhere' : 'no other could go on with it'
    return new HubError(
      'upstream_error',
      `The host failed after the answer had begun, and ${how}. Nothing was billed. Try again.`,
    )
  }
  if (onlyBusy) {
    return new HubError(
      'no_capacity',
      'No host is free for this model right now. Nothing was billed. Try again in a few seconds.',
    )
  }
  const who = attempts === 1 ? 'The only host asked has failed' : `All ${attempts} hosts asked have failed`
  return new HubError('upstream_error', `${who}. Nothing was billed. Try again.`)
}

export function clientsFault(status: number): HubError {
  return new HubError(
    'invalid_request',
    `The engine refused this request (${status}). Check the parameters; nothing was billed.`,
  )
}

export function noFirstToken(): HubError {
  return new HubError('upstream_timeout', 'No host gave a first token in time. Nothing was billed. Try again.')
}

export function tookTooLong(): HubError {
  return new HubError('upstream_timeout', 'The answer took longer than any may. Nothing was billed. Ask for less.')
}
