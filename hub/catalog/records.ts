// What a catalog record is. Where the facts in it come from is said in models.ts.

/** The vocabularies the hub can count with. */
export type TokenizerName = 'qwen3' | 'mistral-nemo' | 'emulated' | ImportedTokenizer

/** One that came with an imported model, by the hash of its files. */
export type ImportedTokenizer = `sha256:${string}`

/** A: everybody may, with the licence shown. B: after an acknowledgement. C: refused. Ordered: A < B < C. */
export type LicenceClass = 'A' | 'B' | 'C'

export interface Licence {
  /** SPDX name, or `LicenseRef-…` where SPDX has none. */
  name: string
  url: string
}

export interface Base {
  id: string
  licence: string
}

export interface VariantRecord {
  /** The weights: a HuggingFace repository … */
  repo: string
  /** … at this commit; null until it is pinned at import. */
  revision: string | null
  precision: string
  minVramGb: number
  /** NVIDIA compute capability, e.g. 8.9; null: any processor will do. */
  minComputeCapability: number | null
  contextTokens: number
  maxOutputTokens: number
  /** vLLM flags beyond the model id. */
  args: string[]
  /** Bytes of its weights, where they were counted; absent: estimated. */
  downloadBytes?: number
  startPrice: { promptPicos: number; completionPicos: number }
}

/** The marks around a part of a model's raw output, with the white space that belongs to them. */
export interface Marks {
  open: string
  close: string
}

/** What engines take out of a model's output. Where it is known, a hub can go on in the middle of an answer by token ids. */
export interface RawForm {
  /** What it thinks before it answers; null: it does not. */
  thought: Marks | null
  /** Calls of tools, each as JSON with `name` and `arguments`; null: not known, or in another form. */
  call: Marks | null
}

export interface ModelRecord {
  /** Its HuggingFace id. */
  id: string
  name: string
  ownedBy: string
  /** When it was published, seconds since 1970; what OpenAI calls `created`. */
  created: number
  parameters: { total: number; active: number }
  /** Weights in bf16, bytes; null where nobody has published them. */
  weightBytes: number | null
  contextTokens: number
  tokenizer: TokenizerName | null
  /** Absent: not known. */
  raw?: RawForm
  licence: Licence
  /** What it derives from, nearest first; a derivative inherits the strictest class of the chain. */
  bases: Base[]
  attribution: string[]
  aupUrl: string | null
  /** What a client confirms when acknowledging a restricted licence. */
  statements: { id: string; text: string }[]
  /** Its publisher asks everyone who downloads to accept terms on HuggingFace; null: not known. */
  gated: boolean | null
  /** What the team made of licences in the chain that this hub does not know; absent: nothing, and so they are refused. */
  decided?: LicenceClass
  /** The team brought it here; absent: it came with the hub. */
  imported?: { at: number; files: { path: string; bytes: number; sha256: string | null }[] }
  /** On in a fresh hub. */
  defaultOn: boolean
  /** The first is the one meant when no precision is named. */
  variants: [VariantRecord, ...VariantRecord[]]
}
