// Reads a stranger's tokenizer on a thread of its own. Only prove.ts starts it.
import type { TokenizerFiles } from '../catalog/imports.ts'
import type { ImportedTokenizer } from '../catalog/records.ts'
import { proveTokenizer } from './prove.ts'

export type Proof = { name: ImportedTokenizer; packed: string } | { why: string }

declare const self: Worker

self.onmessage = ({ data }: MessageEvent<TokenizerFiles>) => {
  self.postMessage(prove(data))
}

function prove(files: TokenizerFiles): Proof {
  try {
    return proveTokenizer(files)
  } catch (error) {
    return { why: error instanceof Error ? error.message : String(error) }
  }
}
