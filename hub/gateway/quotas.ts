// How many requests and tokens a minute a key and its account may use. Nobody is limited unless the hub's settings or
// the key's own say so. Counted by this hub alone: where several share a deployment, each grants the whole of it. (One
// count for all of them would stand in `Meter`, kept by whatever they share, with this as what is left when that fails.)
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import type { Bearer } from '../identity/keyring.ts'
import { type Bucket, fullBucket, levelAt, msUntil, used } from './bucket.ts'

/** What holds where a key or an account does not say otherwise; 0: no limit. */
export interface Defaults {
  keyRpm: number
  keyTpm: number
  keyConcurrency: number
  accountRpm: number
  accountTpm: number
  accountConcurrency: number
  platformRpm: number
}

type Unit = 'requests' | 'tokens'

/** One limit, and how much of it is left. */
interface Meter {
  whose: 'key' | 'account'
  unit: Unit
  perMinute: number
  bucket: Bucket
}

/** Whoever used nothing for the longest is forgotten, and so begins anew. */
const MOST_METERS = 200_000

export class Quotas {
  private readonly meters = new Map<string, Meter>()

  constructor(
    private readonly env: Env,
    private readonly defaults: Defaults,
    /** Requests a minute of one account, as the team decided while the hub runs; null: as the settings at its start say. */
    private readonly decided: () => number | null = () => null,
  ) {}

  /** Counts one request in. Null: nothing limits this one. @throws HubError 429 */
  begin({ keyId, userId, allowance: { key, account } }: Bearer): Quota | null {
    const { keyRpm, keyTpm, accountRpm, accountTpm } = this.defaults
    const meters: Meter[] = []
    const measure = (id: string, whose: Meter['whose'], unit: Unit, perMinute: number) => {
      if (perMinute > 0) meters.push(this.meter(`${id} ${unit}`, whose, unit, perMinute))
    }
    measure(keyId, 'key', 'requests', key.requestsPerMinute ?? keyRpm)
    measure(userId, 'account', 'requests', account.requestsPerMinute ?? this.decided() ?? accountRpm)
    measure(keyId, 'key', 'tokens', key.tokensPerMinute ?? keyTpm)
    measure(userId, 'account', 'tokens', account.tokensPerMinute ?? accountTpm)
    if (meters.length === 0) return null
    const quota = new Quota(this.env, meters)
    quota.take('requests', 1)
    return quota
  }

  /** Counts one request to the platform API in. @throws HubError 429 */
  beginPlatform({ userId }: Pick<Bearer, 'userId'>): void {
    const { platformRpm } = this.defaults
    if (platformRpm === 0) return
    const meter = this.meter(`${userId} platform`, 'account', 'requests', platformRpm)
    new Quota(this.env, [meter]).take('requests', 1)
  }

  /** Requests the key and the account may have in progress; null: no limit. */
  concurrency({ allowance: { key, account } }: Bearer): { key: number | null; account: number | null } {
    const { keyConcurrency, accountConcurrency } = this.defaults
    return {
      key: (key.concurrency ?? keyConcurrency) || null,
      account: (account.concurrency ?? accountConcurrency) || null,
    }
  }

  private meter(id: string, whose: Meter['whose'], unit: Unit, perMinute: number): Meter {
    const known = this.meters.get(id)
    const meter = known ?? { whose, unit, perMinute, bucket: fullBucket(perMinute, this.env.mono()) }
    meter.perMinute = perMinute
    this.meters.delete(id)
    this.meters.set(id, meter)
    if (this.meters.size > MOST_METERS) {
      const [oldest] = this.meters.keys()
      if (oldest !== undefined) this.meters.delete(oldest)
    }
    return meter
  }
}

/** What one request counts against. */
export class Quota {
  constructor(
    private readonly env: Env,
    private readonly meters: Meter[],
  ) {}

  /** Uses `amount` of every limit, or, when one has too little left, of none. @throws HubError 429 */
  take(unit: Unit, amount: number): void {
    const now = this.env.mono()
    let waitMs = 0
    let tightest: Meter | null = null
    for (const meter of this.of(unit)) {
      const ms = msUntil(meter.bucket, meter.perMinute, amount, now)
      if (ms > waitMs) tightest = meter
      waitMs = Math.max(waitMs, ms)
    }
    if (tightest) throw this.exceeded(tightest, waitMs)
    this.use(unit, amount)
  }

  /** Uses what is already spent, if need be on credit; a negative amount gives back. */
  use(unit: Unit, amount: number): void {
    const now = this.env.mono()
    for (const meter of this.of(unit)) meter.bucket = used(meter.bucket, meter.perMinute, amount, now)
  }

  /** As OpenAI names them: of each unit the limit with the least left. */
  headers(): Record<string, string> {
    const now = this.env.mono()
    const headers: Record<string, string> = {}
    for (const unit of ['requests', 'tokens'] as const) {
      const left = (meter: Meter) => Math.max(0, Math.floor(levelAt(meter.bucket, meter.perMinute, now)))
      const [tightest] = this.of(unit).sort((a, b) => left(a) - left(b))
      if (!tightest) continue
      const { bucket, perMinute } = tightest
      headers[`x-ratelimit-limit-${unit}`] = String(perMinute)
      headers[`x-ratelimit-remaining-${unit}`] = String(left(tightest))
      headers[`x-ratelimit-reset-${unit}`] = `${(msUntil(bucket, perMinute, perMinute, now) / 1_000).toFixed(3)}s`
    }
    return headers
  }

  private of(unit: Unit): Meter[] {
    return this.meters.filter((meter) => meter.unit === unit)
  }

  private exceeded({ whose, unit, perMinute }: Meter, waitMs: number): HubError {
    // Those refused together are not to return together.
    const chance = (this.env.random(1)[0] ?? 0) / 256
    const retryAfterSeconds = (waitMs / 1_000) * (1 + 0.2 * chance)
    return new HubError(
      'rate_limit_exceeded',
      `This ${whose} may use ${perMinute.toLocaleString('en')} ${unit} a minute, and has. Wait as long as retry-after says.`,
      { retryAfterSeconds, headers: this.headers() },
    )
  }
}
