// The door of the books: what a hub may do with money. Every change waits its turn in one writer.
import { eq } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import { type Env, newId } from '../../sdk/env.ts'
import { formatUsd, type Money, split } from '../../sdk/money.ts'
import { assert, HubError } from '../errors.ts'
import { clientAccount } from '../identity/users.ts'
import type { Log } from '../log.ts'
import { balanceRow } from './balance.ts'
import { pendingAccount, VALIDATION } from './chart.ts'
import { type Credit, credited, creditPosting } from './credit.ts'
import { Holds, type Spending } from './holds.ts'
import type { Item, KnownOnce, Once, Outcome } from './items.ts'
import { Lease } from './lease.ts'
import { openStore } from './open-store.ts'
import type { Hold } from './purse.ts'
import { chargedRow, type Ended, freeRow } from './request-row.ts'
import { type Fault, noFault } from './store.ts'
import { type Task, unavailable, Writer } from './writer.ts'

export type { KnownOnce, Once } from './items.ts'
export type { Hold } from './purse.ts'
export type { Ended } from './request-row.ts'

export interface Settled {
  cost: Money
  fee: Money
  hostShare: Money
}

export interface Spendable {
  balance: Money
  /** Set aside for requests that run now, here or on other hubs. */
  held: Money
  available: Money
}

export interface LedgerOptions {
  /** New at every start of the process. */
  hubId: string
  selfUrl: string | null
  feePpm: number
  /** `worker`: SQLite commits on a thread of its own. `inline`: on this one, for memory databases and virtual clocks. */
  writer: 'worker' | 'inline'
  log: Log
  /** No other hub shares this database, so whoever is enrolled is dead. By default so on SQLite. */
  alone?: boolean
  /** This hub was thought dead; from now on it is known, and spends, under another id. */
  enrolledAnew?: (hubId: string) => void
  /** For tests: lets a batch fail at an instant of its choice. */
  fault?: Fault
}

const OPEN_MS = 30_000
const CLOSE_MS = 10_000

export class Ledger {
  private readonly writer: Writer
  private readonly holds: Holds
  private readonly lease: Lease
  private id: string

  private constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly options: LedgerOptions,
  ) {
    const { hubId, selfUrl, writer, log, alone = db.dialect === 'sqlite', fault = noFault } = options
    this.id = hubId
    const enrolment = {
      id: () => this.id,
      renew: () => this.enrolAnew(),
      renewed: () => options.enrolledAnew?.(this.id),
    }
    this.writer = new Writer(env, openStore(db, { writer, fault }), log, enrolment)
    this.holds = new Holds(env, this.writer, enrolment)
    this.lease = new Lease(env, db, this.writer, enrolment, { selfUrl, alone, log })
  }

  /** Enrols this hub, and clears up after those that died. */
  static async open(env: Env, db: Db, options: LedgerOptions): Promise<Ledger> {
    const ledger = new Ledger(env, db, options)
    try {
      await within(env, OPEN_MS, ledger.lease.start())
    } catch (error) {
      await ledger.writer.stop()
      throw error
    }
    ledger.holds.start()
    return ledger
  }

  /** The enrolment in whose name this hub spends now. Another than the given one after the hub was thought dead. */
  get hubId(): string {
    return this.id
  }

  /**
   * Sets `amount` aside. Most holds are taken from a grant in memory, at once.
   * @throws HubError `insufficient_quota`, `hub_unavailable`
   */
  hold(account: string, amount: Money): Hold | Promise<Hold> {
    return this.holds.hold(account, amount)
  }

  /** Gives a hold back; nothing is charged. */
  release(hold: Hold): void {
    this.holds.release(hold)
  }

  /**
   * Charges what a completed or cancelled request cost, at most its hold, and ends the hold whatever happens. Resolved:
   * durable. Rejected (`hub_unavailable`, `insufficient_quota`): nothing was charged, or what was is refunded, and the
   * request is written down as failed.
   */
  async settle(hold: Hold, { cost, ...ended }: Ended & { cost: Money }): Promise<Settled> {
    const flaw = flawOf(hold, ended, cost)
    if (flaw !== null) {
      this.release(hold)
      assert(false, flaw)
    }
    const { fee, share } = split(cost, this.options.feePpm)
    const spending = this.holds.spend(hold, cost)
    const { promise, resolve, reject } = Promise.withResolvers<Settled>()
    // Who hung up has what was written to them; who waits for an ending has it when `delivered` says so.
    const row = chargedRow(ended, { cost, fee, hostShare: share, delivered: ended.state === 'cancelled' })
    const { holder, giveBack } = spending
    const parts = { id: ended.id, account: hold.account, host: ended.hostId, holder, giveBack, cost, fee, share }
    // Written down as failed; and should the charge have happened all the same, unknown to us, it is refunded.
    const instead = (error: HubError): Item => {
      const failed = freeRow({ ...ended, state: 'failed', errorCode: error.code })
      return { kind: 'lose', id: ended.id, account: hold.account, row: failed }
    }
    const task: Task = {
      item: { kind: 'settle', ...parts, row },
      done: (outcome) => {
        if (outcome.kind === 'done') {
          spending.confirm()
          resolve({ cost, fee, hostShare: share })
        } else {
          spending.undo()
          const error = refusal(outcome)
          this.push(instead(error), ended.id)
          reject(error)
        }
      },
      giveUp: () => {
        task.done = (outcome) => this.takenBack(ended.id, spending, outcome)
        const error = unavailable()
        reject(error)
        return instead(error)
      },
    }
    try {
      this.writer.push(task)
    } catch (error) {
      spending.undo()
      throw error
    }
    return promise
  }

  /** The hub ends: charges that the books have not taken yet are rejected now, not after ten seconds. */
  hurry(): void {
    this.writer.hurry()
  }

  /** Writes down a request that ended without a charge. Its hold, if there was one, is released by the caller. */
  record(ended: Ended): void {
    this.push({ kind: 'record', row: freeRow(ended) }, ended.id)
  }

  /** The end of a settled answer was handed to the network; without this mark it is refunded when the hub dies. */
  delivered(requestId: string): void {
    this.push({ kind: 'delivered', id: requestId }, requestId)
  }

  /** A settled answer could not be delivered: the client gets back what it paid, the host keeps its share. */
  refund(requestId: string): void {
    this.takeBack(requestId).catch((error) =>
      this.options.log.error('ledger.not_taken_back', { request: requestId, why: String(error) }),
    )
  }

  /** The first request with its idempotency key, or what is known of that. @throws HubError `hub_unavailable` */
  async begin(once: Once): Promise<KnownOnce | null> {
    const outcome = await this.inTime({ kind: 'begin', once }, { kind: 'forget', once })
    if (outcome.kind === 'known') return outcome.once
    if (outcome.kind !== 'begun') throw unavailable(outcome)
    return null
  }

  /**
   * Durable when it resolves. False: another request has that key now, because this hub was thought dead.
   * @throws HubError `hub_unavailable`: it may yet be kept, later
   */
  async keep(once: Once, answer: string | null, until: number): Promise<boolean> {
    const item: Item = { kind: 'keep', once, answer, until }
    const outcome = await this.inTime(item, item)
    if (outcome.kind === 'refused' && outcome.why !== 'lost') throw unavailable(outcome)
    return outcome.kind === 'done'
  }

  /** A request that ended without a charge frees its idempotency key. */
  forget(once: Once): void {
    this.push({ kind: 'forget', once }, once.requestId)
  }

  /** The encrypted answer of a request that is done once; null when there is none. */
  async keptAnswer(onceId: string): Promise<string | null> {
    const { onces } = this.db.tables
    const [row] = await this.db.query.select({ answer: onces.answer }).from(onces).where(eq(onces.id, onceId))
    return row?.answer ?? null
  }

  /** Adds credit from the platform. False: this key was credited before, nothing happened. */
  async credit(credit: Credit): Promise<boolean> {
    return credited(await this.writer.ask({ kind: 'post', posting: creditPosting(credit, this.env.now()) }))
  }

  /** Pays a host for an answer to the hub's own question. */
  async payForCheck(paid: { hostId: string; amount: Money; key: string; note: string }): Promise<void> {
    const { hostId, amount, key, note } = paid
    const lines = [
      { account: VALIDATION, amount: -amount },
      { account: pendingAccount(hostId), amount },
    ]
    credited(await this.writer.ask({ kind: 'post', posting: { key, kind: 'check', note, at: this.env.now(), lines } }))
  }

  async spendable(account: string): Promise<Spendable> {
    const { balance, granted } = await balanceRow(this.db, account)
    const idle = this.holds.idle(account)
    const held = granted > idle ? granted - idle : 0n
    return { balance, held, available: balance - held }
  }

  /** Holds open on this hub. */
  openHolds(): number {
    return this.holds.open
  }

  /** Writes what is queued, returns every grant and leaves. Holds still open are given back. */
  async close(): Promise<void> {
    this.holds.close()
    const left = this.writer.drained().then(() => this.lease.leave())
    await within(this.env, CLOSE_MS, left).catch((error) =>
      this.options.log.error('ledger.close', { error: `not everything was returned: ${error}` }),
    )
    await this.writer.stop()
  }

  /** Settles when the batch that is at the database just now was answered; null: none is there. */
  get underWay(): Promise<unknown> | null {
    return this.writer.underWay
  }

  /** For a client that waits. What it is told after ten seconds is that the books are away; then `instead` is done. */
  private async inTime(item: Item, instead: Item): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>()
    const giveUp = () => {
      reject(unavailable())
      return instead
    }
    this.writer.push({ item, done: resolve, giveUp })
    return promise
  }

  private enrolAnew(): Item {
    const before = this.id
    this.id = newId(this.env, 'hub')
    this.holds.enrolledAnew()
    this.options.log.warn('ledger.enrolled_anew', { before, now: this.id })
    return { kind: 'enrol', selfUrl: this.options.selfUrl }
  }

  /** If this fails, the request stays undelivered, and is refunded when this hub leaves or is found dead. */
  private async takeBack(id: string): Promise<void> {
    const { requests } = this.db.tables
    const [row] = await this.db.query.select({ userId: requests.userId }).from(requests).where(eq(requests.id, id))
    assert(row, `${id} was never settled`)
    this.push({ kind: 'lose', id, account: clientAccount(row.userId), row: null }, id)
  }

  /** A settlement that took too long to be told in time. */
  private takenBack(id: string, spending: Spending, outcome: Outcome): void {
    if (outcome.kind === 'undone' && !outcome.charged) spending.undo()
    else spending.confirm()
    if (outcome.kind === 'refused')
      this.options.log.error('ledger.not_taken_back', { request: id, why: outcome.detail })
  }

  private push(item: Item, request: string): void {
    try {
      this.writer.push({ item })
    } catch {
      this.options.log.error('ledger.dropped', { item: item.kind, request })
    }
  }
}

function flawOf(hold: Hold, ended: Ended, cost: Money): string | null {
  if (cost < 0n || cost > hold.amount) return `${formatUsd(cost)} is more than was held for ${ended.id}`
  if (hold.account !== clientAccount(ended.userId)) return `${ended.id} is charged to whom it was held for`
  if (ended.state === 'failed') return `${ended.id} failed, and so costs nothing`
  if (cost > 0n && ended.hostId === null) return `${ended.id} costs something, so a host is paid`
  return null
}

function refusal(outcome: Outcome): HubError {
  if (outcome.kind === 'refused' && outcome.why === 'uncovered') {
    return new HubError(
      'insufficient_quota',
      'The balance no longer covers this request. Nothing was billed. Add credit to go on.',
    )
  }
  return unavailable(outcome)
}

/** Rejects when `work` takes longer. */
function within<T>(env: Env, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = env.timer(ms, () => reject(new Error(`the books did not answer within ${ms} ms`)))
    work.then(resolve, reject).finally(cancel)
  })
}
