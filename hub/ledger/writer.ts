// One queue, one batch at a time: what gathered while the last batch was committed is the next one. No timer on the way.
import type { Cancel, Env } from '../../sdk/env.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Applied, Item, Outcome } from './items.ts'
import { StatementError, type Store } from './store.ts'

export interface Task {
  item: Item
  /** Goes before everything else, in the next batch. */
  first?: boolean
  /** Called just before the item is sent, and again before it is sent again. */
  prepare?: () => void
  done?: (outcome: Outcome) => void
  /** What to do instead once the item has not been applied for too long. It may or may not have happened by then. */
  giveUp?: () => Item
  deadline?: number
}

const BATCH_ITEMS = 100
/** New work is refused from here on; what is running may still end. */
const BUSY_ITEMS = 10_000
const FULL_ITEMS = 60_000
const GIVE_UP_MS = 10_000
const HUNG_MS = 8_000
const CHECK_MS = 1_000
const RETRY_MS = { first: 10, most: 1_000 }
/** A commit costs as much as ten of its items: where a short wait brings as many more, it is waited. */
const GATHER_MS = 4
const GATHER_ITEMS = 10
const FULL_ENOUGH_ITEMS = 60

export class Writer {
  private readonly first: Task[] = []
  private readonly queue: Task[] = []
  private sending: Task[] = []
  /** The batch that is at the database just now. */
  underWay: Promise<Applied> | null = null
  private running = false
  private stopped = false
  private sentAt = 0
  private pushed = 0
  private lastBatch = { at: 0, pushed: 0 }
  private check: Cancel | null = null
  private idle: (() => void)[] = []

  constructor(
    private readonly env: Env,
    private readonly store: Store,
    private readonly log: Log,
    /** The enrolment in whose name batches are applied; asked for a new one when it is over, and told once that is one. */
    private readonly enrolment: { id(): string; renew(): Item; renewed(): void },
  ) {}

  get length(): number {
    return this.first.length + this.queue.length + this.sending.length
  }

  get busy(): boolean {
    return this.length >= BUSY_ITEMS
  }

  /** @throws HubError `hub_unavailable` when the queue is full. */
  push(task: Task): void {
    if (this.stopped || this.length >= FULL_ITEMS) throw unavailable()
    this.pushed++
    if (task.giveUp) task.deadline = this.env.mono() + GIVE_UP_MS
    if (task.first) this.first.push(task)
    else this.queue.push(task)
    if (this.running) return
    this.running = true
    void this.run()
  }

  /** @throws HubError as `push`. */
  ask(item: Item): Promise<Outcome> {
    return new Promise((done) => this.push({ item, done }))
  }

  /** Gives up at once what could be given up later: there is no time left to wait. */
  hurry(): void {
    this.giveUp(Number.POSITIVE_INFINITY)
  }

  /** Resolves when everything pushed so far was applied. */
  async drained(): Promise<void> {
    if (this.running) await new Promise<void>((resolve) => this.idle.push(resolve))
  }

  /** Nothing more is applied; what was not yet is dropped, and its askers are not told. */
  async stop(): Promise<void> {
    this.stopped = true
    this.check?.()
    await this.store.close()
  }

  private async run(): Promise<void> {
    // What is pushed in this turn goes together.
    await Promise.resolve()
    this.watch()
    while (this.length > 0 && !this.stopped) {
      await this.gather()
      const first = this.first.splice(0, BATCH_ITEMS / 2)
      this.sending = [...first, ...this.queue.splice(0, BATCH_ITEMS - first.length)]
      await this.apply(this.sending)
      this.sending = []
    }
    this.check?.()
    this.running = false
    for (const resolve of this.idle.splice(0)) resolve()
  }

  /** Under load, waits for more of what comes anyway. */
  private async gather(): Promise<void> {
    const now = this.env.mono()
    const { at, pushed } = this.lastBatch
    this.lastBatch = { at: now, pushed: this.pushed }
    const expected = now > at ? ((this.pushed - pushed) / (now - at)) * GATHER_MS : 0
    if (expected < GATHER_ITEMS || this.first.length > 0 || this.queue.length >= FULL_ENOUGH_ITEMS) return
    await new Promise<void>((resolve) => void this.env.timer(GATHER_MS, resolve))
  }

  /** Until it is applied, or, when one item is to blame, until all the others are. */
  private async apply(tasks: Task[]): Promise<void> {
    let renewal: Item | null = null
    for (let delayMs = RETRY_MS.first; !this.stopped; delayMs = Math.min(2 * delayMs, RETRY_MS.most)) {
      for (const task of tasks) task.prepare?.()
      const items = tasks.map((task) => task.item)
      try {
        const applied = await this.send(renewal ? [renewal, ...items] : items)
        if (applied !== 'fenced') {
          if (renewal) this.enrolment.renewed()
          return this.finish(tasks, items, renewal ? applied.slice(1) : applied)
        }
        renewal = this.enrolment.renew()
      } catch (error) {
        if (error instanceof StatementError) return this.isolate(tasks, items, error)
        this.log.warn('ledger.retry', { items: items.length, error: String(error) })
        await this.pause(delayMs)
      }
    }
  }

  private async send(items: Item[]): Promise<Applied> {
    this.sentAt = this.env.mono()
    this.underWay = this.store.apply({ hubId: this.enrolment.id(), at: this.env.now(), items })
    try {
      return await this.underWay
    } finally {
      this.underWay = null
    }
  }

  private finish(tasks: Task[], items: Item[], outcomes: Outcome[]): void {
    tasks.forEach((task, i) => {
      const outcome = outcomes[i]
      if (!outcome) throw new Error('a batch has one outcome an item')
      // Given up while it was on its way: what replaced it is still to be done.
      if (task.item !== items[i]) this.queue.push(task)
      else task.done?.(outcome)
    })
  }

  private async isolate(tasks: Task[], items: Item[], error: StatementError): Promise<void> {
    if (tasks.length === 1) {
      this.log.error('ledger.refused', { item: items[0]?.kind, error: error.message })
      return this.finish(tasks, items, [{ kind: 'refused', why: 'broken', detail: error.message }])
    }
    const half = Math.ceil(tasks.length / 2)
    await this.apply(tasks.slice(0, half))
    await this.apply(tasks.slice(half))
  }

  private pause(delayMs: number): Promise<void> {
    const jitter = 1 + (this.env.random(1)[0] ?? 0) / 256
    return new Promise((resolve) => void this.env.timer(Math.round(delayMs * jitter), resolve))
  }

  /** While there is work: gives up what waits too long, ends a batch that hangs. */
  private watch(): void {
    this.check?.()
    this.check = this.env.timer(CHECK_MS, () => {
      const now = this.env.mono()
      this.giveUp(now)
      if (this.sending.length > 0 && now - this.sentAt > HUNG_MS) this.store.abort()
      this.watch()
    })
  }

  private giveUp(until: number): void {
    for (const tasks of [this.sending, this.queue]) {
      for (const task of tasks) {
        if (task.deadline === undefined || task.deadline > until || !task.giveUp) continue
        task.item = task.giveUp()
        task.giveUp = undefined
      }
    }
  }
}

export function unavailable(cause?: unknown): HubError {
  return new HubError(
    'hub_unavailable',
    'The hub cannot write to its books just now. Nothing was billed. Try again in a moment.',
    {
      cause,
    },
  )
}
