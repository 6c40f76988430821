// The stand-in for vLLM as a program of its own, and weights that say how it behaves.
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Conduct } from './vllm.ts'

/** @returns its path. Others may run it, wherever this checkout is. */
export async function buildVllm(folder: string): Promise<string> {
  const path = join(folder, 'vllm')
  const built = await Bun.build({ entrypoints: [join(import.meta.dirname, 'vllm.ts')], compile: { outfile: path } })
  if (!built.success) throw new AggregateError(built.logs, 'the stand-in for vLLM cannot be built')
  for (const each of [folder, path]) chmodSync(each, 0o755)
  return path
}

/** A folder as the shelf has it. */
export function makeWeights(shelf: string, conduct: Conduct = {}): string {
  const folder = join(shelf, 'Qwen--Qwen3-8B@0123456789ab')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const config = { num_hidden_layers: 36, num_attention_heads: 32, num_key_value_heads: 8, head_dim: 128 }
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config), { mode: 0o600 })
  writeFileSync(join(folder, 'model.safetensors'), 'weights', { mode: 0o600 })
  writeFileSync(join(folder, 'conduct.json'), JSON.stringify(conduct), { mode: 0o600 })
  return folder
}
