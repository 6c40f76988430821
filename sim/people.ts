// Who of all people takes part in a history, and what credit they begin with.
import { postCredit } from '../hub/ledger/credit.ts'
import { type Money, parseUsd } from '../sdk/money.ts'
import { settled } from './kernel.ts'
import { Machine } from './machine.ts'
import type { World } from './world.ts'

const ENOUGH = parseUsd('1.00')

export function settleIn(world: World): void {
  const { plan, ground } = world
  for (const customer of ground.customers.slice(0, plan.customers)) {
    const dice = world.dice.for(`credit of ${customer.name}`)
    const low = plan.faults.includes('low-balance') && dice.chance(0.6)
    // From less than one short answer to a few long ones.
    give(world, customer.account, low ? BigInt(dice.between(2_000, 40_000)) : ENOUGH)
    world.customers.push(customer)
  }
  for (const owner of ground.owners.slice(0, plan.machines)) world.machines.push(new Machine(world, owner))
}

/** More credit for an account. */
export function give(world: World, account: string, amount: Money): void {
  const given = world.credited.get(account) ?? 0n
  const credit = { account, amount, key: `credit:${account}:${given}`, note: 'simulated' }
  settled(postCredit(world.outside.env, world.ground.db, credit))
  world.credited.set(account, given + amount)
}
