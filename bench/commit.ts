// What one durable commit costs on this disk: the least a settlement can add to an answer.
import { join } from 'node:path'
import { connectSqlite } from '../db/sqlite.ts'
import { median } from './numbers.ts'
import type { World } from './world.ts'

const COMMITS = 200

/** The median of single-row commits, microseconds, with the settings the ledger's writer has. */
export function measureCommit(world: World): number {
  const db = connectSqlite(join(world.dataFolder('commit'), 'hub.db'))
  try {
    db.run('create table commits (n integer primary key)')
    const insert = db.query('insert into commits default values')
    const times = Array.from({ length: COMMITS }, () => {
      const at = performance.now()
      insert.run()
      return (performance.now() - at) * 1_000
    })
    return median(times)
  } finally {
    db.close()
  }
}
