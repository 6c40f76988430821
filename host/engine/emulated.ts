// The built-in emulator as an engine: on a port of its own, asked over HTTP like any other. Only behind a card that
// says openly that it is simulated.
import type { Env } from '../../sdk/env.ts'
import { Engine as Emulator } from '../emulator/engine.ts'
import type { Engine } from './engine.ts'
import { openAiEngine } from './openai.ts'

export interface EmulatedOptions {
  env: Env
  model: string
  slots: number
  contextTokens: number
}

/** Its port opens with the first `start` and closes with `stop`. */
export function emulatedEngine(options: EmulatedOptions): Engine {
  const emulator = new Emulator(options)
  let running: { engine: Engine; close(): Promise<void> } | undefined
  const begin = () => {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      idleTimeout: 0,
      development: false,
      fetch: (request) => emulator.fetch(request),
    })
    const engine = openAiEngine({ ...options, url: server.url.origin })
    return { engine, close: () => server.stop(true) }
  }
  return {
    start: (signal) => (running ??= begin()).engine.start(signal),
    serving: () => running?.engine.serving() ?? [],
    async ask(ask, signal) {
      if (!running) throw new Error('the emulator has not been started')
      return running.engine.ask(ask, signal)
    },
    alive: async (signal) => (await running?.engine.alive(signal)) ?? false,
    async stop() {
      emulator.kill()
      await running?.close()
      running = undefined
    },
  }
}
