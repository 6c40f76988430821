// Reading many things as of one instant, without holding anybody up: a writer may commit meanwhile, on both databases.
import type { Db } from './open.ts'
import { connectSqlite, plain } from './sqlite.ts'

export type Row = Record<string, unknown>
/** One SELECT, written so that both databases understand it. */
export type Read = <R = Row>(statement: string) => Promise<R[]>

export async function snapshot<T>(db: Db, work: (read: Read) => Promise<T>): Promise<T> {
  if (db.dialect === 'postgres') {
    const result = await db.client.begin('isolation level repeatable read read only', (sql) =>
      work(async <R>(statement: string) => [...(await sql.unsafe(statement))] as R[]),
    )
    return result as T
  }
  // A memory database has one connection only, so its snapshot is its own.
  const own = db.path === ':memory:' ? null : connectSqlite(db.path)
  const client = own ?? db.client
  own?.run('BEGIN')
  try {
    return await work(async <R>(statement: string) =>
      (client.query(statement).all() as Row[]).map(
        (row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])) as R,
      ),
    )
  } finally {
    own?.close()
  }
}
