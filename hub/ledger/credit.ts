// Credit that the platform gives. The same posting from a running hub and from a command beside it.
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { MAX_MONEY, type Money } from '../../sdk/money.ts'
import { assert, HubError } from '../errors.ts'
import { CREDITS, isMaterialised } from './chart.ts'
import type { Outcome, Posting } from './items.ts'
import { openStore } from './open-store.ts'
import { noFault } from './store.ts'

export interface Credit {
  account: string
  amount: Money
  /** The same key credits once. */
  key: string
  note: string
}

/** For commands that run beside the hubs. @returns false when this key was credited before. @throws HubError */
export async function postCredit(env: Env, db: Db, credit: Credit): Promise<boolean> {
  const store = openStore(db, { writer: 'inline', fault: noFault })
  try {
    const at = env.now()
    const applied = await store.apply({
      hubId: null,
      at,
      items: [{ kind: 'post', posting: creditPosting(credit, at) }],
    })
    assert(applied !== 'fenced', 'a command needs no enrolment')
    return credited(applied[0])
  } finally {
    await store.close()
  }
}

export function creditPosting({ account, amount, key, note }: Credit, at: number): Posting {
  assert(isMaterialised(account), `${account} cannot be credited`)
  assert(amount > 0n && amount <= MAX_MONEY, 'a credit is a positive amount')
  const lines = [
    { account: CREDITS, amount: -amount },
    { account, amount },
  ]
  return { key, kind: 'credit', note, at, lines }
}

export function credited(outcome: Outcome | undefined): boolean {
  if (outcome?.kind === 'posted') return outcome.first
  if (outcome?.kind === 'refused' && outcome.why === 'too_large') {
    throw new HubError('invalid_request', 'No account can hold that much. Give a smaller amount.')
  }
  throw new Error(`a credit was not posted: ${JSON.stringify(outcome)}`)
}
