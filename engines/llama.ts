// llama.cpp's own HTTP server, as a Python package brings it.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { writeGguf } from './gguf.ts'
import { metric, type Place, type Recipe, served } from './recipe.ts'

export function startLlama({ python, port, folder }: Place): Recipe {
  mkdirSync(folder, { recursive: true })
  const model = join(folder, 'model.gguf')
  writeGguf(model)
  const facts = { model, port, slots: served.slots, context: served.contextTokens }
  return {
    command: [python, join(import.meta.dirname, 'llama.py'), JSON.stringify(facts)],
    env: {},
    busy: async (url) =>
      (await metric(url, 'llamacpp:requests_processing')) + (await metric(url, 'llamacpp:requests_deferred')),
    made: (url) => metric(url, 'llamacpp:tokens_predicted_total'),
  }
}
