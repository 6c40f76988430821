// The places of one variant, and its waiting room: who has how many, whose turn it is, who has to give way.
import { givesWay, mostDue, type Party, type Room, roomFor } from './share.ts'
import { Turnover } from './turnover.ts'

/** What a place is taken for. */
export interface Claimant {
  userId: string
  keyId: string
}

/** The requests of one key, in order of arrival. */
interface Line<T> extends Party {
  account: Party
  waiters: Set<T>
}

export class Lane<T extends Claimant> {
  running = 0
  waiting = 0
  readonly turnover = new Turnover()
  private readonly accounts = new Map<string, Party>()
  private readonly lines = new Map<string, Line<T>>()
  private room: Room = { places: 0, mostOfOne: 0, waiting: 0 }
  private slots = 0

  constructor(
    private readonly slotsNow: () => number,
    private readonly factors: { loadFactor: number; queueFactor: number },
  ) {}

  get full(): boolean {
    return this.running >= this.measure().places
  }

  get crowded(): boolean {
    return this.waiting >= this.measure().waiting
  }

  /** Whether there is a place, and this account may have it. */
  hasPlaceFor(userId: string): boolean {
    const { places, mostOfOne } = this.measure()
    return this.running < places && (this.accounts.get(userId)?.running ?? 0) < mostOfOne
  }

  /** `turn` grows with every place taken. */
  take(claimant: Claimant, turn: number): void {
    const line = this.lineOf(claimant)
    line.servedAt = turn
    line.account.servedAt = turn
    line.running++
    line.account.running++
    this.running++
  }

  giveBack(claimant: Claimant, now: number): void {
    const line = this.lineOf(claimant)
    line.running--
    line.account.running--
    this.running--
    this.turnover.count(now)
    this.forget(claimant, line)
  }

  join(waiter: T): void {
    const line = this.lineOf(waiter)
    line.waiters.add(waiter)
    line.waiting++
    line.account.waiting++
    this.waiting++
  }

  leave(waiter: T): void {
    const line = this.lineOf(waiter)
    if (!line.waiters.delete(waiter)) return
    line.waiting--
    line.account.waiting--
    this.waiting--
    this.forget(waiter, line)
  }

  /** Who is next among the accounts that `may` have a place: the account with the fewest, its key with the fewest. */
  next(may: (userId: string) => boolean): T | null {
    const allowed = new Set<Party>()
    for (const [userId, account] of this.accounts)
      if (account.waiting > 0 && this.hasPlaceFor(userId) && may(userId)) allowed.add(account)
    const account = mostDue(allowed)
    const line = account && mostDue(this.linesOf(account))
    const [first] = line?.waiters ?? []
    return first ?? null
  }

  /** Whether somebody has so many more than this account that they would give way to it. */
  makesWayFor(userId: string): boolean {
    return this.givesWayTo(userId) !== null
  }

  /** The youngest request of whoever has far more than `newcomer`; null when nobody has. */
  whoGivesWay({ userId }: Claimant): T | null {
    const account = this.givesWayTo(userId)
    let longest: Line<T> | null = null
    if (account)
      for (const line of this.linesOf(account)) if (!longest || line.waiting > longest.waiting) longest = line
    return [...(longest?.waiters ?? [])].at(-1) ?? null
  }

  waiters(): T[] {
    return [...this.lines.values()].flatMap((line) => [...line.waiters])
  }

  private givesWayTo(userId: string): Party | null {
    return givesWay(this.accounts.values(), this.accounts.get(userId) ?? { running: 0, waiting: 0, servedAt: 0 })
  }

  private linesOf(account: Party): Line<T>[] {
    return [...this.lines.values()].filter((line) => line.account === account)
  }

  private lineOf({ userId, keyId }: Claimant): Line<T> {
    const known = this.lines.get(keyId)
    if (known) return known
    const account = this.accounts.get(userId) ?? { running: 0, waiting: 0, servedAt: 0 }
    this.accounts.set(userId, account)
    const line = { running: 0, waiting: 0, servedAt: 0, account, waiters: new Set<T>() }
    this.lines.set(keyId, line)
    return line
  }

  private forget({ userId, keyId }: Claimant, { running, waiting, account }: Line<T>): void {
    if (running === 0 && waiting === 0) this.lines.delete(keyId)
    if (account.running === 0 && account.waiting === 0) this.accounts.delete(userId)
  }

  private measure(): Room {
    const slots = this.slotsNow()
    if (slots !== this.slots) {
      this.slots = slots
      this.room = roomFor(slots, this.factors)
    }
    return this.room
  }
}
