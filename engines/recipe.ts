// What a kind of engine tells of itself, so that engine.ts can start any.

/** Tokens one request may have, prompt and answer together, and requests worked on at a time. */
export const served = { contextTokens: 2_048, slots: 8 } as const

export interface Place {
  python: string
  port: number
  /** For the model, and whatever the engine wants to keep. */
  folder: string
}

export interface Recipe {
  command: string[]
  env: Record<string, string>
  busy(url: string): Promise<number>
}
