// The door of metering: small texts are counted on the spot, large ones in a worker.
import type { TokenizerName } from '../catalog/records.ts'
import { agree, type Agreed, type Said } from './agree.ts'
import {
  type Answer,
  type AnswerCount,
  answerChars,
  countAnswer,
  countPrompt,
  type Prompt,
  type PromptCount,
  promptChars,
  promptIds,
} from './count.ts'
import { TemplateError } from './template.ts'
import { isImported, loadTokenizer, packOf } from './tokenizers.ts'
import type { Done, Job } from './count.worker.ts'

/** Texts up to this many characters take a few milliseconds at most. */
const SMALL_CHARS = 16 * 1024
/** What may wait for the worker. */
const MAX_JOBS = 64
const MAX_WAITING_CHARS = 64 * 1024 * 1024

/** Too much waits to be counted. The request has not begun; it can be sent again in a moment. */
export class MeterBusyError extends Error {
  override name = 'MeterBusyError'
}

interface Waiting {
  chars: number
  resolve: (count: unknown) => void
  reject: (error: Error) => void
}

type WithoutId<T> = T extends unknown ? Omit<T, 'id'> : never

export class Meter {
  private worker: Worker | null = null
  /** Imported tokenizers that the worker has been handed. */
  private readonly handed = new Set<TokenizerName>()
  private readonly waiting = new Map<number, Waiting>()
  private waitingChars = 0
  private jobs = 0

  /** Loads tokenizers now rather than in the first request. */
  warm(names: Iterable<TokenizerName>): void {
    for (const name of names) loadTokenizer(name)
  }

  /** @throws TemplateError, MeterBusyError (or rejects with them, where the text is large) */
  countPrompt(name: TokenizerName, prompt: Prompt): PromptCount | Promise<PromptCount> {
    const chars = promptChars(prompt)
    return chars <= SMALL_CHARS ? countPrompt(name, prompt) : this.ask<PromptCount>({ name, prompt }, chars)
  }

  /** The prompt as its model reads it. @throws as `countPrompt` */
  promptIds(name: TokenizerName, prompt: Prompt): readonly number[] | Promise<readonly number[]> {
    const chars = promptChars(prompt)
    return chars <= SMALL_CHARS ? promptIds(name, prompt) : this.ask<readonly number[]>({ name, read: prompt }, chars)
  }

  /** An answer that is there is counted whatever waits: on the spot where the worker has enough to do. */
  countAnswer(name: TokenizerName, given: Answer): AnswerCount | Promise<AnswerCount> {
    // Nothing else of what the caller keeps there: a worker takes no functions.
    const { content, reasoning, toolCalls, ids, claimed } = given
    const answer = { content, reasoning, toolCalls, ids, claimed }
    const chars = answerChars(answer)
    if (chars <= SMALL_CHARS || this.isBusy(chars)) return countAnswer(name, answer)
    return this.ask<AnswerCount>({ name, answer }, chars)
  }

  /** What another engine can go on from. @throws MeterBusyError (or rejects with it) */
  agree(name: TokenizerName, said: Said): Agreed | Promise<Agreed> {
    const chars = said.text.length
    return chars <= SMALL_CHARS ? agree(name, said) : this.ask<Agreed>({ name, said }, chars)
  }

  /** Tokens in `text`, and the text of the first `most` of them. Counted on the spot. */
  firstTokens(name: TokenizerName, text: string, most: number): { tokens: number; text: string } {
    const tokenizer = loadTokenizer(name)
    const ids = tokenizer.encodeAnswer(text)
    return { tokens: ids.length, text: ids.length <= most ? text : tokenizer.decode(ids.slice(0, most)) }
  }

  close(): void {
    this.lose(new Error('the hub is stopping'))
  }

  private isBusy(chars: number): boolean {
    return this.waiting.size >= MAX_JOBS || this.waitingChars + chars > MAX_WAITING_CHARS
  }

  private ask<T>(job: WithoutId<Job>, chars: number): Promise<T> {
    if (this.isBusy(chars))
      throw new MeterBusyError('The hub is busy counting other large requests. Try again in a few seconds.')
    this.worker ??= this.start()
    const id = ++this.jobs
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { chars, resolve: resolve as (count: unknown) => void, reject })
      this.waitingChars += chars
      this.worker!.postMessage({ id, ...job, ...this.pack(job.name) })
    })
  }

  /** What the worker needs to know the tokenizer, once. */
  private pack(name: TokenizerName): { packed?: string } {
    if (!isImported(name) || this.handed.has(name)) return {}
    this.handed.add(name)
    return { packed: packOf(name) }
  }

  private start(): Worker {
    // Not a reason to keep the process alive.
    const worker = new Worker(new URL('./count.worker.ts', import.meta.url), { ref: false })
    worker.onmessage = ({ data }: MessageEvent<Done>) => this.done(data)
    worker.onerror = (event) => this.lose(new Error(`the metering worker failed: ${event.message}`))
    return worker
  }

  private done(done: Done): void {
    const job = this.waiting.get(done.id)
    if (!job) return
    this.waiting.delete(done.id)
    this.waitingChars -= job.chars
    if ('count' in done) job.resolve(done.count)
    else job.reject('refusal' in done ? new TemplateError(done.refusal) : new Error(done.failure))
  }

  /** The worker is gone; the next large text starts another. */
  private lose(error: Error): void {
    this.worker?.terminate()
    this.worker = null
    this.handed.clear()
    const lost = [...this.waiting.values()]
    this.waiting.clear()
    this.waitingChars = 0
    for (const job of lost) job.reject(error)
  }
}
