// Holds, taken from grants in memory. While a grant is fetched, everybody who wants more of that account waits for the
// same answer.
import type { Cancel, Env } from '../../sdk/env.ts'
import { formatUsd, MAX_MONEY, type Money } from '../../sdk/money.ts'
import { assert, HubError } from '../errors.ts'
import type { Item, Outcome } from './items.ts'
import { Grant, Hold, Purse } from './purse.ts'
import { unavailable, type Writer } from './writer.ts'

const TICK_MS = 1_000
/** Ticks without a hold after which an account's idle grant goes back. */
const IDLE_TICKS = 3
const WAIT_MS = 5_000
const MOST_WAITING = 5_000

/** What a settlement takes from its grant, and what becomes of it. */
export interface Spending {
  holder: string
  /** Goes back to the account together with the charge. */
  giveBack: Money
  /** The database took both. */
  confirm(): void
  /** It took neither. */
  undo(): void
}

export class Holds {
  open = 0
  private purses = new Map<string, Purse>()
  private lastId = 0
  private ticks = 0
  private closed = false
  private tick: Cancel | null = null
  private readonly waits = new Map<Purse, Cancel>()

  constructor(
    private readonly env: Env,
    private readonly writer: Writer,
    private readonly enrolment: { id(): string },
  ) {}

  start(): void {
    this.tick = this.env.timer(TICK_MS, () => {
      this.ticks++
      for (const purse of this.purses.values()) this.tidy(purse)
      this.start()
    })
  }

  /** No more holds; those that wait are refused. */
  close(): void {
    this.closed = true
    this.tick?.()
    for (const purse of this.purses.values()) this.refuseAll(purse)
  }

  hold(account: string, amount: Money): Hold | Promise<Hold> {
    assert(amount >= 0n && amount <= MAX_MONEY, 'a hold is an amount')
    if (this.closed || this.writer.busy) throw unavailable()
    let purse = this.purses.get(account)
    if (!purse) {
      purse = new Purse(account, new Grant(this.enrolment.id()))
      this.purses.set(account, purse)
    }
    purse.usedAt = this.ticks
    if (purse.waiting.length === 0 && purse.grant.idle >= amount) return this.take(purse, amount)
    return this.wait(purse, amount)
  }

  release(hold: Hold): void {
    hold.end()
    this.open--
    hold.grant.committed -= hold.amount
    hold.grant.idle += hold.amount
    const purse = this.purseOf(hold)
    // When little is left, others may need it now.
    if (purse && hold.grant.spare === 0n) this.trim(purse)
  }

  /** Ends a hold of which `cost` is used. */
  spend(hold: Hold, cost: Money): Spending {
    hold.end()
    this.open--
    const { grant } = hold
    const left = hold.amount - cost
    grant.idle += left
    const purse = this.purseOf(hold)
    const giveBack = purse && purse.waiting.length === 0 ? grant.surplus : 0n
    grant.idle -= giveBack
    grant.committed += giveBack - left
    const used = cost + giveBack
    return {
      holder: grant.holder,
      giveBack,
      confirm() {
        grant.committed -= used
      },
      undo() {
        grant.committed -= used
        grant.idle += used
      },
    }
  }

  /** What lies idle here of an account that the database counts as set aside. */
  idle(account: string): Money {
    return this.purses.get(account)?.grant.idle ?? 0n
  }

  /** The enrolment is over, and with it every grant. Holds that are open settle against what their account has free. */
  enrolledAnew(): void {
    for (const purse of this.purses.values()) purse.grant = new Grant(this.enrolment.id())
  }

  private take(purse: Purse, amount: Money): Hold {
    const { grant } = purse
    grant.idle -= amount
    grant.committed += amount
    this.open++
    return new Hold(++this.lastId, purse.account, amount, grant)
  }

  private wait(purse: Purse, amount: Money): Promise<Hold> {
    if (purse.waiting.length >= MOST_WAITING) throw unavailable()
    return new Promise((resolve, reject) => {
      purse.waiting.push({ amount, resolve, reject })
      this.ask(purse)
    })
  }

  /** One question at a time; what comes meanwhile waits for the next. */
  private ask(purse: Purse): void {
    if (!this.waits.has(purse)) {
      this.waits.set(
        purse,
        this.env.timer(WAIT_MS, () => this.refuseAll(purse)),
      )
    }
    if (purse.asked !== null) return
    purse.asked = 0
    const task = {
      item: takeItem(purse),
      first: true,
      prepare: () => {
        purse.asked = purse.waiting.length
        task.item = takeItem(purse)
      },
      done: (outcome: Outcome) => this.answered(purse, outcome),
    }
    try {
      this.writer.push(task)
    } catch {
      purse.asked = null
      this.refuseAll(purse)
    }
  }

  private answered(purse: Purse, outcome: Outcome): void {
    const asked = purse.waiting.splice(0, purse.asked ?? 0)
    purse.asked = null
    this.stopWaiting(purse)
    if (outcome.kind !== 'taken') {
      for (const { reject } of asked) reject(unavailable())
    } else {
      const { grant } = purse
      const idle = outcome.granted - grant.committed
      grant.idle = idle > 0n ? idle : 0n
      grant.spare = outcome.spare
      for (const { amount, resolve, reject } of asked) {
        if (grant.idle >= amount) resolve(this.take(purse, amount))
        else reject(insufficient(amount, grant.idle + outcome.left))
      }
    }
    if (purse.waiting.length > 0) this.ask(purse)
    else if (purse.grant.surplus > 0n) this.trim(purse)
    else if (purse.empty) this.purses.delete(purse.account)
  }

  private refuseAll(purse: Purse): void {
    this.stopWaiting(purse)
    if (purse.asked !== null) purse.asked = 0
    for (const { reject } of purse.waiting.splice(0)) reject(unavailable())
  }

  private stopWaiting(purse: Purse): void {
    this.waits.get(purse)?.()
    this.waits.delete(purse)
  }

  private tidy(purse: Purse): void {
    const unused = this.ticks - purse.usedAt >= IDLE_TICKS
    if (purse.empty) {
      if (unused) this.purses.delete(purse.account)
      return
    }
    if (unused) purse.grant.spare = 0n
    if (purse.grant.surplus > 0n) this.trim(purse)
  }

  /** Gives back what need not stay idle. */
  private trim(purse: Purse): void {
    if (!purse.quiet || purse.grant.surplus === 0n) return
    purse.trimming = true
    const task = {
      item: trimItem(purse),
      first: true,
      prepare: () => {
        const { grant } = purse
        if (purse.waiting.length === 0) grant.idle -= grant.surplus
        task.item = trimItem(purse)
      },
      done: () => {
        purse.trimming = false
        if (purse.empty) this.purses.delete(purse.account)
      },
    }
    try {
      this.writer.push(task)
    } catch {
      purse.trimming = false
    }
  }

  private purseOf(hold: Hold): Purse | null {
    const purse = this.purses.get(hold.account)
    if (purse?.grant !== hold.grant) return null
    purse.usedAt = this.ticks
    return purse
  }
}

function takeItem({ account, grant, waiting }: Purse): Item {
  return { kind: 'take', account, committed: grant.committed, needs: waiting.map(({ amount }) => amount) }
}

function trimItem({ account, grant }: Purse): Item {
  return { kind: 'trim', account, holder: grant.holder, keep: grant.committed + grant.idle }
}

function insufficient(needed: Money, available: Money): HubError {
  return new HubError(
    'insufficient_quota',
    `This request may cost up to ${formatUsd(needed)} and the balance has ${formatUsd(available)} free. ` +
      'Add credit, or ask for fewer tokens with max_tokens.',
  )
}
