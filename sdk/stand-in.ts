// A hub's stand-in for tests: a real server that records what it is asked and answers from a script.
import { type ErrorCode, errorKind } from './codes.ts'
import { GpuHub, type GpuHubOptions } from './gpuhub.ts'

export interface Asked {
  method: string
  /** With the query, as sent: not decoded. */
  path: string
  headers: Headers
  body: unknown
  /** Aborts when the client has gone. */
  signal: AbortSignal
}

export type Reply = (asked: Asked) => Response | Promise<Response>

export interface StandIn extends Disposable {
  url: string
  asked: Asked[]
  /** A client of this server. */
  client(options?: GpuHubOptions): GpuHub
}

/** Answers the first request with the first reply, the second with the second …, and all further ones with the last. */
export function standIn(...replies: [Reply, ...Reply[]]): StandIn {
  const asked: Asked[] = []
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    idleTimeout: 0,
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const text = await request.text()
      const one: Asked = {
        method: request.method,
        path: `${pathname}${search}`,
        headers: request.headers,
        body: text === '' ? undefined : JSON.parse(text),
        signal: request.signal,
      }
      const reply = replies[Math.min(asked.push(one), replies.length) - 1] ?? replies[0]
      return reply(one)
    },
  })
  return {
    url: server.url.origin,
    asked,
    client: (options) => new GpuHub({ baseURL: server.url.origin, apiKey: 'gh_test', ...options }),
    [Symbol.dispose]: () => void server.stop(true),
  }
}

/** A server that sends `answer` as it is, however wrong, and then cuts the connection. */
export function cutting(answer: string): { url: string; connections: () => number } & Disposable {
  let connections = 0
  const server = Bun.listen({
    port: 0,
    hostname: '127.0.0.1',
    socket: {
      open() {
        connections++
      },
      data(socket) {
        socket.write(answer)
        socket.flush()
        socket.end()
      },
    },
  })
  return {
    url: `http://127.0.0.1:${server.port}`,
    connections: () => connections,
    [Symbol.dispose]: () => server.stop(true),
  }
}

export function json(body: object, headers: Record<string, string> = {}): Reply {
  return () => Response.json(body, { headers: { 'x-request-id': 'req_1', ...headers } })
}

/** The envelope a hub refuses with. The client does not wait long before it tries again. */
export function refusal(code: ErrorCode, headers: Record<string, string> = {}): Reply {
  const { status, type } = errorKind(code)
  const error = { message: `Refused: ${code}.`, type, param: 'model', code, request_id: 'req_1' }
  return () =>
    Response.json({ error }, { status, headers: { 'x-request-id': 'req_1', 'retry-after-ms': '1', ...headers } })
}

export const priceHeaders = { 'x-gpuhub-price-prompt': '0.05', 'x-gpuhub-price-completion': '0.20' }

/** Streams `pieces`, one packet each. With `open`, the stream then stays open until the client goes. */
export function stream(pieces: (string | Uint8Array)[], { open = false } = {}): Reply {
  return () => {
    const packets = pieces.map((piece) => (typeof piece === 'string' ? new TextEncoder().encode(piece) : piece))
    const body = new ReadableStream<Uint8Array>({
      async pull(controller) {
        const packet = packets.shift()
        if (packet) controller.enqueue(packet)
        else if (!open) controller.close()
        else await new Promise(() => {})
        await new Promise((resolve) => setImmediate(resolve))
      },
    })
    return new Response(body, {
      headers: { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'req_1', ...priceHeaders },
    })
  }
}

/** `data:` events, one for each payload; objects become JSON. */
export function events(...payloads: (object | string)[]): string {
  return payloads
    .map((payload) => `data: ${typeof payload === 'string' ? payload : JSON.stringify(payload)}\n\n`)
    .join('')
}

const answer = { id: 'chatcmpl-1', created: 1_700_000_000, model: 'test/echo' }

export function chatChunk(content: string | null, finish: string | null = null): object {
  const delta = content === null ? {} : { role: 'assistant', content }
  return { ...answer, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] }
}

export function chatCompletion(content: string): object {
  const message = { role: 'assistant', content, refusal: null }
  return {
    ...answer,
    object: 'chat.completion',
    choices: [{ index: 0, message, logprobs: null, finish_reason: 'stop' }],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, cost: 0.000131 },
    x_gpuhub: { request_id: 'req_1', host: 'host_a', precision: 'fp8', attempts: 1, resumed: 0 },
  }
}

export const question = {
  model: 'test/echo',
  messages: [{ role: 'user' as const, content: 'Hello!' }],
}

/** Waits for what must happen soon. */
export async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error('it did not happen within ten seconds')
    await Bun.sleep(1)
  }
}
