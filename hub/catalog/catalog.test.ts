import { expect, test } from 'bun:test'
import { everyOffer, findOffer, whyNot } from './find.ts'
import { classOf, effectiveClass, termsOf } from './licence.ts'
import { catalog } from './models.ts'

/** The cheapest current closed models, USD per million tokens, October 2026, and the share of it a start price may have. */
const reference = { promptPicos: 100_000, completionPicos: 500_000 }
const share = 0.8

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
  if (model.weightBytes !== null && variant.precision === 'bf16') {
    expect(variant.minVramGb * 1e9).toBeGreaterThanOrEqual(model.weightBytes)
  }
  expect(variant.startPrice.promptPicos).toBeLessThanOrEqual(reference.promptPicos * share)
  expect(variant.startPrice.completionPicos).toBeLessThanOrEqual(reference.completionPicos * share)
  if (terms !== null) {
    expect(model.attribution.length).toBeGreaterThan(0)
    expect(model.aupUrl).toStartWith('https://')
    expect(model.statements.length).toBeGreaterThan(0)
  }
})
