// What the offered cards show together: the hottest of them, and what they draw.
import type { Card } from './card.ts'

export interface Gauges {
  /** The hottest, °C; null: nobody knows. */
  celsius: number | null
  /** All together; null: of one of them it is not known. */
  watts: number | null
  /** Watts they may draw together at most; null as `watts`. */
  limitWatts: number | null
}

/** `offered`: UUIDs; null: all of the machine. */
export function gauges({ cards }: { cards: readonly Card[] }, offered: ReadonlySet<string> | null): Gauges {
  const ours = cardsOf(cards, offered)
  const heat = ours.flatMap(({ temperatureCelsius }) => (temperatureCelsius === null ? [] : [temperatureCelsius]))
  // What a divided card draws is said of each of its instances.
  const whole = [...new Map(ours.map((card) => [card.partOf ?? card.uuid ?? card, card.powerWatts])).values()]
  const together = (which: 'draw' | 'limit') =>
    whole.reduce<number | null>(
      (sum, { [which]: watts }) => (sum === null || watts === null ? null : sum + watts),
      whole.length === 0 ? null : 0,
    )
  return {
    celsius: heat.length === 0 ? null : Math.max(...heat),
    ...{ watts: together('draw'), limitWatts: together('limit') },
  }
}

/** Those on offer. */
export function cardsOf(cards: readonly Card[], offered: ReadonlySet<string> | null): Card[] {
  return cards.filter(({ uuid }) => offered === null || (uuid !== null && offered.has(uuid)))
}
