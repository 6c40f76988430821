// Which models a key may ask for, where it may not ask for all.
import { everyOffer, findOffer, type Offer } from '../catalog/find.ts'
import { HubError } from '../errors.ts'

/** Catalog ids: a model's own stands for every precision of it, a variant's for that one. Null: all there are. */
export type KeyModels = ReadonlySet<string> | null

export const MOST_KEY_MODELS = 50

/**
 * Names as people write them, as they are kept: ids of the catalog, each once. What is not on offer now may be named,
 * and what leaves the catalog later stays: a limit never turns into none by itself.
 * @returns null for none: all models. @throws HubError `invalid_request`
 */
export function keyModelsFrom(names: readonly string[]): string[] | null {
  const ids = [...new Set(names.map((name) => name.normalize('NFKC').trim()).filter((name) => name !== ''))]
  if (ids.length > MOST_KEY_MODELS)
    throw refused(`A key can name at most ${MOST_KEY_MODELS} models. Name fewer, or none for all.`)
  const unknown = ids.find((id) => findOffer(id) === null)
  if (unknown !== undefined)
    throw refused(`There is no model “${unknown.slice(0, 100)}” in the catalog. ${meant(unknown)}`)
  return ids.length === 0 ? null : ids
}

export function mayAsk(models: KeyModels, { id, model }: Offer): boolean {
  return models === null || models.has(id) || models.has(model.id)
}

/** @throws HubError `model_not_allowed` */
export function requireModel(models: KeyModels, offer: Offer, asked: string): void {
  if (mayAsk(models, offer)) return
  throw new HubError(
    'model_not_allowed',
    `This key may ask for some models only, and ${asked} is not one of them. GET /v1/models with this key lists them. ` +
      'Ask for one of those, use another key, or let the owner of this one add the model under Keys.',
    { param: 'model' },
  )
}

/** Most write a model's name without whose it is. */
function meant(name: string): string {
  const wanted = name.toLowerCase()
  const near = everyOffer().find(({ id, model }) =>
    [id, model.id].some((each) => each.toLowerCase() === wanted || each.toLowerCase().endsWith(`/${wanted}`)),
  )
  if (!near) return 'GET /v1/models lists what is on offer.'
  return `Did you mean ${wanted.includes(':') ? near.id : near.model.id}?`
}

function refused(message: string): HubError {
  return new HubError('invalid_request', message, { param: 'models' })
}
