// Temperature: a card that stays too hot gets fewer requests at a time, then a rest, and each comes back step by step.
import type { Env } from '../../sdk/env.ts'
import type { Log } from '../log.ts'
import type { Wish } from './rest.ts'
import type { Wishes } from './wishes.ts'

export interface HeatFacts {
  limitCelsius: number
  /** Of the hottest card; null: the driver does not say. */
  celsius: number | null
  /** Of what it can take at a time, what it takes now; 0: it rests. */
  share: number
}

export interface HeatWorld {
  env: Env
  log: Log
  /** Of the hottest card, °C; null: nobody knows. */
  celsius: () => Promise<number | null>
  /** So much of what it can take at a time, from now on. */
  limit: (share: number) => void
}

const LOOK_MS = 10_000
/** A minute above the limit is too hot; five below it are cool. */
const HOT_MS = 60_000
const COOL_MS = 5 * 60_000
/** So many degrees below the limit it has to be to get more, and to work again after a rest. */
const COOLER = 5
const COLD = 15
/** So many above it are not waited for, where the look before saw it hot, too. */
const FAR_ABOVE = 7
/** Of what it can take, in steps; after the last it rests. */
const SHARES = [1, 0.5, 0.25, 0]

type Limit = NonNullable<Wishes['heat']>

export class Heat {
  private step = 0
  private celsius: number | null = null
  private lookedAt = Number.NEGATIVE_INFINITY
  /** Since when it is too hot, or cool enough, without a break. */
  private hotSince: number | null = null
  private coolSince: number | null = null

  constructor(private readonly world: HeatWorld) {}

  /** `works`: whether the card does now. */
  async wish(heat: Limit | null, works: boolean): Promise<Wish | null> {
    if (heat === null) return this.forget()
    const { env } = this.world
    const resting = this.share() === 0
    // A card that rests for other reasons is left alone.
    if ((works || resting) && env.mono() - this.lookedAt >= LOOK_MS) {
      this.lookedAt = env.mono()
      this.celsius = await this.world.celsius()
      this.judge(heat.limitCelsius, env.mono())
    }
    if (this.share() > 0) return null
    return {
      who: 'heat',
      why: `the card is hotter than ${heat.limitCelsius} °C; it works again once it has cooled down`,
    }
  }

  facts(heat: Limit | null): HeatFacts | null {
    return heat && { limitCelsius: heat.limitCelsius, celsius: this.celsius, share: this.share() }
  }

  private share(): number {
    return SHARES[this.step] ?? 0
  }

  private judge(limit: number, now: number): void {
    const { celsius } = this
    const resting = this.share() === 0
    // What nobody knows is not hot; a rest that nobody can measure ends after a while.
    const hot = celsius !== null && celsius >= limit
    const cool = celsius === null ? resting : celsius <= limit - (resting ? COLD : COOLER)
    this.hotSince = hot ? (this.hotSince ?? now) : null
    this.coolSince = cool ? (this.coolSince ?? now) : null
    const still = this.hotSince !== null && now > this.hotSince
    if (celsius !== null && celsius >= limit + FAR_ABOVE && still && !resting) return this.to(SHARES.length - 1, now)
    if (this.hotSince !== null && now - this.hotSince >= HOT_MS && !resting) return this.to(this.step + 1, now)
    if (this.coolSince !== null && now - this.coolSince >= COOL_MS && this.step > 0) this.to(this.step - 1, now)
  }

  private to(step: number, now: number): void {
    const { celsius } = this
    const words = step > this.step ? 'the card is too hot' : 'the card has cooled down'
    this.step = step
    this.world.log.info(words, { celsius, share: this.share() })
    if (this.hotSince !== null) this.hotSince = now
    if (this.coolSince !== null) this.coolSince = now
    if (this.share() > 0) this.world.limit(this.share())
  }

  private forget(): null {
    if (this.step > 0) this.world.limit(1)
    this.step = 0
    this.celsius = this.hotSince = this.coolSince = null
    return null
  }
}
