// Every change of money is a posting, and every posting is made here. Nothing else writes entries or balances.
import { type Money, MAX_MONEY, sum } from '../../sdk/money.ts'
import { assert } from '../errors.ts'
import type { Books } from './books.ts'
import { isKnown, isMaterialised } from './chart.ts'
import type { Outcome, Posting } from './items.ts'

/**
 * Moves money between accounts: all lines, or, when an account lacks the money, none. A key that was posted before moves
 * nothing. Lines of zero are left out.
 */
export function post(books: Books, posting: Posting): Outcome {
  const lines = posting.lines.filter((line) => line.amount !== 0n)
  assert(sum(lines.map((line) => line.amount)) === 0n, `the lines of ${posting.key} must sum to zero`)
  assert(new Set(lines.map((line) => line.account)).size === lines.length, `${posting.key} names an account twice`)
  assert(
    lines.every((line) => isKnown(line.account)),
    `${posting.key} names an account that is not in the chart`,
  )
  if (books.posted.has(posting.key)) return { kind: 'posted', first: false }

  const kept = lines.filter((line) => isMaterialised(line.account))
  for (const { account, amount } of kept) {
    const { balance, granted } = books.account(account)
    if (amount < 0n && balance - granted < -amount) return uncovered(account, -amount, balance - granted)
    if (balance + amount > MAX_MONEY) return tooLarge(account)
  }
  if (lines.some((line) => !int64(line.amount))) return tooLarge(posting.key)

  for (const { account, amount } of kept) books.account(account).balance += amount
  books.posted.add(posting.key)
  books.newPostings.push({ ...posting, lines })
  return { kind: 'posted', first: true }
}

function uncovered(account: string, needed: Money, available: Money): Outcome {
  return {
    kind: 'refused',
    why: 'uncovered',
    detail: `${account} needs ${needed} and has ${available} nano-dollars free`,
  }
}

function tooLarge(account: string): Outcome {
  return { kind: 'refused', why: 'too_large', detail: `${account} would hold more than the database can` }
}

const int64 = (amount: Money) => amount <= MAX_MONEY && amount >= -MAX_MONEY
