// Scenarios that need a world of their own: how costs grow, what memory holds, long runs, overload, a home's line.
import type { Judged } from './goals.ts'
import type { Bench } from './systems/system.ts'

/** What one such scenario has to say. */
export interface Finding {
  /** Lines for people, a table or a sentence each. */
  lines: string[]
  judged: Judged[]
  /** The figures, for history. */
  figures: Record<string, unknown>
}

export interface Lone {
  name: string
  /** Runs with `--quick` too. */
  quick: boolean
  run(bench: Bench, quick: boolean): Promise<Finding>
}
