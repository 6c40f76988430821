// Any server that speaks OpenAI's HTTP API and runs already: vLLM, llama.cpp, Ollama, LMDeploy, SGLang, TGI.
import { type Env, sleep } from '../../sdk/env.ts'
import { enginePaths, type Serving } from '../../sdk/wire/frames.ts'
import { HostError, reason } from '../errors.ts'
import { type Engine, type EngineAnswer, type EngineAsk, EngineRefusal } from './engine.ts'
import { completesOneToken, type EngineAddress, listModels, nameFor, slotsOf, versionOf } from './inspect.ts'

export interface OpenAiOptions {
  env: Env
  /** Where it listens, e.g. `http://127.0.0.1:8000` (a trailing `/v1` is fine). */
  url: string
  /** The unix socket it listens on, instead of the address. */
  unix?: string
  /** Catalog id to offer. */
  model: string
  /** What the engine calls it; found by itself where it can be. */
  engineModel?: string
  /** Requests it works on at a time; fewer, where it says so itself. */
  slots: number
  /** Longest prompt plus answer, where the engine does not say. */
  contextTokens: number
}

/** How long an engine that does not answer is waited for at start. */
const APPEAR_MS = 20_000
const RETRY_MS = 1_000
const ALIVE_MS = 10_000

/** Engine requests last as long as they last: the hub's watchdogs decide, not the runtime's five minutes. */
const patient = { timeout: false, redirect: 'error', headers: { 'content-type': 'application/json' } } as const

export function openAiEngine(options: OpenAiOptions): Engine {
  const base = options.url.replace(/\/+$/, '').replace(/\/v1$/, '')
  const at: EngineAddress = options.unix === undefined ? { base } : { base, unix: options.unix }
  let name = ''
  let serving: Serving[] = []

  return {
    async start(signal) {
      const listed = await appeared(options, at, signal)
      const found = nameFor(options.model, options.engineModel, listed)
      const { tokenIds } = await completesOneToken(options.env, at, found.id, signal)
      const own = await slotsOf(options.env, at, signal)
      name = found.id
      serving = [
        {
          model: options.model,
          engine: { name: found.owner ?? 'openai', version: await versionOf(options.env, at, signal) },
          contextTokens: found.contextTokens ?? options.contextTokens,
          slots: Math.min(options.slots, own ?? options.slots),
          tokenIds,
        },
      ]
    },

    serving: () => serving,

    async ask(ask, signal): Promise<EngineAnswer> {
      if (!enginePaths.includes(ask.path)) throw new EngineRefusal('unknown_path', 'That path is not served.')
      const response = await fetch(`${base}${ask.path}`, {
        ...patient,
        ...(at.unix === undefined ? {} : { unix: at.unix }),
        method: 'POST',
        body: renamed(ask, name),
        signal,
      })
      return { status: response.status, bytes: response.body ?? new Blob([]).stream() }
    },

    async alive(signal) {
      const listed = await listModels(options.env, at, signal, ALIVE_MS).catch(() => [])
      return listed.some(({ id }) => id === name)
    },

    async stop() {},
  }
}

/** The hub's body under the engine's own name for the model, written anew: what is sent is what was understood. */
function renamed({ body }: EngineAsk, model: string): string {
  const bad = new EngineRefusal('bad_body', 'The body is not a JSON object.')
  let request: unknown
  try {
    request = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw bad
  }
  if (typeof request !== 'object' || request === null || Array.isArray(request)) throw bad
  return JSON.stringify({ ...request, model })
}

async function appeared({ env, url }: OpenAiOptions, at: EngineAddress, signal: AbortSignal) {
  const until = env.mono() + APPEAR_MS
  for (;;) {
    try {
      return await listModels(env, at, signal, ALIVE_MS)
    } catch (error) {
      if (error instanceof HostError) throw error
      signal.throwIfAborted()
      if (env.mono() >= until)
        throw new HostError(`No engine answers at ${url} (${reason(error)}). Start it, or correct --engine-url.`)
      await sleep(env, RETRY_MS, signal)
    }
  }
}
