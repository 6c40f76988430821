// What this hub may spend of one account without asking the database.
import type { Money } from '../../sdk/money.ts'
import { assert } from '../errors.ts'

/** The part of an account that the database has set aside for one enrolment of a hub. */
export class Grant {
  /** Spoken for by nobody. */
  idle = 0n
  /** Held, or being settled. With `idle` never more than the database has set aside. */
  committed = 0n
  /** As much may stay idle for a while: a tenth of what was left. None when little was. */
  spare = 0n

  constructor(readonly holder: string) {}

  get surplus(): Money {
    return this.idle > this.spare ? this.idle - this.spare : 0n
  }
}

/** A right to spend. Ends exactly once: settled or released. */
export class Hold {
  private open = true

  constructor(
    readonly id: number,
    readonly account: string,
    readonly amount: Money,
    readonly grant: Grant,
  ) {}

  end(): void {
    assert(this.open, `hold ${this.id} ends once`)
    this.open = false
  }
}

interface Waiting {
  amount: Money
  resolve: (hold: Hold) => void
  reject: (error: Error) => void
}

export class Purse {
  readonly waiting: Waiting[] = []
  /** How many of those that wait the question under way is about; null while none is. */
  asked: number | null = null
  trimming = false
  /** The tick of its last use. */
  usedAt = 0

  constructor(
    readonly account: string,
    public grant: Grant,
  ) {}

  get quiet(): boolean {
    return this.waiting.length === 0 && this.asked === null && !this.trimming
  }

  get empty(): boolean {
    return this.quiet && this.grant.idle === 0n && this.grant.committed === 0n
  }
}
