// Whose turn it is with the card: the hubs', then the engine works, or the owner's, then there is none. A look every two
// seconds decides; to hubs a rest is a drain, and nobody's fault.
import { type Env, sleep } from '../../sdk/env.ts'
import type { Engine } from '../engine/engine.ts'
import { EngineWatch } from '../engine/watch.ts'
import { printable, reason } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Offer } from '../offer.ts'
import type { Owner } from '../owner/owner.ts'
import { rests, type Wish } from '../owner/rest.ts'
import { freeTheGpu } from './free-gpu.ts'
import { aborted } from './stopping.ts'

export interface TurnsWorld {
  env: Env
  log: Log
  engine: Engine
  offer: Offer
  /** Undefined: the card is never wanted back. */
  owner: Owner | undefined
  /** How long running requests may take to finish when the hours end. */
  graceMs: number
  /** Resolves when no hub sends anything new, or has not said so in good time. */
  unregistered(over: AbortSignal): Promise<void>
  /** Gives every request here back to its hub. */
  handBack(): void
}

const LOOK_MS = 2_000
/** An engine that does not start after a rest is tried again. */
const RETRY_MS = 60_000

export class Turns {
  private watch: EngineWatch | undefined
  private wish: Wish | null = null
  /** Aborts when the owner wants the card; a new one when it is given back. */
  private wanted = new AbortController()
  /** Aborts when there is no time to finish what runs. */
  private hurry = new AbortController()
  private wake: () => void = () => {}

  constructor(private readonly world: TurnsWorld) {}

  /**
   * Resolves when `stop` aborts. `ready` is called when this machine can be linked: its engine works, or rests.
   * @throws HostError when the engine cannot start, before `ready`
   */
  async run(stop: AbortSignal, ready: () => void): Promise<void> {
    const { log } = this.world
    await this.look()
    void this.keepLooking(stop)
    for (let begun = false; !stop.aborted; begun = true) {
      if (this.wanted.signal.aborted) {
        this.world.offer.working = false
        log.info('the card rests', { why: this.world.offer.whyIdle() })
        ready()
        await Promise.race([this.freed(), aborted(stop)])
        if (stop.aborted) return
        begun = true
      }
      const until = AbortSignal.any([stop, this.wanted.signal])
      if (await this.work(until, begun)) ready()
      await aborted(until)
      if (!stop.aborted) await this.giveBack(stop)
    }
  }

  /** Something went wrong with the engine just now. */
  doubt(): void {
    this.watch?.doubt()
  }

  stop(): void {
    this.watch?.stop()
  }

  private async keepLooking(stop: AbortSignal): Promise<void> {
    while (this.world.owner && !stop.aborted) {
      await sleep(this.world.env, LOOK_MS, stop)
      if (!stop.aborted) await this.look()
    }
  }

  private async look(): Promise<void> {
    const { owner, offer, log } = this.world
    if (!owner) return
    try {
      this.wish = await owner.wish(offer.working)
    } catch (error) {
      return log.error('nobody can say whether the card is wanted', { why: reason(error) })
    }
    const { wish } = this
    if (!wish) return this.wake()
    offer.hold(wish.who, wish.why)
    for (const other of rests) if (other !== wish.who) offer.hold(other, null)
    if (wish.who === 'use') this.hurry.abort()
    this.wanted.abort()
  }

  private freed(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = () => {
        this.wake = () => {}
        this.wanted = new AbortController()
        this.hurry = new AbortController()
        resolve()
      }
      if (!this.wish) this.wake()
    })
  }

  /** False: it was wanted back before it worked. @throws HostError when its first start fails */
  private async work(until: AbortSignal, again: boolean): Promise<boolean> {
    const { env, log, engine, offer } = this.world
    if (again) {
      log.info('the card works again')
      offer.hold('engine', 'the engine is starting')
    }
    for (const each of rests) offer.hold(each, null)
    // From here on it has the card, however long it takes to be ready.
    offer.working = true
    while (!until.aborted) {
      try {
        await engine.start(until)
        if (until.aborted) return false
        offer.hold('engine', null)
        this.watch = new EngineWatch(env, log, engine, offer)
        return true
      } catch (error) {
        if (until.aborted) return false
        if (!again) throw error
        log.error('the engine does not start', { why: reason(error) })
        offer.hold('engine', printable(reason(error)))
        await sleep(env, RETRY_MS, until)
      }
    }
    return false
  }

  /** As `gpuhost stop` does, or `stop --now` where the owner uses it already. */
  private async giveBack(stop: AbortSignal): Promise<void> {
    const { env, log, offer, graceMs } = this.world
    this.watch?.stop()
    this.watch = undefined
    offer.hold('engine', null)
    const from = env.mono()
    log.info('giving the card back', { why: offer.whyIdle(), requests: offer.requests() })
    const cancel = env.timer(graceMs, () => this.hurry.abort())
    const over = AbortSignal.any([this.hurry.signal, stop])
    await this.world.unregistered(over)
    await Promise.race([offer.idle(), aborted(over)])
    cancel()
    // The agent itself ends: it has its own grace for what runs.
    if (stop.aborted) return
    offer.working = false
    this.world.handBack()
    if (await freeTheGpu(this.world, this.hurry.signal))
      log.info('the card is free', { tookMs: Math.round(env.mono() - from) })
  }
}
