// Never at a loss: whether an hour of work earns more, at the prices of now, than the power for it costs.
import type { Env } from '../../sdk/env.ts'
import { nightUsd } from '../../sdk/earnings.ts'
import { reason } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Gauges } from '../hardware/gauges.ts'
import type { Wish } from './rest.ts'
import type { Wishes } from './wishes.ts'

/** What this machine would do in an hour with nothing but work. */
export interface Work {
  tokensPerSecond: number
  /** Of the cards while they do it; measured with `tokensPerSecond`, or published. */
  watts: number
  measured: boolean
  /** USD per million answered tokens, now. */
  priceUsd: number
  /** The platform's share, parts per million. */
  feePpm: number
}

export interface PowerFacts {
  kilowattHourUsd: number
  machineWatts: number
  /** Drawn now, the machine around the cards included; null: the driver does not say. */
  watts: number | null
  /** USD an hour at that. */
  costUsd: number | null
  /** USD an hour of nothing but work, at the price of now; null: not known. */
  full: { earns: number; costs: number } | null
}

export interface ProfitWorld {
  env: Env
  log: Log
  gauges: () => Promise<Gauges>
  /** Null: nothing is known about these cards and this model. @throws HostError where the hub cannot be asked */
  work: () => Promise<Work | null>
}

/** Prices move once a minute; an engine takes longer to start than that. */
const ASK_MS = 5 * 60_000
/** After a hub that could not be asked. */
const RETRY_MS = 30_000
const GAUGE_MS = 10_000
/** So many answers in a row have to agree before the card rests, or works again. */
const ENOUGH = 2
/** What it has to earn above the cost before it works again: a price that hovers about it starts no engine. */
const MARGIN = 1.1

const unknown: Gauges = { celsius: null, watts: null, limitWatts: null }

type Power = NonNullable<Wishes['power']>

export class Profit {
  private work: Work | null = null
  /** What it was judged by last, as its owner said it. */
  private judged: Power | null = null
  /** The next answer decides alone. */
  private fresh = true
  private begun = false
  private atLoss = false
  /** Answers in a row that speak against what holds. */
  private against = 0
  private askedAt = Number.NEGATIVE_INFINITY
  private gaugedAt = Number.NEGATIVE_INFINITY
  private now = unknown
  /** The most that was seen: what was published is not what this card takes. */
  private peakWatts = 0
  private asking = false
  private trouble: string | undefined

  constructor(private readonly world: ProfitWorld) {}

  /** `works`: whether the card does now. */
  async wish(power: Power | null, works: boolean): Promise<Wish | null> {
    if (power === null) return this.forget()
    if (!Bun.deepEquals(power, this.judged)) {
      this.judged = power
      this.fresh = true
      this.askedAt = Number.NEGATIVE_INFINITY
    }
    await this.gauge(works)
    if (this.world.env.mono() - this.askedAt >= ASK_MS && !this.asking) {
      this.askedAt = this.world.env.mono()
      const asked = this.ask(power)
      // Nothing is started at a loss. Later a hub that takes its time holds up no look at who uses the card.
      if (!this.begun) await asked
    }
    this.begun = true
    return this.atLoss ? { who: 'power', why: this.words(power) } : null
  }

  facts(power: Power | null): PowerFacts | null {
    if (power === null) return null
    const watts = this.now.watts === null ? null : this.now.watts + power.machineWatts
    const costUsd = watts === null ? null : (watts / 1_000) * power.kilowattHourUsd
    return { ...power, watts, costUsd, full: this.full(power) }
  }

  /** A card that rests is left alone. */
  private async gauge(works: boolean): Promise<void> {
    const { env, gauges } = this.world
    if (!works) this.now = unknown
    if (!works || env.mono() - this.gaugedAt < GAUGE_MS) return
    this.gaugedAt = env.mono()
    this.now = await gauges()
    this.peakWatts = Math.max(this.peakWatts, this.now.watts ?? 0)
  }

  private async ask(power: Power): Promise<void> {
    this.asking = true
    try {
      this.work = await this.world.work()
      this.trouble = undefined
      this.judge(power)
    } catch (error) {
      // What held still holds. It is said once, not every five minutes.
      if (this.trouble !== reason(error)) this.world.log.warn('the price cannot be read', { why: reason(error) })
      this.trouble = reason(error)
      this.askedAt = this.world.env.mono() - ASK_MS + RETRY_MS
    } finally {
      this.asking = false
    }
  }

  private judge(power: Power): void {
    const full = this.full(power)
    if (!full) return void (this.against = 0)
    const speaksAgainst = this.atLoss ? full.earns >= full.costs * MARGIN : full.earns < full.costs
    this.against = speaksAgainst ? this.against + 1 : 0
    const enough = this.fresh ? 1 : ENOUGH
    this.fresh = false
    if (this.against < enough) return
    this.atLoss = !this.atLoss
    this.against = 0
  }

  private full({ kilowattHourUsd, machineWatts }: Power): PowerFacts['full'] {
    if (!this.work) return null
    const { measured, watts, ...rest } = this.work
    const cards = measured ? watts : Math.max(this.peakWatts, Math.min(watts, this.now.limitWatts ?? watts))
    const hour = nightUsd({ ...rest, watts: cards, busy: 1, hours: 1, kilowattHourUsd, machineWatts })
    return { earns: hour.earned, costs: hour.electricity }
  }

  private words(power: Power): string {
    const { earns = 0, costs = 0 } = this.full(power) ?? {}
    return `price below cost of power: an hour of work would earn ${cents(earns)} and cost ${cents(costs)}`
  }

  private forget(): null {
    this.atLoss = false
    this.against = 0
    this.judged = null
    this.now = unknown
    return null
  }
}

/** `0.0213` → `$0.021`. */
export const cents = (usd: number) => `$${usd.toFixed(3)}`
