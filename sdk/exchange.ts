// One attempt at a request: its abort, its time limit, and what a failure of the network becomes.
import { ConnectionError, TimeoutError } from './errors.ts'

/** The part of `fetch` this package uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** A timer set for longer than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** One attempt, from the request to the last byte of the answer: its abort, its time limit, its errors. */
export class Exchange {
  readonly controller: AbortController = new AbortController()
  private response: Response | undefined
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  private timer: ReturnType<typeof setTimeout> | undefined

  constructor(
    private readonly signal: AbortSignal | undefined,
    private readonly timeoutMs: number,
  ) {
    if (signal?.aborted) this.follow()
    else signal?.addEventListener('abort', this.follow)
  }

  get requestId(): string | null {
    return this.header('x-request-id')
  }

  header(name: string): string | null {
    return this.response?.headers.get(name) ?? null
  }

  /** Resolves at the headers. The time limit runs on until `text` has the body, or the first `read` starts it anew. */
  async start(fetch: Fetch, url: string, init: RequestInit): Promise<Response> {
    this.limit()
    this.response = await this.failing(() => fetch(url, { ...init, signal: this.controller.signal, ...UNLIMITED }))
    return this.response
  }

  async text(): Promise<string> {
    return this.failing(async () => (await this.response?.text()) ?? '')
  }

  /** The next bytes of the body, or undefined at its end. */
  async read(): Promise<Uint8Array | undefined> {
    this.limit()
    this.reader ??= this.response?.body?.getReader()
    const packet = await this.failing(async () => this.reader?.read())
    this.unlimit()
    return packet?.value
  }

  /** Lets go of the caller's signal and the timer. With `abort`, also of the connection, and so of the hub's work. */
  close(abort = false): void {
    this.unlimit()
    this.signal?.removeEventListener('abort', this.follow)
    if (abort) this.controller.abort()
  }

  /** Stops the clock: from here on the caller decides when the next wait begins. */
  unlimit(): void {
    clearTimeout(this.timer)
  }

  private limit(): void {
    clearTimeout(this.timer)
    this.timer = setTimeout(
      () => {
        this.controller.abort(
          new TimeoutError(`The hub did not answer within ${this.timeoutMs} ms.`, { retryable: true }),
        )
      },
      Math.min(this.timeoutMs, LONGEST_TIMER_MS),
    )
  }

  private readonly follow = (): void => {
    this.controller.abort(this.signal?.reason)
  }

  private async failing<T>(work: () => Promise<T>): Promise<T> {
    const { signal } = this.controller
    try {
      signal.throwIfAborted()
      return await work()
    } catch (error) {
      if (signal.aborted) throw signal.reason
      const facts = { cause: error, requestId: this.requestId, retryable: true }
      if (isRuntimeTimeout(error)) throw new TimeoutError('The runtime gave up waiting for the hub.', facts)
      throw new ConnectionError(`The connection to the hub failed: ${reasonOf(error)}`, facts)
    }
  }
}

// Bun ends a fetch after five quiet minutes unless told otherwise; other runtimes do not know the option.
const UNLIMITED: object = { timeout: false }

/** Node ends a fetch after five quiet minutes, as a failure with one of these codes. */
function isRuntimeTimeout(error: unknown): boolean {
  const code = error instanceof Error && error.cause instanceof Error ? Reflect.get(error.cause, 'code') : undefined
  return code === 'UND_ERR_HEADERS_TIMEOUT' || code === 'UND_ERR_BODY_TIMEOUT'
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message ? error.cause.message : error.message
}
