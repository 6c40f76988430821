// SQLite on this thread, through the connection everything else uses.
import type { SqliteDb } from '../../db/sqlite.ts'
import { transaction } from '../../db/transaction.ts'
import type { Applied, Batch } from './items.ts'
import { applyBatch, asStoreError } from './sqlite-batch.ts'
import type { Fault, Store } from './store.ts'

export class SqliteStore implements Store {
  constructor(
    private readonly db: SqliteDb,
    private readonly fault: Fault,
  ) {}

  async apply(batch: Batch): Promise<Applied> {
    try {
      const applied = await transaction(this.db, async () => applyBatch(this.db.client, batch, this.fault))
      this.fault('committed')
      return applied
    } catch (error) {
      throw asStoreError(error)
    }
  }

  abort(): void {}

  async close(): Promise<void> {}
}
