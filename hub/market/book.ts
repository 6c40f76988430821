// The price in force for each variant. A request keeps the price it was admitted at. For now every price is the
// catalog's start price; what moves prices fills the same book.
import type { Price } from '../../sdk/money.ts'
import type { Offer } from '../catalog/find.ts'

export interface PriceBook {
  current(offer: Offer): Price
}

export const startPrices: PriceBook = {
  current: ({ variant }) => ({
    prompt: variant.startPrice.promptPicos,
    completion: variant.startPrice.completionPicos,
  }),
}
