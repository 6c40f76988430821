// Work that many ask for at the same moment, done one piece per turn of the event loop. A host that is lost leaves all its
// streams to be moved at once; everybody else's streams are heard in between.
import type { Env } from '../../sdk/env.ts'

export class OneByOne {
  private readonly waiting: (() => void)[] = []

  constructor(private readonly env: Pick<Env, 'soon'>) {}

  /** Resolves in a turn in which nobody else's does. */
  turn(): Promise<void> {
    return new Promise((resolve) => {
      this.waiting.push(resolve)
      if (this.waiting.length === 1) this.env.soon(() => this.next())
    })
  }

  private next(): void {
    this.waiting.shift()?.()
    if (this.waiting.length > 0) this.env.soon(() => this.next())
  }
}
