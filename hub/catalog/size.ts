// How large a variant's download is, where its publisher does not say. Estimated from above: a disk that turns out to be
// larger than needed harms nobody.
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
  const perParameter = BYTES_PER_PARAMETER[variant.precision]
  if (perParameter === undefined) return null
  // What the catalog records is the model as published: in bf16, but for those published in four bits.
  if ((variant.precision === 'bf16' || variant.precision === 'mxfp4') && model.weightBytes !== null)
    return model.weightBytes
  return Math.ceil(model.parameters.total * perParameter)
}
