// What the demo's hosts run: an engine that is there, where one is, else the emulator.
import { everyOffer, type Offer, whyNot } from '../../hub/catalog/find.ts'
import { Failure } from '../failure.ts'

export interface DemoEngine {
  /** Catalog id. */
  model: string
  /** Null: the emulator. */
  url: string | null
  /** What the engine calls the model, where that is not the catalog's id. */
  name: string | null
}

const OLLAMA = 'http://127.0.0.1:11434'
/** Ollama's own names for what the catalog has. */
const ollamaNames: Record<string, string> = { 'qwen3:8b': 'Qwen/Qwen3-8B:q4_k_m' }
const ANSWER_MS = 1_000

/** @throws Failure when the engine that was named cannot be used. */
export async function demoEngine(url: string | undefined): Promise<DemoEngine> {
  const found = await offeredBy(url ?? OLLAMA)
  if (typeof found !== 'string') return found
  if (url !== undefined) throw new Failure(found, 1, 'Leave --engine-url out to use the built-in emulator.')
  return { model: 'gpuhub/emulator', url: null, name: null }
}

/** @returns why not, in a sentence, where there is nothing to use. */
async function offeredBy(url: string): Promise<DemoEngine | string> {
  let names: string[]
  try {
    const response = await fetch(new URL('/v1/models', url), { signal: AbortSignal.timeout(ANSWER_MS) })
    const { data } = (await response.json()) as { data: { id: string }[] }
    names = data.map(({ id }) => id)
  } catch {
    return `No OpenAI-compatible engine answers at ${url}.`
  }
  for (const name of names) {
    const offer = everyOffer().find((each) => matches(each, name) && whyNot(each) === null)
    if (offer) return { model: offer.id, url, name }
  }
  return `The engine at ${url} has no model that the catalog knows and can count: ${names.slice(0, 5).join(', ') || 'none at all'}.`
}

function matches({ id, model, variant }: Offer, name: string): boolean {
  return id === name || ollamaNames[name] === id || (model.id === name && variant === model.variants[0])
}
