// Which engine a start uses: the owner's own server, or, with a simulated card and no server, the built-in emulator.
import type { Env } from '../../sdk/env.ts'
import { HostError } from '../errors.ts'
import { emulatedEngine } from './emulated.ts'
import type { Engine } from './engine.ts'
import { openAiEngine } from './openai.ts'

export interface EngineSettings {
  engine: 'openai' | 'vllm'
  engineUrl?: string
  engineModel?: string
  model: string
  simulateGpu?: string
  slots: number
  contextTokens: number
}

/** @throws HostError when these settings name no engine that can be used */
export function chooseEngine(env: Env, settings: EngineSettings): Engine {
  const { model, slots, contextTokens, engineModel } = settings
  if (settings.engine === 'vllm')
    throw new HostError(
      'gpuhost cannot run vLLM itself yet. Start vLLM yourself, then: ' +
        'gpuhost start --engine openai --engine-url http://127.0.0.1:8000 …',
      3,
    )
  if (settings.engineUrl !== undefined)
    return openAiEngine({ env, url: httpAddress(settings.engineUrl), model, engineModel, slots, contextTokens })
  if (settings.simulateGpu === undefined)
    throw new HostError('Say where your engine listens: --engine-url http://127.0.0.1:8000', 2)
  return emulatedEngine({ env, model, slots, contextTokens })
}

function httpAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url && /^https?:$/.test(url.protocol) && !url.search && !url.hash) return url.href
  throw new HostError(`"${text.slice(0, 80)}" is not an engine's address. Write it like http://127.0.0.1:8000.`, 2)
}
