// What an engine is doing while it starts, from what it logs: for its owner to see. Whether it is ready is never read here.

/** In the order in which they come. */
export type Phase = 'pulling' | 'installing' | 'starting' | 'loading weights' | 'capturing graphs' | 'warming up'

const SIGNS: readonly (readonly [RegExp, Phase])[] = [
  [/Application startup complete|Uvicorn running on|Started server process/i, 'warming up'],
  [
    /torch\.compile takes|Capturing CUDA graph|Graph capturing|Dynamo bytecode|Available KV cache memory|GPU KV cache size/i,
    'capturing graphs',
  ],
  [
    /Starting to load model|Loading safetensors checkpoint shards|Loading weights|Model loading took/i,
    'loading weights',
  ],
]

export interface Step {
  phase: Phase
  /** 0 to 100, of this phase; null: it does not say. */
  percent: number | null
}

/** Undefined: the line says nothing about it. */
export function stepOf(line: string): Step | undefined {
  const phase = SIGNS.find(([sign]) => sign.test(line))?.[1]
  if (!phase) return undefined
  const percent = /(\d{1,3})%/.exec(line)?.[1]
  return { phase, percent: percent === undefined ? null : Math.min(100, Number(percent)) }
}

export function describeStep({ phase, percent }: Step): string {
  return percent === null ? phase : `${phase} (${percent} %)`
}
