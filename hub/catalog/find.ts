// From the name a client or host uses to the one thing it means.
import { effectiveClass, termsOf } from './licence.ts'
import { catalog } from './models.ts'
import type { ModelRecord, TokenizerName, VariantRecord } from './records.ts'

/** One variant on offer: a product of its own, with its own hosts, price and precision. */
export interface Offer {
  /** Always with its precision: `Qwen/Qwen3-8B:bf16`. */
  id: string
  model: ModelRecord
  variant: VariantRecord
  /** Names the terms to acknowledge first; null: none. */
  terms: string | null
}

const offers = new Map<string, Offer>()
for (const model of catalog) bring(model)

/** From now on `model` is in this process's catalog, in place of what had its id before. */
export function bring(model: ModelRecord): void {
  for (const [id, offer] of offers) if (offer.model.id === model.id) offers.delete(id)
  for (const variant of model.variants) {
    const offer = offerOf(model, variant)
    offers.set(offer.id, offer)
    // Without a precision the first variant is meant.
    if (variant === model.variants[0]) offers.set(model.id, offer)
  }
}

/** By default, of what the model's id alone means. */
export function offerOf(model: ModelRecord, variant: VariantRecord = model.variants[0]): Offer {
  return { id: `${model.id}:${variant.precision}`, model, variant, terms: termsOf(model) }
}

/** By variant id (`Qwen/Qwen3-8B:bf16`), or by model id, which means its default variant. */
export function findOffer(id: string): Offer | null {
  return offers.get(id) ?? null
}

/** Every variant once, in catalog order. */
export function everyOffer(): Offer[] {
  return [...new Set(offers.values())]
}

/** Why a variant cannot be switched on here; null: it can. */
export function whyNot({ model }: Offer): string | null {
  if (effectiveClass(model) === 'C')
    return `${model.id} has a licence, or a base, that does not allow it to be sold by the token.`
  if (model.tokenizer === null) return `This hub has no tokenizer for ${model.id}, so it could not count what it bills.`
  return null
}

/** What counts the offer's tokens. An offer without is never enabled. */
export function tokenizerOf({ model }: Offer): TokenizerName {
  if (model.tokenizer === null) throw new Error(`${model.id} cannot be counted`)
  return model.tokenizer
}
