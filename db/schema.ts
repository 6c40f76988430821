import { columns, type Dialect } from './columns.ts'
import { fleetTables } from './schema/fleet.ts'
import { limitTables } from './schema/limits.ts'
import { moneyTables } from './schema/money.ts'
import { peopleTables } from './schema/people.ts'
import { requestTables } from './schema/requests.ts'

/** Every table, in an order in which rows can be copied from one database to another. */
export function schema(dialect: Dialect) {
  const vocabulary = columns(dialect)
  return {
    ...peopleTables(vocabulary),
    ...fleetTables(vocabulary),
    ...moneyTables(vocabulary),
    ...requestTables(vocabulary),
    ...limitTables(vocabulary),
  }
}

export type Tables = ReturnType<typeof schema>
