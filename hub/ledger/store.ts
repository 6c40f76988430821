// Where a batch is applied: reads what it needs, decides, writes, all in one transaction. One store a database.
import type { Applied, Batch } from './items.ts'

export interface Store {
  /**
   * All of the batch is durable, or none of it. Rejects with a StatementError when trying again would fail in the same
   * way; with anything else when it may help. What became of a rejected batch is not known.
   */
  apply(batch: Batch): Promise<Applied>
  /** Ends an `apply` that hangs, where that can be done. */
  abort(): void
  close(): Promise<void>
}

/** The database, or an assertion, said no to what was asked. */
export class StatementError extends Error {
  override name = 'StatementError'
}

/** Instants within a batch at which a test lets things go wrong. */
export type FaultPoint = 'begun' | 'read' | 'written' | 'committed'
export type Fault = (point: FaultPoint) => void
export const noFault: Fault = () => {}
