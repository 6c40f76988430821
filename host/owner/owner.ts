// What the owner wants of the card at this moment: nothing (then it works), or to have it back, and why.
import type { Env } from '../../sdk/env.ts'
import { reason } from '../errors.ts'
import type { CapFacts, PowerCap } from '../hardware/power-cap.ts'
import type { Log } from '../log.ts'
import type { DataCap, DataFacts } from './data.ts'
import type { Heat, HeatFacts } from './heat.ts'
import { clockAt, standingAt } from './hours.ts'
import type { Use } from './use.ts'
import type { PowerFacts, Profit } from './profit.ts'
import type { Wish } from './rest.ts'
import { noWishes, type Wishes } from './wishes.ts'

export interface OwnerFacts {
  /** `until` in ISO 8601; null: never. */
  schedule: { text: string; zone: string; open: boolean; until: string | null } | null
  idle: { quietMinutes: number; session?: boolean } | null
  /** What power costs and what work would earn; null: nobody has said what power costs. */
  power: PowerFacts | null
  heat: HeatFacts | null
  /** Watts of each card at most. */
  cap: CapFacts | null
  data: DataFacts | null
}

export const noFacts: OwnerFacts = { schedule: null, idle: null, power: null, heat: null, cap: null, data: null }

/** What else may speak against work; each knows its own measure. */
export interface Limits {
  profit: Pick<Profit, 'wish' | 'facts'>
  heat: Pick<Heat, 'wish' | 'facts'>
  data: Pick<DataCap, 'wish' | 'facts'>
  cap: Pick<PowerCap, 'heed' | 'facts'>
}

/** While the card rests nobody waits for a look: a game has better things to do than to share the driver. */
const REST_LOOK_MS = 10_000

type Idle = NonNullable<Wishes['idle']>

export class Owner {
  private known: Wishes = noWishes
  private trouble: string | undefined
  private warned = false
  private last: { by: string; at: number } | undefined
  private lookedAt = Number.NEGATIVE_INFINITY

  constructor(
    private readonly env: Env,
    private readonly log: Log,
    /** @throws HostError */
    private readonly wishes: () => Wishes,
    private readonly look: (watched: { session: boolean }) => Promise<Use>,
    private readonly limits: Partial<Limits> = {},
  ) {}

  /** Null: the card may work. `works`: whether it does now. */
  async wish(works: boolean): Promise<Wish | null> {
    const { schedule, idle, power, heat, data, capWatts } = this.read()
    const { limits } = this
    await limits.cap?.heed(works ? capWatts : null)
    const standing = schedule && standingAt(schedule, this.env.now())
    const until = schedule && standing?.until != null ? ` until ${clockAt(standing.until, schedule.zone)}` : ''
    const closed: Wish | null =
      standing && !standing.open ? { who: 'schedule', why: `it is outside its schedule${until}` } : null
    // Nobody needs to look at a card that rests anyway.
    if (closed && !works) return closed
    const used = idle ? await this.used(idle, works) : this.forget()
    if (used ?? closed) return used ?? closed
    const hot = await limits.heat?.wish(heat, works)
    return limits.data?.wish(data) ?? (await limits.profit?.wish(power, works)) ?? hot ?? null
  }

  facts(): OwnerFacts {
    const { schedule, idle, power, heat, capWatts, data } = this.read()
    const { limits } = this
    return {
      ...{ schedule: schedule && this.standing(schedule), idle },
      power: limits.profit?.facts(power) ?? null,
      heat: limits.heat?.facts(heat) ?? null,
      cap: limits.cap?.facts(capWatts) ?? null,
      data: limits.data?.facts(data) ?? null,
    }
  }

  private standing(schedule: NonNullable<Wishes['schedule']>): NonNullable<OwnerFacts['schedule']> {
    const { open, until } = standingAt(schedule, this.env.now())
    return { ...schedule, open, until: until === null ? null : new Date(until).toISOString() }
  }

  private async used({ quietMinutes, session = false }: Idle, works: boolean): Promise<Wish | null> {
    const now = this.env.mono()
    if (this.last && !works && now - this.lookedAt < REST_LOOK_MS) return this.inUse(this.last.by, quietMinutes)
    this.lookedAt = now
    const use = await this.look({ session })
    if (use === 'unknown') this.warn()
    if (use !== null && use !== 'unknown') this.last = { by: use.by, at: now }
    if (!this.last) return null
    // What nobody knows is not quiet.
    if (use === 'unknown') this.last.at = now
    if (now - this.last.at >= quietMinutes * 60_000) return this.forget()
    return this.inUse(this.last.by, quietMinutes)
  }

  private inUse(by: string, quietMinutes: number): Wish {
    return { who: 'use', why: `its owner uses the card (${by}); ${quietMinutes} min after that it works again` }
  }

  private forget(): null {
    this.last = undefined
    return null
  }

  /** A file that became damaged changes nothing, and is told of once. */
  private read(): Wishes {
    try {
      this.known = this.wishes()
      this.trouble = undefined
    } catch (error) {
      if (this.trouble !== reason(error)) this.log.error(reason(error))
      this.trouble = reason(error)
    }
    return this.known
  }

  private warn(): void {
    if (!this.warned) this.log.warn('the driver does not say who uses the GPU: only GameMode makes room for you')
    this.warned = true
  }
}
