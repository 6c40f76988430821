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
  /** Requests it works on or lets wait. */
  busy: (url: string) => Promise<number>
  /** Tokens it has made since it started. */
  made: (url: string) => Promise<number>
}

/** One number of `/metrics`. */
export async function metric(url: string, name: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`)).text()
  return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1] ?? 0)
}
