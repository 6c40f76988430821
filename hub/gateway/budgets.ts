// What keys with a budget may still spend. The books count what each has spent, in the transaction that charges it; this
// keeps what its running requests may cost on top, so that a thousand at once cannot spend more than one after another.
// Of requests on other hubs it knows what they cost, not what they may: a deployment of several can go beyond a budget by
// what runs elsewhere at that moment.
import type { Env } from '../../sdk/env.ts'
import { formatUsd, type Money } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import type { Bearer, Budget } from '../identity/keyring.ts'

interface Reserved {
  running: Money
  /** Ended since: in the books, but perhaps not yet in what was read of them. */
  ended: { amount: Money; at: number }[]
}

const MOST_KEYS = 10_000
/** A key that was not used for so long is read from the books before it is believed. */
const FORGOTTEN_MS = 10_000

export class Budgets {
  private readonly keys = new Map<string, Reserved>()

  constructor(private readonly env: Env) {}

  /**
   * Reserves `amount` of the key's budget until the returned function is called, once it is settled or released.
   * `readAgain` asks the books: before refusing somebody for what was counted twice for a moment.
   * @throws HubError `key_budget_exceeded`
   */
  async reserve(
    { keyId, budget }: Bearer,
    amount: Money,
    readAgain: () => Promise<Bearer | null>,
  ): Promise<() => void> {
    if (budget === null) return () => {}
    if (!this.covers(keyId, budget, amount)) {
      const fresh = (await readAgain())?.budget ?? budget
      if (!this.covers(keyId, fresh, amount)) throw exceeded(fresh, amount)
    }
    const reserved = this.keys.get(keyId) ?? { running: 0n, ended: [] }
    this.keys.set(keyId, reserved)
    if (this.keys.size > MOST_KEYS) this.tidy()
    reserved.running += amount
    return () => {
      reserved.running -= amount
      reserved.ended.push({ amount, at: this.env.mono() })
    }
  }

  private covers(keyId: string, { limit, spent, readAt }: Budget, amount: Money): boolean {
    return spent + this.reserved(keyId, readAt) + amount <= limit
  }

  private reserved(keyId: string, readAt: number): Money {
    const reserved = this.keys.get(keyId)
    if (!reserved) return 0n
    const counted = reserved.ended.findIndex(({ at }) => at >= readAt)
    reserved.ended.splice(0, counted === -1 ? reserved.ended.length : counted)
    if (reserved.running === 0n && reserved.ended.length === 0) this.keys.delete(keyId)
    return reserved.ended.reduce((sum, { amount }) => sum + amount, reserved.running)
  }

  /** Forgets keys that nobody has used for a while. */
  private tidy(): void {
    const before = this.env.mono() - FORGOTTEN_MS
    for (const keyId of this.keys.keys()) this.reserved(keyId, before)
  }
}

function exceeded({ limit, spent }: Budget, needed: Money): HubError {
  return new HubError(
    'key_budget_exceeded',
    `This key has a budget of ${formatUsd(limit)} and has spent ${formatUsd(spent)} of it; this request may cost up to ` +
      `${formatUsd(needed)}. Raise the budget, or ask for fewer tokens with max_tokens.`,
  )
}
