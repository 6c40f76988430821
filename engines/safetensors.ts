// The model as vLLM and transformers load it: a folder with config.json, weights and the vocabulary's own files.
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { files, readTokenizer, shape, tensors } from './model.ts'

export function writeSafetensors(folder: string): void {
  mkdirSync(folder, { recursive: true })
  const header: Record<string, unknown> = { __metadata__: { format: 'pt' } }
  const parts: Uint16Array[] = []
  let at = 0
  for (const { name, shape, values } of tensors(readTokenizer())) {
    const part = upperHalves(values)
    header[name] = { dtype: 'BF16', shape, data_offsets: [at, at + part.byteLength] }
    parts.push(part)
    at += part.byteLength
  }
  const text = JSON.stringify(header)
  const head = new TextEncoder().encode(text.padEnd(Math.ceil(text.length / 8) * 8))
  const length = new BigUint64Array([BigInt(head.length)])
  writeFileSync(join(folder, 'model.safetensors'), Buffer.concat([length, head, ...parts].map(bytesOf)))
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config, null, 2))
  copyFileSync(files.tokenizer, join(folder, 'tokenizer.json'))
  copyFileSync(files.config, join(folder, 'tokenizer_config.json'))
}

/** As bfloat16, which loses nothing here. */
function upperHalves(values: Float32Array): Uint16Array {
  return Uint16Array.from(new Uint32Array(values.buffer), (word) => word >>> 16)
}

function bytesOf(part: Uint8Array | Uint16Array | BigUint64Array): Uint8Array {
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength)
}

const config = {
  architectures: ['Qwen3ForCausalLM'],
  model_type: 'qwen3',
  attention_bias: false,
  attention_dropout: 0,
  bos_token_id: 151_643,
  eos_token_id: 151_645,
  head_dim: shape.headWidth,
  hidden_act: 'silu',
  hidden_size: shape.width,
  intermediate_size: shape.hidden,
  max_position_embeddings: shape.contextTokens,
  max_window_layers: shape.layers,
  num_attention_heads: shape.heads,
  num_hidden_layers: shape.layers,
  num_key_value_heads: shape.keyHeads,
  rms_norm_eps: shape.normEpsilon,
  rope_theta: shape.ropeBase,
  rope_scaling: null,
  sliding_window: null,
  use_sliding_window: false,
  tie_word_embeddings: false,
  torch_dtype: 'bfloat16',
  vocab_size: shape.vocabulary,
}
