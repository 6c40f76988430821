// Seeded chance. Everything that happens by chance in a history is drawn here, so that its seed tells all of it.

/** The mulberry32 generator, and the draws a simulated world needs. */
export class Dice {
  private state: number

  constructor(private readonly seed: number) {
    this.state = seed >>> 0
  }

  /** Dice of their own for one purpose: how often these are thrown changes nothing for any other. */
  for(purpose: string): Dice {
    return new Dice(hashText(purpose, this.seed ^ 0x9e3779b9))
  }

  /** Uniform in [0, 1). */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** Exponentially distributed, as the time to the next of many independent events is. */
  around(mean: number): number {
    return -mean * Math.log(1 - this.next())
  }

  pick<T>(list: readonly T[]): T {
    const item = list[Math.floor(this.next() * list.length)]
    if (item === undefined) throw new Error('nothing to pick from')
    return item
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => Math.floor(this.next() * 256))
  }
}

/** FNV-1a over UTF-16 units. */
export function hashText(text: string, start = 0x811c9dc5): number {
  let hash = start | 0
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return hash >>> 0
}
