// bun:sqlite behind drizzle's asynchronous proxy driver. One connection has one transaction, so while one is open
// every other statement of this process waits for its end.
import { Database } from 'bun:sqlite'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { SQL } from 'drizzle-orm'
import { SQLiteAsyncDialect } from 'drizzle-orm/sqlite-core'
import { drizzle } from 'drizzle-orm/sqlite-proxy'
import type { AnyDb, Queries } from './open.ts'
import { schema } from './schema.ts'

export interface SqliteDb extends AnyDb {
  readonly dialect: 'sqlite'
  readonly path: string
  /** For migrations, backups and the ledger's hand-written batch. */
  readonly client: Database
}

/** FULL: a commit that was acknowledged survives a power cut. NORMAL would not promise that, and this file holds money. */
const PRAGMAS = [
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'busy_timeout = 5000',
  'wal_autocheckpoint = 4000',
]

/**
 * Prepared statements that a connection keeps. The runtime's own limit of 20 is less than a hub uses in a second: each
 * would be prepared anew every time, which takes ten times as long as running it.
 */
Database.MAX_QUERY_CACHE_SIZE = 500

/** A connection with every setting that money needs. Integers arrive as bigint. */
export function connectSqlite(path: string): Database {
  const client = new Database(path, { create: true, safeIntegers: true })
  for (const pragma of PRAGMAS) client.run(`PRAGMA ${pragma}`)
  return client
}

/** Runs one statement from outside a transaction, or one whole transaction. */
export type Passage = <T>(work: () => Promise<T>) => Promise<T>

export interface SqliteOptions {
  /** A connection that is open already, where several parts of one process share a memory database. */
  client?: Database
  /** What stands between the program and its disk. The simulator makes the disk slow here, and lets it fail. */
  passage?: Passage
}

export async function openSqlite(path: string, options: SqliteOptions = {}): Promise<SqliteDb> {
  const { client = connectSqlite(path), passage = (work) => work() } = options
  const tables = schema('sqlite')
  const gate = new Gate()

  const run = (text: string, params: unknown[], method: string) => {
    const statement = client.query(text)
    if (method === 'run') {
      const { changes } = statement.run(...(params as []))
      return { rows: [], changes, count: changes }
    }
    const rows = statement.values(...(params as [])).map((row) => row.map(plain))
    // drizzle's `get` wants the row itself, or nothing.
    return { rows: method === 'get' ? (rows[0] as unknown[]) : rows }
  }
  const noBatch = () => Promise.reject(new Error('this driver has no batches'))
  // drizzle reads `casing` from its third argument only.
  const config = { schema: tables, casing: 'snake_case' as const }
  const outer = drizzle(
    (text, params, method) => passage(() => gate.pass(() => run(text, params, method))),
    noBatch,
    config,
  )
  const inner = drizzle(async (text, params, method) => run(text, params, method), noBatch, config)

  const begin = <T>(work: (tx: Queries) => Promise<T>): Promise<T> =>
    passage(() =>
      gate.alone(async () => {
        client.run('BEGIN IMMEDIATE')
        try {
          const result = await work(inner as unknown as Queries)
          client.run('COMMIT')
          return result
        } catch (error) {
          if (client.inTransaction) client.run('ROLLBACK')
          throw error
        }
      }),
    )

  const compiler = new SQLiteAsyncDialect({ casing: 'snake_case' })
  const rows = async <R>(on: Queries, statement: SQL): Promise<R[]> => {
    const { sql, params } = compiler.sqlToQuery(statement)
    const read = () =>
      (client.query(sql).all(...(params as [])) as Record<string, unknown>[]).map(
        (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])) as R,
      )
    return (on as unknown) === inner ? read() : passage(() => gate.pass(read))
  }

  return {
    dialect: 'sqlite',
    url: `sqlite:${path}`,
    path,
    tables,
    client,
    query: outer as unknown as Queries,
    begin,
    rows,
    exec: async (statement) => void client.run(statement),
    close: async () => client.close(),
  }
}

/** Lets statements through, but holds back those from outside while a transaction is open. */
class Gate {
  private last: Promise<unknown> = Promise.resolve()
  private waiting = 0
  private readonly inside = new AsyncLocalStorage<{ live: boolean }>()

  async pass<T>(statement: () => T): Promise<T> {
    this.refuseInside('a query outside the open transaction: use the tx you were given')
    return this.waiting > 0 ? this.inTurn(async () => statement()) : statement()
  }

  async alone<T>(work: () => Promise<T>): Promise<T> {
    this.refuseInside('a transaction inside a transaction: use the tx you were given')
    const scope = { live: true }
    return this.inTurn(() => this.inside.run(scope, work).finally(() => (scope.live = false)))
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    this.waiting++
    const turn = this.last.then(work).finally(() => this.waiting--)
    this.last = turn.catch(() => {})
    return turn
  }

  private refuseInside(message: string): void {
    if (this.inside.getStore()?.live) throw new Error(message)
  }
}

const MIN = BigInt(Number.MIN_SAFE_INTEGER)
const MAX = BigInt(Number.MAX_SAFE_INTEGER)

/** Every INTEGER arrives as a bigint; only those that need to stay one do. */
export function plain(value: unknown): unknown {
  return typeof value === 'bigint' && value >= MIN && value <= MAX ? Number(value) : value
}
