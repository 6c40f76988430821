import type { Db } from '../../db/open.ts'
import type { EndState } from '../../db/schema/requests.ts'
import type { Env } from '../../sdk/env.ts'
import type { Money } from '../../sdk/money.ts'
import type { Log } from '../log.ts'

/** A request that ended: its row, but for what the ledger itself computes. */
export interface Ended {
  id: string
  userId: string
  keyId: string
  variant: string
  state: Exclude<EndState, 'lost'>
  stream: boolean
  at: number
  endedAt: number
  firstTokenMs: number | null
  promptTokens: number
  completionTokens: number
  claimedTokens: number | null
  countsDiffer: boolean
  promptPicos: number
  completionPicos: number
  hostId: string | null
  attempts: number
  finishReason: string | null
  errorCode: string | null
}

/** A right to spend. Ends exactly once: settled or released. */
export interface Hold {
  readonly id: number
  readonly account: string
  readonly amount: Money
}

export interface Settled {
  cost: Money
  fee: Money
  hostShare: Money
}

export interface Spendable {
  balance: Money
  /** Set aside for requests that run now. */
  held: Money
  available: Money
}

export interface LedgerOptions {
  /** New at every start of the process. */
  hubId: string
  selfUrl: string | null
  feePpm: number
  /** `worker`: SQLite commits on a thread of its own. `inline`: on this one, for memory databases and virtual clocks. */
  writer: 'worker' | 'inline'
  log: Log
}

export class Ledger {
  static open(_env: Env, _db: Db, _options: LedgerOptions): Promise<Ledger> {
    throw new Error('not built yet')
  }

  /**
   * Sets `amount` aside. Most holds are taken from a grant in memory, at once.
   * @throws HubError `insufficient_quota`, `hub_unavailable`
   */
  hold(_account: string, _amount: Money): Hold | Promise<Hold> {
    throw new Error('not built yet')
  }

  /** Gives a hold back; nothing is charged. */
  release(_hold: Hold): void {
    throw new Error('not built yet')
  }

  /**
   * Charges what a completed or cancelled request cost, at most its hold, and ends the hold whatever happens. Resolved:
   * durable. Rejected (`hub_unavailable`, `insufficient_quota`): nothing was charged, or what was is refunded.
   */
  settle(_hold: Hold, _ended: Ended & { cost: Money }): Promise<Settled> {
    throw new Error('not built yet')
  }

  /** Writes down a request that ended without a charge. Its hold, if there was one, is released by the caller. */
  record(_ended: Ended): void {
    throw new Error('not built yet')
  }

  /** The end of a settled answer was handed to the network; without this mark it is refunded when the hub dies. */
  delivered(_requestId: string): void {
    throw new Error('not built yet')
  }

  /** Adds credit from the platform. False: this key was credited before, nothing happened. */
  credit(_credit: { account: string; amount: Money; key: string; note: string }): Promise<boolean> {
    throw new Error('not built yet')
  }

  spendable(_account: string): Promise<Spendable> {
    throw new Error('not built yet')
  }

  /** Holds open on this hub. */
  openHolds(): number {
    throw new Error('not built yet')
  }

  /** Writes what is queued, returns every grant and leaves. Holds still open are given back. */
  close(): Promise<void> {
    throw new Error('not built yet')
  }
}
