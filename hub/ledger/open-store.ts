import type { Db } from '../../db/open.ts'
import { PostgresStore } from './postgres-store.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { Fault, Store } from './store.ts'
import { WorkerStore } from './worker-store.ts'

export interface StoreOptions {
  /** `worker`: SQLite commits on a thread of its own. `inline`: on this one, for virtual clocks and for one-off commands. */
  writer: 'worker' | 'inline'
  fault: Fault
}

export function openStore(db: Db, { writer, fault }: StoreOptions): Store {
  if (db.dialect === 'postgres') return new PostgresStore(db.url, fault)
  // A memory database is seen by one connection only.
  if (writer === 'worker' && db.path !== ':memory:') return new WorkerStore(db.path)
  return new SqliteStore(db, fault)
}
