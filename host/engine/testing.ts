// Engines for tests: one in memory that a test plays by hand, and one on a real port that speaks OpenAI's API.
import type { Serving } from '../../sdk/wire/frames.ts'
import type { Engine, EngineAnswer, EngineAsk } from './engine.ts'

export const serving: Serving = {
  model: 'Qwen/Qwen3-8B',
  engine: { name: 'vllm', version: '0.31.0' },
  contextTokens: 4_096,
  slots: 2,
  tokenIds: true,
}

/** One request in the hands of a test. */
export interface Played {
  ask: EngineAsk
  signal: AbortSignal
  /** The body, parsed. */
  request: unknown
  answer(status?: number): void
  refuse(error: Error): void
  push(text: string): void
  end(): void
  breakOff(): void
  /** Bytes made that nobody has read. */
  unread(): number
}

export interface PlayedEngine extends Engine {
  asks: Played[]
  /** What the next signs of life will be. */
  well: boolean
  stopped: boolean
  /** How it takes a stop: `hangs` until it is forced, `stuck` even then. */
  stops: 'well' | 'hangs' | 'stuck'
}

export function playedEngine(): PlayedEngine {
  const asks: Played[] = []
  return {
    asks,
    well: true,
    stopped: false,
    stops: 'well',
    async start() {
      if (!this.well) throw new Error('still dead')
    },
    serving: () => [serving],
    alive() {
      return Promise.resolve(this.well)
    },
    async stop(force) {
      if (this.stops !== 'well')
        await new Promise<void>((resolve) => {
          const killed = () => this.stops === 'hangs' && resolve()
          if (force.aborted) killed()
          else force.addEventListener('abort', killed)
        })
      this.stopped = true
    },
    ask(ask, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<EngineAnswer>()
      const script = new Script()
      signal.addEventListener('abort', () => reject(new Error('aborted')))
      asks.push({
        ask,
        signal,
        request: JSON.parse(new TextDecoder().decode(ask.body)),
        answer: (status = 200) => resolve({ status, bytes: script.stream() }),
        refuse: reject,
        push: (text) => script.add(new TextEncoder().encode(text)),
        end: () => script.add('end'),
        breakOff: () => script.add('broken'),
        unread: () => script.unread(),
      })
      return promise
    },
  }
}

/** What an engine will say, given out only as it is read. */
class Script {
  private readonly steps: (Uint8Array | 'end' | 'broken')[] = []
  private more = Promise.withResolvers<void>()

  add(step: Uint8Array | 'end' | 'broken'): void {
    this.steps.push(step)
    this.more.resolve()
  }

  unread(): number {
    return this.steps.reduce((sum, step) => sum + (typeof step === 'string' ? 0 : step.length), 0)
  }

  stream(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const step = await this.next()
          if (step === 'end') controller.close()
          else if (step === 'broken') controller.error(new Error('the connection broke'))
          else controller.enqueue(step)
        },
      },
      { highWaterMark: 0 },
    )
  }

  private async next(): Promise<Uint8Array | 'end' | 'broken'> {
    for (;;) {
      const step = this.steps.shift()
      if (step !== undefined) return step
      this.more = Promise.withResolvers()
      await this.more.promise
    }
  }
}

export interface FakeServer {
  url: string
  /** Bodies of the requests that came, oldest first. */
  requests: { path: string; body: Record<string, unknown> }[]
  /** Requests whose caller hung up. */
  aborted: number
  /** Bytes written so far, by all streams together. */
  written: number
  /** Lets streams that wait go on to their end. */
  finish(): void
  close(): Promise<void>
}

interface ServerOptions {
  models?: object[]
  /** What `/props` says, as llama.cpp has it. */
  props?: object
  /** Answers a completion, of text or token ids; by default with a word, or, with `stream`, two chunks and an end on `finish`. */
  complete?: (path: string, body: Record<string, unknown>) => Response | undefined
  port?: number
}

/** A server that speaks just enough of OpenAI's API. With `flood: true` in a request it streams without end. */
export function startServer(options: ServerOptions = {}): FakeServer {
  const models = options.models ?? [{ id: 'Qwen/Qwen3-8B', max_model_len: 4_096, owned_by: 'vllm' }]
  const gate = Promise.withResolvers<void>()
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: options.port ?? 0,
    idleTimeout: 0,
    development: false,
    async fetch(request) {
      const path = new URL(request.url).pathname
      if (path === '/v1/models') return Response.json({ object: 'list', data: models })
      if (path === '/props' && options.props) return Response.json(options.props)
      if (request.method !== 'POST') return new Response('no\n', { status: 404 })
      const body = (await request.json()) as Record<string, unknown>
      fake.requests.push({ path, body })
      request.signal.addEventListener('abort', () => void fake.aborted++)
      const own = options.complete?.(path, body)
      if (own) return own
      if (body.flood) return new Response(flood(fake))
      const usage = { prompt_tokens: Array.isArray(body.prompt) ? body.prompt.length : 1 }
      if (!body.stream) return Response.json({ choices: [{ text: ' there' }], usage })
      return new Response(spoken(gate.promise), { headers: { 'content-type': 'text/event-stream' } })
    },
  })
  const fake: FakeServer = {
    url: `http://127.0.0.1:${server.port}`,
    requests: [],
    aborted: 0,
    written: 0,
    finish: () => gate.resolve(),
    close: () => server.stop(true),
  }
  return fake
}

function spoken(go: Promise<void>): ReadableStream<Uint8Array> {
  const lines = ['data: one\n\n', 'data: two\n\n', 'data: [DONE]\n\n']
  return new ReadableStream({
    async pull(controller) {
      if (lines.length === 1) await go
      const line = lines.shift()
      if (line === undefined) controller.close()
      else controller.enqueue(new TextEncoder().encode(line))
    },
  })
}

function flood(fake: FakeServer): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      // A turn of the loop in between, or nothing else would run.
      await new Promise((resolve) => setImmediate(resolve))
      fake.written += 65_536
      controller.enqueue(new Uint8Array(65_536))
    },
  })
}
