// What a licence lets a hub do, over the whole chain a model derives from.
import type { LicenceClass, ModelRecord } from './records.ts'

const classes: Record<string, LicenceClass> = {
  'Apache-2.0': 'A',
  MIT: 'A',
  'LicenseRef-Llama-3.1': 'B',
  'LicenseRef-Llama-3.3': 'B',
  'LicenseRef-Gemma': 'B',
  'LicenseRef-Mistral-Research': 'C',
  'LicenseRef-Mistral-Non-Production': 'C',
  'LicenseRef-Qwen-Research': 'C',
}

/** The class of one licence. One that nobody has read is refused until a person decides. */
export function classOf(licence: string, decided: LicenceClass = 'C'): LicenceClass {
  return classes[licence] ?? decided
}

/** The strictest class of the model's own licence and of everything it derives from. */
export function effectiveClass(model: Pick<ModelRecord, 'licence' | 'bases' | 'decided'>): LicenceClass {
  const chain = [model.licence.name, ...model.bases.map((base) => base.licence)]
  return chain
    .map((licence) => classOf(licence, model.decided))
    .reduce((strictest, each) => (each > strictest ? each : strictest), 'A')
}

/**
 * Names the exact terms a client acknowledges, or null where none need to be. When the licence, its base or the
 * statements change, so does the name, and the question is asked again.
 */
export function termsOf(model: ModelRecord): string | null {
  if (effectiveClass(model) !== 'B') return null
  const terms = [model.licence, model.bases, model.aupUrl, model.statements]
  return new Bun.CryptoHasher('sha256').update(JSON.stringify(terms)).digest('hex').slice(0, 16)
}
