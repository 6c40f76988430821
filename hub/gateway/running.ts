// The requests this hub is working on, and those that wait for a place. Its limits are what stands between a flood and
// everybody else's answers: each variant has places for what its hosts can take, the hub for what its memory can.
// Who waits holds no money yet; who does not fit is told at once.
import type { Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import { Cancelled } from './attempts.ts'
import { Lane } from './lane.ts'
import { secondsUntilRoom } from './share.ts'

export interface RunningRequest {
  id: string
  at: number
  userId: string
  keyId: string
  variant: string
  /** Of its body, which is kept until it ends. */
  bytes: number
  /** How many requests its key and its account may have in progress; null: as many as they like. */
  concurrency: { key: number | null; account: number | null }
}

export interface RunningLimits {
  /** Requests running at a time, whatever they ask for. */
  total: number
  loadFactor: number
  queueFactor: number
  queueMs: number
  /** Requests that the hosts of a variant together work on at a time, now. */
  slots(variant: string): number
}

/** Gives a place back; calling it again does nothing. */
export type Leave = () => void

/** The part of the whole hub that one account may fill. */
const SHARE_OF_ONE = 9 / 10
/** Bodies of requests that wait, and of all requests in progress. */
const MOST_WAITING_BYTES = 64 * 1024 * 1024
const MOST_BYTES = 1024 * 1024 * 1024

interface Waiter extends RunningRequest {
  enter(leave: Leave): void
  refuse(error: Error): void
}

interface Count {
  running: number
  waiting: number
}

export class Running {
  private readonly requests = new Map<string, RunningRequest>()
  private readonly lanes = new Map<string, Lane<Waiter>>()
  private readonly keys = new Map<string, Count>()
  private readonly users = new Map<string, Count>()
  private open = true
  private turn = 0
  private waiting = 0
  private waitingBytes = 0
  private bytes = 0
  private left: (() => void)[] = []

  constructor(
    private readonly env: Env,
    private readonly limits: RunningLimits,
  ) {}

  /**
   * Takes a place, at once or when it is this request's turn. Who hangs up waits no longer.
   * @throws HubError 503 or 429, Cancelled
   */
  enter(request: RunningRequest, from: Pick<Request, 'signal'>): Leave | Promise<Leave> {
    if (!this.open) throw stopping()
    this.assertConcurrency(request)
    const lane = this.laneOf(request.variant)
    if (this.bytes + request.bytes > MOST_BYTES) throw this.full(lane)
    // Whoever waits could not take this place: else it had been given to them when it became free.
    if (lane.hasPlaceFor(request.userId) && this.hasPlaceFor(request.userId)) return this.take(lane, request)
    return this.wait(lane, request, from.signal)
  }

  /** Before any work is done for a request: refuses one that could neither run nor wait. @throws HubError 503 */
  assertRoom({ variant, userId }: Pick<RunningRequest, 'variant' | 'userId'>): void {
    const lane = this.lanes.get(variant)
    if (!lane || !lane.crowded || (lane.hasPlaceFor(userId) && this.hasPlaceFor(userId))) return
    if (!lane.makesWayFor(userId)) throw this.full(lane)
  }

  /** More requests for `variant` can be taken than a moment ago. */
  grown(variant: string): void {
    const lane = this.lanes.get(variant)
    if (lane) this.admit(lane)
  }

  /** From now on nobody enters, and nobody waits. */
  close(): void {
    this.open = false
    for (const lane of this.lanes.values()) for (const waiter of lane.waiters()) waiter.refuse(stopping())
  }

  /** Requests that run. */
  get size(): number {
    return this.requests.size
  }

  /** Requests that wait for a place. */
  get queued(): number {
    return this.waiting
  }

  /** Resolves when nothing runs. */
  async empty(): Promise<void> {
    if (this.size > 0) await new Promise<void>((resolve) => this.left.push(resolve))
  }

  of(userId: string): RunningRequest[] {
    return [...this.requests.values()].filter((request) => request.userId === userId)
  }

  private assertConcurrency({ keyId, userId, concurrency }: RunningRequest): void {
    const full = (most: number | null, { running, waiting } = NOBODY) => most !== null && running + waiting >= most
    const whose = full(concurrency.key, this.keys.get(keyId))
      ? 'key'
      : full(concurrency.account, this.users.get(userId))
        ? 'account'
        : null
    if (whose === null) return
    const most = concurrency[whose]
    throw new HubError(
      'rate_limit_exceeded',
      `This ${whose} has ${most} requests in progress, as many as it may. Wait for one to end.`,
    )
  }

  private hasPlaceFor(userId: string): boolean {
    const { total } = this.limits
    return this.size < total && (this.users.get(userId)?.running ?? 0) < Math.ceil(total * SHARE_OF_ONE)
  }

  private take(lane: Lane<Waiter>, request: RunningRequest): Leave {
    this.requests.set(request.id, request)
    lane.take(request, ++this.turn)
    this.count(request, 'running', 1)
    return () => {
      if (!this.requests.delete(request.id)) return
      lane.giveBack(request, this.env.mono())
      this.count(request, 'running', -1)
      this.freed(lane)
    }
  }

  private wait(lane: Lane<Waiter>, request: RunningRequest, signal: AbortSignal): Promise<Leave> {
    this.makeRoom(lane, request)
    return new Promise((resolve, reject) => {
      const end = () => {
        late()
        signal.removeEventListener('abort', hungUp)
        lane.leave(waiter)
        this.count(request, 'waiting', -1)
      }
      const waiter: Waiter = {
        ...request,
        enter(leave) {
          end()
          resolve(leave)
        },
        refuse(error) {
          end()
          reject(error)
        },
      }
      const hungUp = () => waiter.refuse(new Cancelled())
      const late = this.env.timer(this.limits.queueMs, () => waiter.refuse(this.full(lane)))
      lane.join(waiter)
      this.count(request, 'waiting', 1)
      signal.addEventListener('abort', hungUp)
      if (signal.aborted) hungUp()
    })
  }

  /** Where the room is full, whoever has far more gives way. @throws HubError when nobody has */
  private makeRoom(lane: Lane<Waiter>, request: RunningRequest): void {
    const full = () =>
      lane.crowded || this.waiting >= this.limits.total || this.waitingBytes + request.bytes > MOST_WAITING_BYTES
    while (full()) {
      const last = lane.whoGivesWay(request)
      if (!last) throw this.full(lane)
      last.refuse(this.full(lane))
    }
  }

  private freed(lane: Lane<Waiter>): void {
    if (this.waiting > 0) {
      this.admit(lane)
      // The hub as a whole may have been full.
      for (const other of this.lanes.values()) if (other !== lane) this.admit(other)
    }
    if (this.size === 0) for (const resolve of this.left.splice(0)) resolve()
  }

  private admit(lane: Lane<Waiter>): void {
    while (this.open && lane.waiting > 0 && !lane.full && this.size < this.limits.total) {
      const next = lane.next((userId) => this.hasPlaceFor(userId))
      if (!next) return
      next.enter(this.take(lane, next))
    }
  }

  private laneOf(variant: string): Lane<Waiter> {
    let lane = this.lanes.get(variant)
    if (!lane) this.lanes.set(variant, (lane = new Lane(() => this.limits.slots(variant), this.limits)))
    return lane
  }

  private count(request: RunningRequest, what: keyof Count, by: 1 | -1): void {
    this.bytes += by * request.bytes
    if (what === 'waiting') {
      this.waiting += by
      this.waitingBytes += by * request.bytes
    }
    tally(this.keys, request.keyId, what, by)
    tally(this.users, request.userId, what, by)
  }

  private full(lane: Lane<Waiter>): HubError {
    const queue = { waiting: lane.waiting, leftPerSecond: lane.turnover.perSecond(this.env.mono()) }
    const chance = (this.env.random(1)[0] ?? 0) / 256
    return new HubError(
      'no_capacity',
      'Every host of this model is busy, and as many requests wait as may. Nothing was billed. Try again in a few seconds.',
      { retryAfterSeconds: secondsUntilRoom(queue, chance) },
    )
  }
}

const NOBODY: Count = { running: 0, waiting: 0 }

function tally(counts: Map<string, Count>, id: string, what: keyof Count, by: 1 | -1): void {
  const count = counts.get(id)
  if (count) {
    count[what] += by
    if (count.running === 0 && count.waiting === 0) counts.delete(id)
  } else if (by === 1) counts.set(id, { ...NOBODY, [what]: 1 })
}

function stopping(): HubError {
  return new HubError(
    'hub_unavailable',
    'This hub is shutting down. Try again: another one, or its successor, answers.',
    { retryAfterSeconds: 1 },
  )
}
