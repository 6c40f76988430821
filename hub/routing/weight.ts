// How many turns a seat gets for another's one.
import type { Place } from '../tunnel/links.ts'

/** As many as an engine admits by default: claiming more earns no more turns. */
const MOST = 256

/**
 * For now the requests an engine works on at a time, as its host says. Rounded down to three significant bits, so that
 * 28 different weights are possible: turns.ts compares weights, not seats.
 */
export function weightOf(place: Pick<Place, 'slots'>): number {
  const slots = Math.max(1, Math.min(Math.trunc(place.slots), MOST))
  const step = 2 ** Math.max(0, Math.floor(Math.log2(slots)) - 2)
  return Math.floor(slots / step) * step
}
