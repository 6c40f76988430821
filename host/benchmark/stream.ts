// One streamed answer, timed: asked of the engine as a hub's requests are.
import type { Env } from '../../sdk/env.ts'
import type { Engine } from '../engine/engine.ts'
import { HostError } from '../errors.ts'

export interface Timed {
  /** From the question to the first words, ms. */
  firstMs: number
  /** From the first words to the last, ms. */
  restMs: number
  /** Of the answer, as the engine counts. */
  tokens: number
}

export interface Question {
  model: string
  /** Of the prompt. */
  words: number
  tokens: number
}

/** @throws HostError where the engine does not answer as it should */
export async function timed(env: Env, engine: Engine, question: Question, signal: AbortSignal): Promise<Timed> {
  const { model, words, tokens } = question
  const request = {
    ...{ model, prompt: madeUp(env, words), max_tokens: tokens, temperature: 0.8 },
    // Every answer is as long as asked for, and says how long it was.
    ...{ ignore_eos: true, min_tokens: tokens, stream: true, stream_options: { include_usage: true } },
  }
  const askedAt = env.mono()
  const body = new TextEncoder().encode(JSON.stringify(request))
  const { status, bytes } = await engine.ask({ path: '/v1/completions', model, body }, signal)
  if (status !== 200) throw new HostError(`The engine answers ${status} to the benchmark.`)
  let [firstAt, lastAt, counted] = [Number.NaN, askedAt, 0]
  for await (const chunk of events(bytes)) {
    const { choices, usage } = chunk as { choices?: { text?: string }[]; usage?: { completion_tokens?: number } | null }
    if (choices?.[0]?.text) {
      lastAt = env.mono()
      if (Number.isNaN(firstAt)) firstAt = lastAt
    }
    counted = usage?.completion_tokens ?? counted
  }
  if (Number.isNaN(firstAt) || counted === 0) throw new HostError('The engine answered the benchmark with nothing.')
  return { firstMs: firstAt - askedAt, restMs: lastAt - firstAt, tokens: counted }
}

const WORDS = 'north river stone light paper winter engine garden silver number harbour window'.split(' ')

/** No two are alike: an engine that has seen a prompt before answers faster. */
function madeUp(env: Env, words: number): string {
  return [...env.random(words)].map((byte) => `${WORDS[byte % WORDS.length]}${byte}`).join(' ')
}

async function* events(bytes: ReadableStream<Uint8Array>): AsyncGenerator<unknown> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of bytes) {
    const lines = (rest + decoder.decode(piece, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const data = line.startsWith('data: ') ? line.slice('data: '.length).trim() : ''
      if (data.startsWith('{')) yield JSON.parse(data)
    }
  }
}
