// How large a variant's download is, where its publisher does not say (estimated from above: a disk that turns out to be
// larger than needed harms nobody), and how fast a host has to be with it.
import type { ModelRecord, VariantRecord } from './records.ts'

/**
 * Bytes a parameter. Quantised repositories keep embeddings and norms in 16 bits, which weighs most in small models: seen
 * are 1.11 (Qwen3.8-27B-FP8, 30.9 GB) and 0.59 to 0.74 for four bits (Qwen3-32B-AWQ 19.3 GB, Qwen3-8B-AWQ 6.1 GB).
 */
const BYTES_PER_PARAMETER: Record<string, number> = {
  bf16: 2,
  fp8: 1.15,
  awq: 0.78,
  int4: 0.78,
  'gptq-int4': 0.78,
  nvfp4: 0.78,
  mxfp4: 0.78,
  q4_k_m: 0.65,
}

/** Bytes; null where nothing is known about this precision. */
export function downloadBytes(model: Pick<ModelRecord, 'parameters' | 'weightBytes'>, variant: VariantRecord) {
  if (variant.downloadBytes !== undefined) return variant.downloadBytes
  const perParameter = BYTES_PER_PARAMETER[variant.precision]
  if (perParameter === undefined) return null
  // What the catalog records is the model as published: in bf16, but for those published in four bits.
  if ((variant.precision === 'bf16' || variant.precision === 'mxfp4') && model.weightBytes !== null)
    return model.weightBytes
  return Math.ceil(model.parameters.total * perParameter)
}

/** From here on no card that people have at home reads all weights often enough a second. */
const LARGE_PARAMETERS = 40_000_000_000
/** Twice as fast as people read; a large model may take its time. */
const LEAST_TOKENS_PER_SECOND = 15
const LEAST_OF_LARGE = 8

/** Tokens a second that one request alone has to get. Every token reads the parameters that are at work for it. */
export function leastTokensPerSecond({ parameters }: Pick<ModelRecord, 'parameters'>): number {
  return parameters.active >= LARGE_PARAMETERS ? LEAST_OF_LARGE : LEAST_TOKENS_PER_SECOND
}
