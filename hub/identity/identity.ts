// What the people's side of a hub is made of, handed to every function of this folder. Made once, by hub.ts.
//
// Coming in:      sign-up.ts, join.ts (the one transaction that makes a user), sign-in.ts, oauth.ts, reset.ts
// Staying in:     sessions.ts, guard.ts, cookie.ts
// One's account:  own.ts, second-factor.ts, terms.ts, export.ts, erase.ts
// The team:       invitations.ts, first-admin.ts, admin.ts
import type { Log } from '../log.ts'
import type { Newsroom } from '../mail/news.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Mark } from '../mail/unsubscribe.ts'
import type { Policy } from '../policy/policy.ts'
import type { Money } from '../../sdk/money.ts'
import type { Callers } from './caller.ts'
import type { Gate } from './guard.ts'
import type { Limits } from './limits.ts'
import type { Passwords } from './passwords.ts'
import type { Providers } from './providers.ts'
import type { Seal } from './seal.ts'

export interface Identity extends Gate {
  log: Log
  seal: Seal
  policy: Policy
  callers: Callers
  limits: Limits
  passwords: Passwords
  outbox: Outbox
  /** What the hub writes of its own accord. */
  news: Newsroom
  /** What makes the links in letters of news good. */
  letterMark: Mark
  /** GitHub and Google, where they are configured. */
  providers: Providers
  /** Posts credit from the platform to the ledger. False: this key was posted before, nothing happened. */
  credit: (gift: { account: string; amount: Money; key: string; note: string }) => Promise<boolean>
}
