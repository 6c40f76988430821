// One column vocabulary for both databases, made when the database is opened. Types are PostgreSQL's on both sides:
// queries are written once, and only this file, open.ts and sqlite.ts know that there is a second dialect.
import * as pg from 'drizzle-orm/pg-core'
import * as lite from 'drizzle-orm/sqlite-core'

export type Dialect = 'postgres' | 'sqlite'

interface Mapping<T> {
  stored: 'int64' | 'text'
  write: (value: T) => unknown
  read: (stored: unknown) => T
}

export function columns(dialect: Dialect) {
  const pick = <T>(forPg: T, forLite: unknown): T => (dialect === 'postgres' ? forPg : (forLite as T))

  /** A column kept as int64 or text on both, mapped here and by neither driver. */
  const mapped = <T>({ stored, write, read }: Mapping<T>) => {
    const maps = { toDriver: write, fromDriver: read }
    const forPg = pg.customType<{ data: T; driverData: unknown }>({
      dataType: () => (stored === 'int64' ? 'bigint' : 'text'),
      ...maps,
    })
    const forLite = lite.customType<{ data: T; driverData: unknown }>({
      dataType: () => (stored === 'int64' ? 'integer' : 'text'),
      ...maps,
    })
    return pick(
      () => forPg(),
      () => forLite(),
    )
  }
  const anyJson = mapped<unknown>({ stored: 'text', write: JSON.stringify, read: (text) => JSON.parse(text as string) })

  return {
    table: pick(pg.pgTable, lite.sqliteTable),
    index: pick(pg.index, lite.index),
    uniqueIndex: pick(pg.uniqueIndex, lite.uniqueIndex),
    primaryKey: pick(pg.primaryKey, lite.primaryKey),
    check: pick(pg.check, lite.check),
    text: pick(
      () => pg.text(),
      () => lite.text(),
    ),
    flag: pick(
      () => pg.boolean(),
      () => lite.integer({ mode: 'boolean' }),
    ),
    integer: mapped<number>({ stored: 'int64', write: (value) => value, read: Number }),
    /** Nano-dollars: exact int64, a bigint in TypeScript. */
    money: mapped<bigint>({ stored: 'int64', write: String, read: (value) => BigInt(value as string) }),
    /** An instant: epoch milliseconds in the database, the same number here. */
    time: mapped<number>({ stored: 'int64', write: (value) => value, read: Number }),
    /** JSON kept as text: the same bytes on both, and no driver encodes it twice. */
    json: <T>() => anyJson().$type<T>(),
  }
}

export type Columns = ReturnType<typeof columns>
