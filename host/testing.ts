// Test kit of the host: an emulated engine on a port of this machine, and the oracle that knows what it will say.
import { Engine, type EngineOptions } from './emulator/engine.ts'
import type { Tally } from './emulator/tally.ts'

export type { Conduct } from './emulator/conduct.ts'
export { Engine, type EngineOptions } from './emulator/engine.ts'
export { oracle, type OracleOptions, type Truth } from './emulator/oracle.ts'
export type { RunRecord, Tally } from './emulator/tally.ts'

export interface EmulatorOptions extends EngineOptions {
  /** 0, the default, takes a free one. */
  port?: number
}

export interface Emulator extends Pick<Engine, 'model' | 'set' | 'next' | 'block' | 'release' | 'kill' | 'hanging'> {
  /** `http://127.0.0.1:PORT`, without `/v1`. */
  url: string
  port: number
  tally: Tally
  /** Ends the server and every connection. */
  close(): Promise<void>
}

/** Starts an engine that speaks vLLM's HTTP surface on loopback. Its conduct can be set here and changed later. */
export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, ...engineOptions } = options
  const engine = new Engine(engineOptions)
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port,
    idleTimeout: 0,
    // Otherwise every connection that is cut on purpose prints a stack trace.
    development: false,
    fetch: (request) => engine.fetch(request),
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    port: server.port!,
    model: engine.model,
    tally: engine.tally,
    get hanging() {
      return engine.hanging
    },
    set: (conduct) => engine.set(conduct),
    next: (conduct) => engine.next(conduct),
    block: () => engine.block(),
    release: () => engine.release(),
    kill: () => engine.kill(),
    async close() {
      engine.kill()
      await server.stop(true)
    },
  }
}
