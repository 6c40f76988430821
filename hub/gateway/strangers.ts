// Those nobody knows: requests without a key, or with a wrong one. Each address may send some; then it is told to wait,
// which costs the hub less than answering. A valid key is never refused for what others at its address do.
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { limitKey } from '../identity/caller.ts'
import { type Bucket, fullBucket, msUntil, used } from './bucket.ts'

interface Rates {
  /** Requests without a key, a minute and address; 0: no limit. */
  requests: number
  /** Wrong keys, likewise. */
  wrongKeys: number
}

type Stranger = { [What in keyof Rates]: Bucket }

/** Who did nothing for the longest is forgotten first. */
const MOST_ADDRESSES = 50_000

export class Strangers {
  private readonly known = new Map<string, Stranger>()

  constructor(
    private readonly env: Env,
    private readonly rates: Rates,
  ) {}

  /**
   * Counts one more of `what` for `address`; null: it has none that tells clients apart, and is not counted.
   * @throws HubError 429
   */
  count(what: keyof Rates, address: string | null): void {
    const rate = this.rates[what]
    if (address === null || rate === 0) return
    const now = this.env.mono()
    const stranger = this.meet(limitKey(address), now)
    const waitMs = msUntil(stranger[what], rate, 1, now)
    if (waitMs > 0) {
      const chance = (this.env.random(1)[0] ?? 0) / 256
      throw new HubError(
        'rate_limit_exceeded',
        what === 'wrongKeys'
          ? 'Too many wrong API keys came from this address. Check yours, then wait as long as retry-after says.'
          : 'Too many requests without an API key came from this address. Send a key, or wait as long as retry-after says.',
        { retryAfterSeconds: (waitMs / 1_000) * (1 + 0.2 * chance) },
      )
    }
    stranger[what] = used(stranger[what], rate, 1, now)
  }

  get size(): number {
    return this.known.size
  }

  private meet(network: string, now: number): Stranger {
    const stranger = this.known.get(network) ?? {
      requests: fullBucket(this.rates.requests, now),
      wrongKeys: fullBucket(this.rates.wrongKeys, now),
    }
    this.known.delete(network)
    this.known.set(network, stranger)
    if (this.known.size > MOST_ADDRESSES) {
      const [oldest] = this.known.keys()
      if (oldest !== undefined) this.known.delete(oldest)
    }
    return stranger
  }
}
