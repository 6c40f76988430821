// Who is in a world when it begins: customers with keys and credit, owners with machines.
import { addHostToken } from '../hub/fleet/token.ts'
import { addKey } from '../hub/identity/keys.ts'
import { addUser } from '../hub/identity/users.ts'
import { clientAccount } from '../hub/ledger/chart.ts'
import { postCredit } from '../hub/ledger/credit.ts'
import { type Money, parseUsd } from '../sdk/money.ts'
import { settled } from './kernel.ts'
import { Machine } from './machine.ts'
import type { Customer } from './visit.ts'
import type { World } from './world.ts'

const ENOUGH = parseUsd('1.00')

export function settleIn(world: World): void {
  const { plan } = world
  for (let at = 0; at < plan.customers; at++) world.customers.push(customer(world, `client${at + 1}`))
  for (let at = 0; at < plan.machines; at++) world.machines.push(machine(world, `host${at + 1}`))
}

/** More credit for an account. */
export function give(world: World, account: string, amount: Money): void {
  const given = world.credited.get(account) ?? 0n
  const credit = { account, amount, key: `credit:${account}:${given}`, note: 'simulated' }
  settled(postCredit(world.outside.env, world.db, credit))
  world.credited.set(account, given + amount)
}

function customer(world: World, name: string): Customer {
  const { env } = world.outside
  const dice = world.dice.for(`credit of ${name}`)
  const user = settled(addUser(env, world.db, { email: `${name}@example.com`, roles: ['client'] }))
  const { id: keyId, key: secret } = settled(addKey(env, world.db, { userId: user.id, name }))
  const account = clientAccount(user.id)
  const low = world.plan.faults.has('low-balance') && dice.chance(0.6)
  // From less than one short answer to a few long ones.
  give(world, account, low ? BigInt(dice.between(2_000, 40_000)) : ENOUGH)
  return { name, userId: user.id, account, keyId, secret, revokedAt: null }
}

function machine(world: World, name: string): Machine {
  const { env } = world.outside
  const owner = settled(addUser(env, world.db, { email: `${name}@example.com`, roles: ['host'] }))
  const { id, token } = settled(addHostToken(env, world.db, { ownerId: owner.id, name }))
  return new Machine(world, name, { id, token })
}
