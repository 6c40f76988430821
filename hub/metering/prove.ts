// Whether this hub counts with a tokenizer exactly as its engine does. Byte-level BPE is done here from the same files
// that engines read (bpe.ts, vocabulary.ts); any other kind is refused, and so is one that does not say back what it was
// told.
import type { Env } from '../../sdk/env.ts'
import type { ProveTokenizer, TokenizerFiles } from '../catalog/imports.ts'
import type { ImportedTokenizer } from '../catalog/records.ts'
import type { Proof } from './prove.worker.ts'
import { handTokenizer, loadTokenizer, packTokenizer } from './tokenizers.ts'

const SAMPLES = [
  'The quick brown fox jumps over the lazy dog.',
  '  Two spaces, a\ttab,\n\na blank line; and 1234567890 figures… ',
  'Ärger über Öl, naïve façade, señor, Zażółć gęślą jaźń',
  'Съешь ещё этих мягких французских булок 你好，世界。こんにちは 안녕하세요 مرحبا',
  'for (let i = 0; i < 10; i++) { console.log(`${i} 🎉👩‍👩‍👧`) }',
]

/** @throws Error: why it cannot be counted with */
export function proveTokenizer({ tokenizer, config, vocabularySize }: TokenizerFiles): {
  name: ImportedTokenizer
  packed: string
} {
  const made = packTokenizer({ tokenizer: JSON.parse(tokenizer), config })
  handTokenizer(made.name, made.packed)
  const its = loadTokenizer(made.name)
  for (const sample of SAMPLES) {
    const ids = its.encodeAnswer(sample)
    if (its.decode(ids) !== sample.normalize('NFC')) throw new Error(`it does not say back: ${sample.slice(0, 30)}`)
    const beyond = ids.find((id) => vocabularySize !== null && id >= vocabularySize)
    if (beyond !== undefined)
      throw new Error(`its token ${beyond} is beyond the model’s vocabulary of ${vocabularySize}`)
  }
  const asked = { messages: [{ role: 'user' as const, content: SAMPLES[0]! }] }
  const prompt = its.decode(its.chatPrompt(asked))
  if (!prompt.includes(SAMPLES[0]!)) throw new Error('its chat template leaves out what was said')
  return made
}

const LONGEST_MS = 60_000

/** On a thread of its own: it takes a second or two, in which no stream may wait. */
export function proveBeside(env: Env): ProveTokenizer {
  return (files) =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL('./prove.worker.ts', import.meta.url), { ref: false })
      const cancel = env.timer(LONGEST_MS, () => end(() => reject(new Error('it takes too long to read'))))
      const end = (then: () => void) => {
        cancel()
        worker.terminate()
        then()
      }
      worker.onmessage = ({ data }: MessageEvent<Proof>) =>
        end(() => ('why' in data ? reject(new Error(data.why)) : resolve(data)))
      worker.onerror = ({ message }) => end(() => reject(new Error(message)))
      worker.postMessage(files)
    })
}
