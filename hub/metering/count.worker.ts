// Counts large texts on a thread of its own, so that they never hold up a stream. Only meter.ts starts it.
import type { TokenizerName } from '../catalog/records.ts'
import { agree, type Said } from './agree.ts'
import { type Answer, countAnswer, countPrompt, type Prompt, promptIds } from './count.ts'
import { TemplateError } from './template.ts'
import { handTokenizer, isImported } from './tokenizers.ts'

export type Job = { id: number; name: TokenizerName; packed?: string } & (
  | { prompt: Prompt }
  | { read: Prompt }
  | { answer: Answer }
  | { said: Said }
)
export type Done = { id: number } & ({ count: unknown } | { refusal: string } | { failure: string })

declare const self: Worker

self.onmessage = ({ data: job }: MessageEvent<Job>) => {
  self.postMessage({ id: job.id, ...work(job) })
}

function work(job: Job): { count: unknown } | { refusal: string } | { failure: string } {
  try {
    if (job.packed !== undefined && isImported(job.name)) handTokenizer(job.name, job.packed)
    return { count: counted(job) }
  } catch (error) {
    if (error instanceof TemplateError) return { refusal: error.message }
    return { failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}

function counted(job: Job): unknown {
  if ('prompt' in job) return countPrompt(job.name, job.prompt)
  if ('read' in job) return promptIds(job.name, job.read)
  return 'answer' in job ? countAnswer(job.name, job.answer) : agree(job.name, job.said)
}
