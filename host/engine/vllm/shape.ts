// How much memory a token of a running request takes, from the model's own configuration.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the cache of one token is made of. */
interface Shape {
  num_hidden_layers?: unknown
  num_attention_heads?: unknown
  num_key_value_heads?: unknown
  head_dim?: unknown
  hidden_size?: unknown
  kv_lora_rank?: unknown
  qk_rope_head_dim?: unknown
  text_config?: Shape
}

/** Bytes; null: the configuration does not say. Layers that look at a window only count in full: from above. */
export function bytesPerToken(config: unknown, bytesPerValue: number): number | null {
  if (typeof config !== 'object' || config === null) return null
  const whole = config as Shape
  const shape = typeof whole.text_config === 'object' && whole.text_config !== null ? whole.text_config : whole
  const layers = count(shape.num_hidden_layers)
  const latent = count(shape.kv_lora_rank)
  if (layers !== null && latent !== null)
    return layers * (latent + (count(shape.qk_rope_head_dim) ?? 0)) * bytesPerValue
  const heads = count(shape.num_attention_heads)
  const hidden = count(shape.hidden_size)
  const size = count(shape.head_dim) ?? (heads !== null && hidden !== null ? hidden / heads : null)
  const shared = count(shape.num_key_value_heads) ?? heads
  return layers === null || shared === null || size === null ? null : 2 * layers * shared * size * bytesPerValue
}

/** `config.json` of a folder with weights; undefined where there is none that can be read. */
export function configIn(folder: string): unknown {
  try {
    return JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8'))
  } catch {
    return undefined
  }
}

const count = (value: unknown) => (Number.isSafeInteger(value) && Number(value) > 0 ? Number(value) : null)
