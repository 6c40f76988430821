// What each item does to the books, and what its sender is told. Pure: both databases run it, and so does a simulator.
import type { Money } from '../../sdk/money.ts'
import { assert } from '../errors.ts'
import type { Books, FoundOnce } from './books.ts'
import { FEES, pendingAccount, RELIABILITY } from './chart.ts'
import type { Item, Outcome } from './items.ts'
import { post } from './post.ts'
import { namesIn } from './request-row.ts'

type Of<Kind extends Item['kind']> = Extract<Item, { kind: Kind }>

const DONE: Outcome = { kind: 'done' }

export function decide(books: Books, items: Item[]): Outcome[] {
  return items.map((item) => decideOne(books, item))
}

/** Items that only a hub that stands may ask for; one that was thought dead must enrol again first. */
export function needsEnrolment(items: Item[]): boolean {
  const asks = (kind: Item['kind']) =>
    kind === 'settle' || kind === 'record' || kind === 'take' || kind === 'beat' || kind === 'begin'
  return items.some((item) => asks(item.kind)) && !items.some((item) => item.kind === 'enrol')
}

function decideOne(books: Books, item: Item): Outcome {
  switch (item.kind) {
    case 'settle':
      return settle(books, item)
    case 'lose':
      return lose(books, item)
    case 'take':
      return take(books, item)
    case 'post':
      return post(books, item.posting)
    case 'trim': {
      const surplus = books.granted(item.holder, item.account) - item.keep
      if (surplus > 0n) books.grant(item.holder, item.account, -surplus)
      return DONE
    }
    case 'forfeit':
      books.grant(item.holder, item.account, -books.granted(item.holder, item.account))
      return DONE
    case 'record': {
      const { id, keyId } = namesIn(item.row)
      if (!books.requests.has(id)) books.addRow(item.row, { id, keyId, state: 'failed', cost: 0n, delivered: true })
      return DONE
    }
    case 'begin':
      return begin(books, item)
    case 'keep':
      return keep(books, item)
    case 'forget': {
      const { id, requestId } = item.once
      if (books.once(id)?.requestId === requestId) books.forgetOnce(id)
      return DONE
    }
    case 'delivered':
      books.markDelivered(item.id)
      return DONE
    case 'enrol':
      books.enrolment = { selfUrl: item.selfUrl }
      return DONE
    case 'beat':
      books.beat = true
      return DONE
  }
}

function settle(books: Books, item: Of<'settle'>): Outcome {
  const { id, account, holder, host, cost, fee, share } = item
  const known = books.requests.get(id)
  if (known?.state === 'lost') return { kind: 'refused', why: 'lost', detail: `${id} was refunded meanwhile` }
  if (known && known.cost !== cost) {
    return { kind: 'refused', why: 'broken', detail: `${id} was settled before, for another amount` }
  }
  if (known) return DONE

  // A hub that was thought dead has lost its grant; it may still charge what the account has free.
  const used = cost + item.giveBack
  const covered = books.granted(holder, account) >= used
  if (covered) books.grant(holder, account, -used)
  if (cost > 0n) {
    assert(host !== null || share === 0n, 'a share needs a host')
    const earned = host === null ? [] : [{ account: pendingAccount(host), amount: share }]
    const lines = [{ account, amount: -cost }, ...earned, { account: FEES, amount: fee }]
    const outcome = post(books, { key: id, kind: 'usage', note: '', at: books.at, lines })
    if (outcome.kind === 'refused') {
      if (covered) books.grant(holder, account, used)
      return outcome
    }
  }
  const { keyId } = namesIn(item.row)
  const delivered = item.row.at(-1) === true
  books.addRow(item.row, { id, keyId, state: 'completed', cost, delivered })
  books.spend(keyId, cost)
  return DONE
}

function lose(books: Books, { id, account, row }: Of<'lose'>): Outcome {
  const known = books.requests.get(id)
  if (!known) {
    if (row) books.addRow(row, { ...namesIn(row), state: 'failed', cost: 0n, delivered: true })
    return { kind: 'undone', charged: false }
  }
  if (known.state === 'lost') return { kind: 'undone', charged: true }
  const arrived = row === null && known.delivered
  if (known.state === 'failed' || arrived) return { kind: 'undone', charged: false }

  if (known.cost > 0n) {
    const lines = [
      { account: RELIABILITY, amount: -known.cost },
      { account, amount: known.cost },
    ]
    const outcome = post(books, { key: `refund:${id}`, kind: 'refund', note: '', at: books.at, lines })
    if (outcome.kind === 'refused') return outcome
    books.spend(known.keyId, -known.cost)
  }
  books.markLost(id)
  return { kind: 'undone', charged: true }
}

/** Whoever asks the same again gets the answer that is kept, and so has it now, whatever became of the first sending. */
function begin(books: Books, { once }: Of<'begin'>): Outcome {
  const known = books.once(once.id)
  if (!known || known.requestId === once.requestId || !counts(known, books.at)) {
    books.setOnce({ ...once, state: 'running', hasAnswer: false }, null)
    return { kind: 'begun' }
  }
  const again = known.body === once.body && known.keyId === once.keyId && known.hasAnswer
  if (again) books.markDelivered(known.requestId)
  return { kind: 'known', once: known }
}

/** Whether the key still stands for a request that runs or was charged. */
function counts({ state, hubStands, refunded, expiresAt }: FoundOnce, at: number): boolean {
  return expiresAt > at && !refunded && (state === 'done' || hubStands)
}

function keep(books: Books, { once, answer, until }: Of<'keep'>): Outcome {
  if (books.once(once.id)?.requestId !== once.requestId)
    return { kind: 'refused', why: 'lost', detail: `${once.requestId} is no longer the first` }
  books.setOnce({ ...once, expiresAt: until, state: 'done', hasAnswer: answer !== null }, answer)
  return DONE
}

/**
 * Sets aside what the waiting holds need, first come first served among those that fit, or a tenth of what is free when
 * that is more: then most holds to come need no database.
 */
function take(books: Books, { account, committed, needs }: Of<'take'>): Outcome {
  const { hubId } = books
  assert(hubId !== null, 'only a hub takes grants')
  const { balance, granted } = books.account(account)
  const free = balance - granted
  const idle = larger(books.granted(hubId, account) - committed, 0n)
  let wanted = 0n
  let fitting = 0
  for (const need of needs) {
    if (wanted + need > idle + free) continue
    wanted += need
    fitting++
  }
  const short = larger(wanted - idle, 0n)
  const tenth = free / 10n
  const spare = fitting === needs.length && tenth >= short ? tenth : 0n
  const more = larger(spare, short)
  if (more > 0n) books.grant(hubId, account, more)
  return { kind: 'taken', granted: books.granted(hubId, account), left: free - more, spare }
}

const larger = (a: Money, b: Money) => (a > b ? a : b)
