// The ledger's writer on SQLite: a thread of its own, so that waiting for the disk never stalls a stream.
import type { Database } from 'bun:sqlite'
import { connectSqlite } from '../../db/sqlite.ts'
import type { Applied, Batch } from './items.ts'
import { applyBatch, asStoreError } from './sqlite-batch.ts'
import { StatementError } from './store.ts'

export type Ask = { open: string } | { batch: Batch } | { close: true }
export type Answer =
  | { applied: Applied }
  | { failed: string; code: string | null; statement: boolean }
  | { closed: true }

declare const self: { onmessage: ((event: MessageEvent<Ask>) => void) | null }
let client: Database | null = null

self.onmessage = ({ data }) => {
  if ('open' in data) client = connectSqlite(data.open)
  else if ('batch' in data) postMessage(answer(data.batch))
  else {
    client?.close()
    postMessage({ closed: true } satisfies Answer)
  }
}

function answer(batch: Batch): Answer {
  try {
    if (!client) throw new Error('the writer has no database')
    client.run('BEGIN IMMEDIATE')
    const applied = applyBatch(client, batch)
    client.run('COMMIT')
    return { applied }
  } catch (thrown) {
    if (client?.inTransaction) client.run('ROLLBACK')
    const error = asStoreError(thrown) as Error & { code?: string }
    return { failed: error.message, code: error.code ?? null, statement: error instanceof StatementError }
  }
}
