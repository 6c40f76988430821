// Whether a request may run at all, and what it can cost. Everything here happens before a cent is held.
import { type Money, type Price, type PricePicos, usdPerMillion } from '../../sdk/money.ts'
import { type Offer, tokenizerOf } from '../catalog/find.ts'
import { HubError } from '../errors.ts'
import { requireModel } from '../identity/key-models.ts'
import type { Bearer } from '../identity/keyring.ts'
import { licenceMark } from '../identity/licences.ts'
import { requireTerms } from '../identity/terms.ts'
import { quote } from '../market/quote.ts'
import { promptChars } from '../metering/count.ts'
import { MeterBusyError } from '../metering/meter.ts'
import { TemplateError } from '../metering/template.ts'
import type { Ask } from './ask.ts'
import type { Gateway } from './gateway.ts'

export interface Admission {
  offer: Offer
  price: Price
  promptTokens: number
  /** Most tokens one choice may have. */
  maxTokens: number
  /** The most the whole request can cost. */
  most: Money
}

/** May they, is anyone there, what can it cost. @throws HubError */
export async function admit(hub: Gateway, bearer: Bearer, ask: Ask, headers: Headers): Promise<Admission> {
  requireTerms(hub.policy.current(), bearer.terms, 'client', hub.env.now())
  const offer = hub.offers.find(ask.model)
  if (!offer) {
    throw new HubError('model_not_found', 'This model is not on offer here. GET /v1/models lists what is.', {
      param: 'model',
    })
  }
  requireModel(bearer.models, offer, ask.model)
  if (offer.terms !== null && !bearer.acknowledged.has(licenceMark(offer.model.id, offer.terms)))
    throw notAcknowledged(offer)
  if (hub.turns.count(offer.id) === 0) {
    throw new HubError(
      'no_capacity',
      'No host serves this model right now. Nothing was billed. Try again in a few seconds, or use another model.',
    )
  }
  // Before its prompt is counted: under a flood, most of all requests end here.
  hub.running.assertRoom({ variant: offer.id, userId: bearer.userId })
  const price = hub.prices.current(offer)
  acceptable(price.prompt, headers.get('x-gpuhub-max-price-prompt'), 'prompt')
  acceptable(price.completion, headers.get('x-gpuhub-max-price-completion'), 'completion')
  const promptTokens = await countPrompt(hub, offer, ask)
  const maxTokens = outputLimit(offer, ask, promptTokens)
  const most = quote(price, { prompt: promptTokens, mostOutput: maxTokens * ask.n })
  return { offer, price, promptTokens, maxTokens, most }
}

async function countPrompt({ meter }: Gateway, offer: Offer, ask: Ask): Promise<number> {
  // A prompt that is far too long is refused before it is worth a tokenizer's time.
  if (promptChars(ask.prompt) > offer.variant.contextTokens * MOST_CHARS_PER_TOKEN)
    throw tooLong(offer, ask, 'far more')
  try {
    return (await meter.countPrompt(tokenizerOf(offer), ask.prompt)).tokens
  } catch (error) {
    if (error instanceof TemplateError)
      throw new HubError('invalid_request', error.message, { param: 'messages', cause: error })
    if (error instanceof MeterBusyError) throw new HubError('no_capacity', error.message, { cause: error })
    throw error
  }
}

/** No text has longer tokens than this on average. */
const MOST_CHARS_PER_TOKEN = 64

function outputLimit(offer: Offer, ask: Ask, promptTokens: number): number {
  const { variant } = offer
  const left = variant.contextTokens - promptTokens
  if (left < 1 || (ask.maxTokens !== null && ask.maxTokens > variant.contextTokens)) {
    throw tooLong(offer, ask, String(promptTokens))
  }
  return Math.min(ask.maxTokens ?? variant.maxOutputTokens, variant.maxOutputTokens, left)
}

function tooLong({ variant }: Offer, ask: Ask, promptTokens: string): HubError {
  const asked = ask.maxTokens === null ? '' : ` and ${ask.maxTokens} more were asked for`
  return new HubError(
    'context_length_exceeded',
    `This model's maximum context length is ${variant.contextTokens} tokens; the prompt has ${promptTokens}${asked}. Shorten it.`,
    { param: ask.format === 'chat' ? 'messages' : 'prompt' },
  )
}

/** A client may say, in USD per million tokens, what it is willing to pay. */
function acceptable(price: PricePicos, limit: string | null, of: 'prompt' | 'completion'): void {
  if (limit === null) return
  const most = Number(limit)
  if (!(most >= 0)) {
    throw new HubError('invalid_request', `x-gpuhub-max-price-${of} takes USD per million tokens, such as 0.10.`)
  }
  if (price > most * 1_000_000) {
    throw new HubError(
      'price_above_max',
      `The ${of} price is $${usdPerMillion(price)} per million tokens now, above your maximum of $${most}. Raise it or wait.`,
    )
  }
}

function notAcknowledged({ model }: Offer): HubError {
  return new HubError(
    'license_not_acknowledged',
    `${model.id} is licensed under terms you have to acknowledge first: ${model.licence.url}. ` +
      `Then POST /api/v1/models/${encodeURIComponent(model.id)}/license/acknowledge, or run "gpuhub licence acknowledge".`,
    { param: 'model' },
  )
}
