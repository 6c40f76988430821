// Chance with a seed: the same seed asks the same questions and plans the same losses. When a real process gets to run is
// nobody's to decide, so a run is alike, not identical.
import { virtualEnv } from '../sdk/testing.ts'

export class Dice {
  private readonly random: (length: number) => Uint8Array

  constructor(seed: number) {
    const env = virtualEnv({ seed })
    this.random = (length) => env.random(length)
  }

  /** A whole number from 0 to `sides - 1`. */
  roll(sides: number): number {
    return new DataView(this.random(4).buffer).getUint32(0) % sides
  }

  between(least: number, most: number): number {
    return least + this.roll(most - least + 1)
  }

  chance(percent: number): boolean {
    return this.roll(10_000) < percent * 100
  }

  pick<T>(list: readonly T[]): T {
    return list[this.roll(list.length)]!
  }

  /** A name, as often as its weight says. */
  weighted<N extends string>(weights: Partial<Record<N, number>>): N {
    const entries = Object.entries(weights) as [N, number][]
    let left = this.roll(entries.reduce((sum, [, weight]) => sum + weight, 0))
    for (const [name, weight] of entries) {
      if (left < weight) return name
      left -= weight
    }
    throw new Error('weights are positive and whole')
  }
}
