// The database of a history: one real SQLite in memory that every hub of it shares. On the way to it a statement or a
// transaction can be slow, be refused, be lost, or happen without anybody being told.
import type { Database } from 'bun:sqlite'
import { openSqlite, type SqliteDb } from '../db/sqlite.ts'
import type { Dice } from './dice.ts'
import type { Kernel, Process } from './kernel.ts'

/** What can be wrong with the disk just now. Probabilities are of each statement or transaction. */
export interface Condition {
  /** Mean time before and after; 0: at once. */
  slowMs: number
  refuses: { code: string; chance: number } | null
  /** It happens, and its answer is lost. */
  forgets: number
}

export const healthy: Condition = { slowMs: 0, refuses: null, forgets: 0 }

export class Disk {
  condition = healthy
  /** Statements and transactions so far: while it stays the same, nothing has changed. */
  passes = 0
  /** Called when something was done and nobody knows it yet. */
  onCommit: (process: Process) => void = () => {}
  private readonly dice: Dice

  constructor(
    private readonly kernel: Kernel,
    dice: Dice,
    readonly client: Database,
    /** A server of its own, as PostgreSQL is; else a file that programs write themselves. */
    private readonly apart: boolean,
  ) {
    this.dice = dice.for('disk')
  }

  /** As one program sees it. What a program that died has in hand it never hears of. */
  openFor(process: Process): Promise<SqliteDb> {
    return openSqlite(':memory:', { client: this.client, passage: (work) => this.pass(process, work) })
  }

  private async pass<T>(process: Process, work: () => Promise<T>): Promise<T> {
    await this.wait(process)
    // A server of its own may have got a transaction from a program that died meanwhile.
    if (process.dead && !(this.apart && this.dice.chance(0.5))) return never()
    const { refuses, forgets } = this.condition
    if (refuses && this.dice.chance(refuses.chance))
      throw Object.assign(new Error(`the disk says ${refuses.code}`), { code: refuses.code })
    const result = await work()
    this.passes++
    this.onCommit(process)
    if (process.dead) return never()
    const forgotten = forgets > 0 && this.dice.chance(forgets)
    await this.wait(process)
    if (process.dead) return never()
    if (forgotten) throw Object.assign(new Error('the connection was lost'), { code: 'SQLITE_IOERR' })
    return result
  }

  private wait(process: Process): Promise<void> | void {
    const { slowMs } = this.condition
    if (process.dead) return never()
    if (slowMs === 0) return
    const ms = this.dice.around(slowMs)
    return new Promise((resolve) => {
      this.kernel.after(ms, `${process.name} disk`, () => {
        if (process.dead) resolve()
        else process.hears(0, 'disk', resolve)
      })
    })
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => {})
}
