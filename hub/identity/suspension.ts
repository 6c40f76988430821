// What somebody is told whose account is suspended. The reason is for them: it is said only where they have shown who
// they are, by a session, a key, or a whole sign-in.
import { HubError } from '../errors.ts'

const LONGEST_REASON = 200

export function suspended({ suspendedFor }: { suspendedFor: string | null }): HubError {
  const reason = suspendedFor === null ? '' : ` The reason given: “${suspendedFor}”.`
  return new HubError(
    'account_suspended',
    `This account is suspended.${reason} Nothing of yours is lost; write to the people who run this hub.`,
  )
}

/** @throws HubError */
export function reasonFrom(text: string): string {
  const reason = text.normalize('NFKC').replaceAll(/\s+/g, ' ').trim()
  if (reason !== '' && reason.length <= LONGEST_REASON) return reason
  throw new HubError(
    'invalid_request',
    `Say why, in at most ${LONGEST_REASON} characters. They read it, and the record of acts keeps it.`,
    { param: 'reason' },
  )
}
