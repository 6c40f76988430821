// What is on offer, as a page shows it.
import { findOffer, type Offer } from '../hub/catalog/find.ts'
import { effectiveClass } from '../hub/catalog/licence.ts'
import type { ModelRecord } from '../hub/catalog/records.ts'
import type { Platform } from '../hub/gateway/platform.ts'
import { type Price } from '../sdk/money.ts'

export interface Shelf {
  model: ModelRecord
  variants: Item[]
}

export interface Item {
  offer: Offer
  price: Price
  /** Ready now. */
  hosts: number
}

/** Every model on offer, those that answer now first. */
export function shelves(hub: Platform): Shelf[] {
  const byModel = new Map<string, Shelf>()
  for (const offer of hub.offers.all()) {
    const shelf = byModel.get(offer.model.id) ?? { model: offer.model, variants: [] }
    byModel.set(offer.model.id, shelf)
    shelf.variants.push({ offer, price: hub.prices.current(offer), hosts: hub.turns.count(offer.id) })
  }
  const live = ({ variants }: Shelf) => variants.some(({ hosts }) => hosts > 0)
  return [...byModel.values()].sort((a, b) => Number(live(b)) - Number(live(a)))
}

export function shelf(hub: Platform, id: string): Shelf | null {
  const model = findOffer(id)?.model
  return model ? (shelves(hub).find((each) => each.model.id === model.id) ?? null) : null
}

/** What a licence asks, in a sentence. */
export function licenceNote(model: ModelRecord): string {
  return effectiveClass(model) === 'A'
    ? 'Free to use, also commercially.'
    : 'Has terms of its own: they are acknowledged once, before the first request.'
}
