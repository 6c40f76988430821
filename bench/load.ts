// One run of the load client (native/load.c) and what it saw.
import { LOAD_CORE, startProgram, SUT_CORE } from './machine.ts'
import type { Programs } from './native.ts'
import { MODEL, type Prompt, SLOTS, type World } from './world.ts'

/** Microseconds. */
export interface Spread {
  count: number
  p50: number
  p90: number
  p99: number
  max: number
}

/** As load.c prints it. */
export interface Seen {
  seconds: number
  /** Over the whole run, what happened before and after the sample included. */
  started: number
  completed: number
  aborted: number
  refused: number
  broken: number
  /** Arrivals for which there was no connection: the load client's limit, not the server's. */
  starved: number
  retried: number
  unfinished: number
  tokens: number
  sample: {
    answers: number
    chunks: number
    tokens: number
    refused: number
    firsts: number
    bytes: number
    sutNs: number
    loadNs: number
    sutCoreBusyNs: number
    loadCoreBusyNs: number
  }
  latency: Spread
  first: Spread
  delay: Spread
  refusal: Spread
  statuses: Record<string, number>
  /** Of what broke, the first. */
  example: string
}

/** What is asked, of whomever. */
/** A hub has much to compile, on the core it works on: before ten seconds of work it does not show what it can. */
export const WARM_HUB_MS = 10_000

export interface Load {
  connections: number
  stream: boolean
  /** Tokens of each answer. */
  tokens: number
  /** Tokens an engine puts into one event. */
  each?: number
  /** Choices of each answer, all the same. */
  choices?: number
  /** Between two events of a stream. */
  gapUs?: number
  prompt: Prompt
  warmMs: number
  measureMs: number
  /** How long answers that run at the end may take to finish. */
  tailMs?: number
  /** Connections begin one after another over this time. */
  rampMs?: number
  /** Requests come at this rate, on as many connections as it takes; otherwise each connection asks again at once. */
  perSecond?: number
  /** Every so manyth answer is given up in its middle. */
  abortEvery?: number
  /** Ends after so many requests. */
  requests?: number
  /** A client that reads so slowly; 0: never. */
  readBytesPerSecond?: number
  /** Every request with another key, rather than one key a connection. */
  rotateKeys?: boolean
  models?: string[]
  /** First slot on the board, when several loads run at once. */
  slotBase?: number
}

/** Who is asked. */
export interface Target {
  port: number
  pids: readonly number[]
  path?: string
  headers?: Record<string, string>
}

export async function runLoad(programs: Programs, world: World, target: Target, load: Load): Promise<Seen> {
  const headers = Object.entries(target.headers ?? {}).map(([name, value]) => `${name}: ${value}\r\n`)
  const words = {
    port: target.port,
    path: target.path ?? '/v1/chat/completions',
    headers: headers.join(''),
    connections: load.connections,
    stream: load.stream ? 1 : 0,
    'words-each': load.tokens,
    each: load.each ?? 1,
    'gap-us': load.gapUs ?? 0,
    choices: load.choices ?? 1,
    prompt: load.prompt.path,
    'prompt-tokens': load.prompt.tokens,
    warm: load.warmMs,
    measure: load.measureMs,
    tail: load.tailMs ?? 10_000,
    ramp: load.rampMs ?? 0,
    rate: load.perSecond ?? 0,
    'abort-every': load.abortEvery ?? 0,
    requests: load.requests ?? 0,
    'read-bytes-per-second': load.readBytesPerSecond ?? -1,
    'rotate-keys': load.rotateKeys ? 1 : 0,
    'slot-base': load.slotBase ?? 0,
    models: (load.models ?? [MODEL]).join(','),
    keys: world.keys,
    words: world.words,
    board: world.board,
    slots: SLOTS,
    pids: target.pids.join(','),
    'sut-core': SUT_CORE,
    'load-core': LOAD_CORE,
  }
  const given = Object.entries(words).flatMap(([name, value]) => [`--${name}`, String(value)])
  const program = startProgram([programs.load, ...given], { core: LOAD_CORE })
  try {
    return JSON.parse(await program.line()) as Seen
  } finally {
    await program.end()
  }
}

/** Why the numbers of a run do not count; null: they do. */
export function flaw(seen: Seen): string | null {
  if (seen.broken > 0) return `${seen.broken} broken: ${seen.example}`
  if (seen.unfinished > 0) return `${seen.unfinished} answers never ended`
  if (seen.starved > 0) return `the load client ran out of connections ${seen.starved} times`
  return null
}
