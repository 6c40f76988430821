// The times between the pieces of one answer: some of them, evenly spread, however many there are.

const MOST = 64

export class Gaps {
  values: number[] = []
  private every = 1
  private skipped = 0

  add(ms: number): void {
    if (++this.skipped < this.every) return
    this.skipped = 0
    this.values.push(ms)
    if (this.values.length < MOST) return
    this.values = this.values.filter((_, place) => place % 2 === 1)
    this.every *= 2
  }
}
