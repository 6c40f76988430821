import { expect, test } from 'bun:test'
import { everyOffer, findOffer, whyNot } from './find.ts'
import { classOf, effectiveClass, termsOf } from './licence.ts'
import { catalog } from './models.ts'

/** The cheapest current closed models, USD per million tokens, October 2026, and the share of it a start price may have. */
const reference = { promptPicos: 100_000, completionPicos: 500_000 }
const capShare = 0.8

test('a model without a precision means its default variant, and a variant is named by its precision', () => {
  expect(findOffer('Qwen/Qwen3-8B')?.id).toBe('Qwen/Qwen3-8B:bf16')
  expect(findOffer('Qwen/Qwen3-8B:fp8')?.variant.repo).toBe('Qwen/Qwen3-8B-FP8')
  expect(findOffer('Qwen/Qwen3-8B:int3')).toBeNull()
  expect(findOffer('__proto__')).toBeNull()
})

test('a derivative inherits the strictest licence of its chain', () => {
  const distill = findOffer('deepseek-ai/DeepSeek-R1-Distill-Llama-8B')!
  expect(distill.model.licence.name).toBe('MIT')
  expect(effectiveClass(distill.model)).toBe('B')
  expect(distill.terms).not.toBeNull()
})

test('every model made from Llama or an older Gemma asks for what its base asks for', () => {
  for (const { id, model, terms } of everyOffer()) {
    if (!/Llama|gemma-[23]/.test(JSON.stringify([model.id, model.bases]))) continue
    const owed = model.attribution.length > 0 && model.statements.length > 0
    expect([id, effectiveClass(model), terms !== null, owed]).toEqual([id, 'B', true, true])
  }
})

test('no two variants share a name', () => {
  const ids = catalog.flatMap((model) => model.variants.map((variant) => `${model.id}:${variant.precision}`))
  expect(new Set(ids).size).toBe(ids.length)
  for (const id of ids) expect(findOffer(id)?.id).toBe(id)
})

test('a licence, or a base, that nobody has read is refused', () => {
  expect(classOf('Somebody-Else-1.0')).toBe('C')
  expect(effectiveClass({ licence: { name: 'MIT', url: '' }, bases: [{ id: 'x/y', licence: 'unknown' }] })).toBe('C')
})

test('changed terms are asked about again', () => {
  const { model } = findOffer('meta-llama/Llama-3.1-8B-Instruct')!
  expect(termsOf({ ...model, aupUrl: 'https://example.com/new-policy' })).not.toBe(termsOf(model))
})

test('a fresh hub offers two models, both Apache-2.0 and countable', () => {
  const on = catalog.filter((model) => model.defaultOn)
  expect(on.map((model) => model.id)).toEqual(['Qwen/Qwen3-8B', 'mistralai/Mistral-Nemo-Instruct-2407'])
  for (const model of on) {
    expect(model.licence.name).toBe('Apache-2.0')
    expect(whyNot(findOffer(model.id)!)).toBeNull()
  }
})

test('what cannot be counted cannot be switched on, and the reason is said', () => {
  expect(whyNot(findOffer('microsoft/phi-4')!)).toContain('no tokenizer')
})

test.each(everyOffer().map((offer) => [offer.id, offer] as const))('%s is complete', (_, { model, variant, terms }) => {
  expect(effectiveClass(model)).not.toBe('C')
  expect(model.licence.url).toStartWith('https://')
  expect(variant.contextTokens).toBeLessThanOrEqual(model.contextTokens)
  expect(variant.maxOutputTokens).toBeLessThan(variant.contextTokens)
  const bytes = model.weightBytes ?? model.parameters.total * 2
  const share = variant.precision === 'bf16' ? 1 : variant.precision === 'fp8' ? 0.5 : 0.25
  expect(variant.minVramGb * 1e9).toBeGreaterThanOrEqual(bytes * share)
  expect(variant.startPrice.promptPicos).toBeLessThanOrEqual(reference.promptPicos * capShare)
  expect(variant.startPrice.completionPicos).toBeLessThanOrEqual(reference.completionPicos * capShare)
  if (terms !== null) {
    expect(model.attribution.length).toBeGreaterThan(0)
    expect(model.aupUrl).toStartWith('https://')
    expect(model.statements.length).toBeGreaterThan(0)
  }
})
