// What the agent needs of an inference engine, whichever it is.
import type { EnginePath, Serving } from '../../sdk/wire/frames.ts'

export interface EngineAsk {
  path: EnginePath
  /** Catalog id the hub asked for; the engine may know it under another name. */
  model: string
  /** The hub's JSON body. */
  body: Uint8Array
}

export interface EngineAnswer {
  status: number
  /** Read no faster than it can be passed on: an engine is slowed down by not reading. */
  bytes: ReadableStream<Uint8Array>
}

export interface Engine {
  /** Resolves once the engine has completed a real request. @throws HostError saying what to do */
  start(signal: AbortSignal): Promise<void>
  /** What it does before it is ready, for its owner to see; null: nothing that takes long. */
  starting?(): string | null
  /** What it offers; known after `start`. */
  serving(): Serving[]
  /** Aborting `signal` stops the engine's work at once. @throws EngineRefusal, or whatever the connection throws */
  ask(ask: EngineAsk, signal: AbortSignal): Promise<EngineAnswer>
  /** A cheap sign of life. */
  alive(signal: AbortSignal): Promise<boolean>
  /** Frees the GPU. Once `force` aborts, by force, within a second: whatever hangs is killed. */
  stop(force: AbortSignal): Promise<void>
}

/** A request this engine will not take: the hub's fault, not the machine's. */
export class EngineRefusal extends Error {
  constructor(
    readonly code: 'bad_body' | 'unknown_model' | 'unknown_path',
    message: string,
  ) {
    super(message)
  }
}
