// GET /api/v1/catalog: every variant as a host has to know it, on offer here or not.
import type { PageQuery } from '../../sdk/api.ts'
import type { CatalogPage, CatalogVariant } from '../../sdk/catalog.ts'
import { usdPerMillion } from '../../sdk/money.ts'
import { everyOffer, type Offer, whyNot } from '../catalog/find.ts'
import { downloadBytes, leastTokensPerSecond } from '../catalog/size.ts'
import { slice } from './account.ts'
import type { Platform } from './platform.ts'

type Shop = Pick<Platform, 'offers' | 'prices' | 'turns' | 'policy' | 'config'>

/** Hosts want it whole. */
const WHOLE = 200

export function listCatalog(hub: Shop, { limit = WHOLE, before }: PageQuery): CatalogPage {
  const { hostDownMbits, hostUpMbits, hostRoundTripMs } = hub.policy.current()
  // What simulated hosts serve is no business of machines with a GPU.
  const rows = everyOffer().filter(({ model }) => model.tokenizer !== 'emulated')
  return {
    ...slice(
      rows.map((offer) => catalogRow(hub, offer)),
      limit,
      before,
      (row) => row.id,
    ),
    feePpm: hub.config.feePpm,
    network: {
      ...{ downMbits: hostDownMbits, upMbits: hostUpMbits },
      roundTripMs: hostRoundTripMs,
    },
  }
}

export function catalogRow(hub: Pick<Shop, 'offers' | 'prices' | 'turns'>, offer: Offer): CatalogVariant {
  const { id, model, variant, terms } = offer
  const price = hub.prices.current(offer)
  const onOffer = hub.offers.find(id) !== null
  return {
    ...{ id, model: model.id, name: model.name, precision: variant.precision },
    isDefault: variant === model.variants[0],
    onOffer,
    whyNot: onOffer ? null : (whyNot(offer) ?? 'The people who run this hub have not switched it on.'),
    parameters: model.parameters,
    ...{ repo: variant.repo, revision: variant.revision, weightBytes: downloadBytes(model, variant) },
    minVramGb: variant.minVramGb,
    minComputeCapability: variant.minComputeCapability?.toFixed(1) ?? null,
    ...{ contextTokens: variant.contextTokens, maxOutputTokens: variant.maxOutputTokens, args: variant.args },
    minTokensPerSecond: leastTokensPerSecond(model),
    gated: model.gated,
    ...{ license: model.licence.name, licenseUrl: model.licence.url },
    baseModel: model.bases[0]?.id ?? null,
    baseLicense: model.bases[0]?.licence ?? null,
    ...{ aupUrl: model.aupUrl, attribution: model.attribution, statements: model.statements, terms },
    pricePrompt: usdPerMillion(price.prompt),
    priceCompletion: usdPerMillion(price.completion),
    hostsOnline: hub.turns.count(id),
  }
}
