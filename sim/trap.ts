// While a history runs, the real clock, real timers, real chance and the real network do not exist: a program that
// reaches for one of them other than through its Env is found at once. The server's side of an answer's stream is
// played here, too: Bun's own would decide by itself when to write.

const TRAPPED: Record<string, object[]> = {
  setTimeout: [globalThis],
  setInterval: [globalThis],
  setImmediate: [globalThis],
  fetch: [globalThis],
  Worker: [globalThis],
  WebSocket: [globalThis],
  now: [Date, performance],
  random: [Math],
  sleep: [Bun],
  randomUUID: [crypto],
  getRandomValues: [crypto],
  timeout: [AbortSignal],
}

/** What Bun's server calls on a stream of `type: 'direct'`. */
export interface DirectSource {
  pull(controller: DirectController): unknown
  cancel(reason: unknown): void
}

export interface DirectController {
  write(chunk: string): number | Promise<number>
  flush(wait?: boolean): number | Promise<number>
  end(): number
}

const sources = new WeakMap<object, DirectSource>()

/** The source behind an answer's body; nothing for a body that is no direct stream. */
export function directSource(body: object | null): DirectSource | undefined {
  return body ? sources.get(body) : undefined
}

/** Runs `work`, synchronously, in a world without outside. */
export function sealed<T>(work: () => T): T {
  const undo = [...trapAll(), trapStreams()]
  try {
    return work()
  } finally {
    for (const back of undo) back()
  }
}

function trapAll(): (() => void)[] {
  return Object.entries(TRAPPED).flatMap(([name, owners]) => owners.map((owner) => trap(owner, name)))
}

/** A library's housekeeping is its own affair, as long as nothing of ours waits for it. */
function trap(owner: object, name: string): () => void {
  const real = Reflect.get(owner, name) as (...args: unknown[]) => unknown
  return replace(owner, name, (...args: unknown[]) => {
    const caller = new Error().stack?.split('\n')[2] ?? ''
    if (caller.includes('/node_modules/')) return Reflect.apply(real, owner, args)
    throw new Error(`${name} was used in a simulated world: take it from Env`)
  })
}

function trapStreams(): () => void {
  const Stream = globalThis.ReadableStream
  const Played = function (source?: UnderlyingDefaultSource, strategy?: QueuingStrategy) {
    if ((source as { type?: unknown } | undefined)?.type !== 'direct') return new Stream(source, strategy)
    const stream = new Stream()
    sources.set(stream, source as unknown as DirectSource)
    return stream
  }
  Played.prototype = Stream.prototype
  return replace(globalThis, 'ReadableStream', Played)
}

function replace(owner: object, name: string, value: unknown): () => void {
  const before: unknown = Reflect.get(owner, name)
  if (!Reflect.set(owner, name, value)) throw new Error(`${name} cannot be replaced`)
  return () => void Reflect.set(owner, name, before)
}
