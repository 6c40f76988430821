// What an imported model is, in lines for people: a page and the command line say the same.
import { usdPerMillion } from '../../sdk/money.ts'
import type { ModelRecord } from './records.ts'

export function importFacts(record: ModelRecord): [name: string, value: string][] {
  const { id, licence, bases, parameters, contextTokens, gated, imported, variants } = record
  const [variant] = variants
  const { promptPicos, completionPicos } = variant.startPrice
  const billions = (count: number) => (count / 1e9).toFixed(1)
  return [
    ['model', `${id}:${variant.precision}`],
    ['commit', String(variant.revision)],
    ['licence', [licence.name, ...bases.map((base) => `${base.licence} (${base.id})`)].join(', from ')],
    ['gated', gated ? 'yes: each host accepts its terms on HuggingFace' : 'no'],
    ['parameters', `${billions(parameters.total)} B, ${billions(parameters.active)} B at work for a token`],
    ['weights', `${billions(variant.downloadBytes ?? 0)} GB; ${imported?.files.length ?? 0} files in all`],
    ['hosts need', `${variant.minVramGb} GB, compute capability ${variant.minComputeCapability?.toFixed(1) ?? 'any'}`],
    ['context', `${variant.contextTokens} of ${contextTokens} tokens, answers of ${variant.maxOutputTokens} at most`],
    ['start price', `$${usdPerMillion(promptPicos)} in, $${usdPerMillion(completionPicos)} out per million tokens`],
  ]
}
