// The part of the books a batch touches: read under lock, changed here, written back. No input or output of its own.
import type { EndState } from '../../db/schema/requests.ts'
import type { Money } from '../../sdk/money.ts'
import { assert } from '../errors.ts'
import { clientAccount, isMaterialised, pendingAccount } from './chart.ts'
import type { Item, KnownOnce, Posting } from './items.ts'
import type { RequestRow } from './request-row.ts'

/** What must be read, and locked in this order, before a batch can be decided. */
export interface Needed {
  accounts: string[]
  holders: string[]
  grantees: string[]
  requests: string[]
  postings: string[]
  onces: string[]
}

export interface Found {
  accounts: { id: string; balance: Money; granted: Money }[]
  grants: { holder: string; account: string; amount: Money }[]
  requests: Request[]
  postings: string[]
  onces: FoundOnce[]
}

export interface FoundOnce extends KnownOnce {
  /** The hub that works on it still stands. */
  hubStands: boolean
  /** Its charge was given back. */
  refunded: boolean
}

export interface Account {
  id: string
  /** Has no row yet. */
  fresh: boolean
  balance: Money
  granted: Money
  balanceBefore: Money
  grantedBefore: Money
}

export interface Grant {
  holder: string
  account: string
  amount: Money
  before: Money
}

export interface Request {
  id: string
  keyId: string
  state: EndState
  cost: Money
  delivered: boolean
}

export function needed(items: Item[], hubId: string | null): Needed {
  const accounts = new Set<string>()
  const holders = new Set<string>(hubId === null ? [] : [hubId])
  const grantees = new Set<string>()
  const requests: string[] = []
  const postings: string[] = []
  const onces: string[] = []
  for (const item of items) {
    switch (item.kind) {
      case 'settle':
        accounts.add(item.account)
        if (item.host !== null && item.share > 0n) accounts.add(pendingAccount(item.host))
        holders.add(item.holder)
        grantees.add(item.account)
        requests.push(item.id)
        break
      case 'record':
        requests.push(String(item.row[0]))
        break
      case 'lose':
        accounts.add(item.account)
        requests.push(item.id)
        break
      case 'take':
        accounts.add(item.account)
        grantees.add(item.account)
        break
      case 'trim':
      case 'forfeit':
        accounts.add(item.account)
        holders.add(item.holder)
        grantees.add(item.account)
        break
      case 'post':
        for (const { account } of item.posting.lines) if (isMaterialised(account)) accounts.add(account)
        postings.push(item.posting.key)
        break
      case 'begin':
      case 'keep':
      case 'forget':
        // Its lock stands for those of all rows of this client.
        accounts.add(clientAccount(item.once.userId))
        onces.push(item.once.id)
        break
    }
  }
  return { accounts: [...accounts], holders: [...holders], grantees: [...grantees], requests, postings, onces }
}

export class Books {
  readonly accounts = new Map<string, Account>()
  readonly grants = new Map<string, Grant>()
  readonly requests = new Map<string, Request>()
  readonly posted = new Set<string>()
  readonly newRows: RequestRow[] = []
  readonly newPostings: Posting[] = []
  readonly lost: string[] = []
  readonly delivered: string[] = []
  /** What keys have spent, and, negative, got back. */
  readonly spent = new Map<string, Money>()
  private readonly onces = new Map<string, FoundOnce>()
  private readonly changed = new Map<string, { once: KnownOnce; answer: string | null } | null>()
  enrolment: { selfUrl: string | null } | null = null
  beat = false

  constructor(
    readonly hubId: string | null,
    readonly at: number,
    found: Found,
  ) {
    for (const row of found.accounts) {
      this.accounts.set(row.id, { ...row, fresh: false, balanceBefore: row.balance, grantedBefore: row.granted })
    }
    for (const row of found.grants) this.grants.set(grantKey(row.holder, row.account), { ...row, before: row.amount })
    for (const row of found.requests) this.requests.set(row.id, { ...row })
    for (const key of found.postings) this.posted.add(key)
    for (const once of found.onces) this.onces.set(once.id, once)
  }

  account(id: string): Account {
    let account = this.accounts.get(id)
    if (!account) {
      account = { id, fresh: true, balance: 0n, granted: 0n, balanceBefore: 0n, grantedBefore: 0n }
      this.accounts.set(id, account)
    }
    return account
  }

  granted(holder: string, account: string): Money {
    return this.grants.get(grantKey(holder, account))?.amount ?? 0n
  }

  /** Sets more of an account aside for one holder, or, when negative, less. */
  grant(holder: string, id: string, amount: Money): void {
    const key = grantKey(holder, id)
    let grant = this.grants.get(key)
    if (!grant) {
      grant = { holder, account: id, amount: 0n, before: 0n }
      this.grants.set(key, grant)
    }
    const account = this.account(id)
    grant.amount += amount
    account.granted += amount
    assert(grant.amount >= 0n && account.granted >= 0n, 'a grant is never negative')
    assert(account.balance >= account.granted, 'a grant is always covered')
  }

  addRow(row: RequestRow, request: Request): void {
    this.requests.set(request.id, request)
    this.newRows.push([...row, this.hubId])
  }

  markDelivered(id: string): void {
    const request = this.requests.get(id)
    if (request) request.delivered = true
    this.delivered.push(id)
  }

  markLost(id: string): void {
    const request = this.requests.get(id)
    assert(request, 'only a known request is lost')
    request.state = 'lost'
    this.lost.push(id)
  }

  spend(keyId: string, amount: Money): void {
    this.spent.set(keyId, (this.spent.get(keyId) ?? 0n) + amount)
  }

  once(id: string): FoundOnce | undefined {
    return this.onces.get(id)
  }

  setOnce(once: KnownOnce, answer: string | null): void {
    this.onces.set(once.id, { ...once, hubStands: true, refunded: false })
    this.changed.set(once.id, { once, answer })
  }

  forgetOnce(id: string): void {
    this.onces.delete(id)
    this.changed.set(id, null)
  }

  changedOnces(): { set: { once: KnownOnce; answer: string | null }[]; forgotten: string[] } {
    const forgotten = [...this.changed].flatMap(([id, change]) => (change === null ? [id] : []))
    return { set: [...this.changed.values()].filter((change) => change !== null), forgotten }
  }

  changedAccounts(): Account[] {
    return [...this.accounts.values()]
      .filter((account) => account.balance !== account.balanceBefore || account.granted !== account.grantedBefore)
      .sort((a, b) => (a.id < b.id ? -1 : 1))
  }

  changedGrants(): Grant[] {
    return [...this.grants.values()].filter((grant) => grant.amount !== grant.before)
  }
}

const grantKey = (holder: string, account: string) => `${holder} ${account}`
