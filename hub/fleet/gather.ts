// Many small questions to the database as few large ones: what is asked while a batch is under way goes into the next.
// A thousand hosts that return at once cost a handful of statements.
import type { Env } from '../../sdk/env.ts'

interface Waiting<Item, Result> {
  item: Item
  resolve(result: Result): void
  reject(error: unknown): void
}

export class Gather<Item, Result> {
  private waiting: Waiting<Item, Result>[] = []
  private busy = false

  /** `run` answers a batch of at most `most` items, in their order. What it throws reaches all who asked. */
  constructor(
    private readonly env: Pick<Env, 'soon'>,
    private readonly most: number,
    private readonly run: (items: Item[]) => Promise<Result[]>,
  ) {}

  ask(item: Item): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ item, resolve, reject })
      if (this.busy) return
      this.busy = true
      this.env.soon(() => void this.work())
    })
  }

  private async work(): Promise<void> {
    while (this.waiting.length > 0) await this.answer(this.waiting.splice(0, this.most))
    this.busy = false
  }

  private async answer(batch: Waiting<Item, Result>[]): Promise<void> {
    try {
      const results = await this.run(batch.map(({ item }) => item))
      for (const [at, asked] of batch.entries()) asked.resolve(results[at]!)
    } catch (error) {
      for (const asked of batch) asked.reject(error)
    }
  }
}
