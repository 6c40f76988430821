// The names of accounts. An account is client:ID (a user's credit), host:ID:… (what one host earned), or the platform's.
import { assert } from '../errors.ts'

export { clientAccount } from '../identity/users.ts'

export const FEES = 'platform:fees'
/** Where granted and test credit comes from. */
export const CREDITS = 'platform:credits'
/** Pays for what a hub charged and could not deliver. */
export const RELIABILITY = 'platform:reliability'
/** Pays for what a hub asks hosts itself, to see what they are worth. */
export const VALIDATION = 'platform:validation'
/** The platform's own, all of them: what is neither these nor a client's or host's can have no entries. */
export const PLATFORM: readonly string[] = [FEES, CREDITS, RELIABILITY, VALIDATION]

/** Earned, and still within the holding period. */
export function pendingAccount(hostId: string): string {
  assert(hostId !== '' && !hostId.includes(':'), `"${hostId}" cannot name an account`)
  return `host:${hostId}:pending`
}

/**
 * Whether an account has a row with its balance, which can never fall below zero. The platform's have none: one row
 * would be every settlement's lock. What they have: balance.ts.
 */
export function isMaterialised(account: string): boolean {
  return account.startsWith('client:') || account.startsWith('host:')
}

export function isKnown(account: string): boolean {
  return isMaterialised(account) || PLATFORM.includes(account)
}
