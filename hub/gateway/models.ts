// GET /v1/models: what is on offer, with what a client needs to choose.
import { usdPerToken } from '../../sdk/money.ts'
import type { Model, ModelList } from '../../sdk/openai.ts'
import type { Offer } from '../catalog/find.ts'
import { HubError } from '../errors.ts'
import { type KeyModels, mayAsk, requireModel } from '../identity/key-models.ts'
import { licenceClass } from './account.ts'
import type { Gateway } from './gateway.ts'

type Shop = Pick<Gateway, 'offers' | 'prices' | 'turns'>

/**
 * Every variant under its own id, and every model under its plain id, which means its default variant; of those that
 * the key may ask for.
 */
export function listModels(hub: Shop, models: KeyModels): ModelList {
  const allowed = hub.offers.all().filter((offer) => mayAsk(models, offer))
  const entries = allowed.flatMap((offer) => {
    const variant = describe(hub, offer, offer.id)
    return offer.variant === offer.model.variants[0] ? [describe(hub, offer, offer.model.id), variant] : [variant]
  })
  return { object: 'list', data: entries }
}

/** `encoded` as it stood in the address: `Qwen/Qwen3-8B` or `Qwen%2FQwen3-8B`. @throws HubError */
export function retrieveModel(hub: Shop, encoded: string, models: KeyModels): Model {
  const id = decode(encoded)
  const offer = id === null ? null : hub.offers.find(id)
  if (!offer || id === null)
    throw new HubError('model_not_found', 'This model is not on offer here. GET /v1/models lists what is.', {
      param: 'model',
    })
  requireModel(models, offer, id)
  return describe(hub, offer, id)
}

function describe(hub: Shop, offer: Offer, id: string): Model {
  const { model, variant } = offer
  const price = hub.prices.current(offer)
  return {
    id,
    object: 'model',
    created: model.created,
    owned_by: model.ownedBy,
    name: model.name,
    context_length: variant.contextTokens,
    max_output_length: variant.maxOutputTokens,
    precision: variant.precision,
    pricing: { prompt: usdPerToken(price.prompt), completion: usdPerToken(price.completion) },
    license: model.licence.name,
    license_url: model.licence.url,
    license_class: licenceClass(model),
    base_model: model.bases[0]?.id ?? null,
    base_license: model.bases[0]?.licence ?? null,
    attribution: model.attribution,
    aup_url: model.aupUrl,
    acknowledgement_required: offer.terms !== null,
    x_gpuhub: { hosts_online: hub.turns.count(offer.id), revision: variant.revision },
  }
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}
