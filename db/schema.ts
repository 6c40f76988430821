import { columns, type Dialect } from './columns.ts'
import { fleetTables } from './schema/fleet.ts'
import { limitTables } from './schema/limits.ts'
import { moneyTables } from './schema/money.ts'
import { mailTables } from './schema/mail.ts'
import { peopleTables } from './schema/people.ts'
import { policyTables } from './schema/policy.ts'
import { requestTables } from './schema/requests.ts'
import { signInTables } from './schema/sign-in.ts'
import { trafficTables } from './schema/traffic.ts'

export type Tables = ReturnType<typeof makeSchema>

const made: Partial<Record<Dialect, Tables>> = {}

/** Every table, in an order in which rows can be copied from one database to another. */
export function schema(dialect: Dialect): Tables {
  return (made[dialect] ??= makeSchema(dialect))
}

function makeSchema(dialect: Dialect) {
  const vocabulary = columns(dialect)
  const people = peopleTables(vocabulary)
  return {
    ...people,
    ...signInTables(vocabulary, people),
    ...policyTables(vocabulary),
    ...mailTables(vocabulary),
    ...fleetTables(vocabulary),
    ...moneyTables(vocabulary),
    ...requestTables(vocabulary),
    ...trafficTables(vocabulary),
    ...limitTables(vocabulary),
  }
}
