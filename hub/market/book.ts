// The price in force for each variant. A request keeps the price it was admitted at. For now every price is where it
// starts, as the team decided or the catalog says; what moves prices fills the same book.
import type { Price } from '../../sdk/money.ts'
import type { Offer } from '../catalog/find.ts'
import type { Offers } from '../catalog/offers.ts'

export interface PriceBook {
  current(offer: Offer): Price
}

export function openingPrices(offers: Pick<Offers, 'startPrice'>): PriceBook {
  return {
    current(offer) {
      const { promptPicos, completionPicos } = offers.startPrice(offer)
      return { prompt: promptPicos, completion: completionPicos }
    },
  }
}
