// One call to the hub: attempts, waits between them, time limits, and errors in place of bad answers.
import { ConnectionError, errorFromAnswer, GpuHubError, TimeoutError } from './errors.ts'

/** The part of `fetch` this package uses. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

/** What every method takes as its last argument. */
export interface RequestOptions {
  /** Stops the call; it then throws the signal's reason. A hub bills what was written until then. */
  signal?: AbortSignal
  /**
   * The longest wait of one attempt, milliseconds: for the whole answer; when streaming, for its headers and then for
   * each next piece of it. Default: that of the client.
   */
  timeoutMs?: number
  /** Attempts after the first one that failed in a way that may pass. Default: that of the client. */
  maxRetries?: number
  /** The hub does the work once for all requests with the same key, and keeps a whole answer for 24 hours for that. */
  idempotencyKey?: string
  /** Added to the headers of the client; the same names replace them. */
  headers?: Record<string, string>
}

/** An answer, with the `x-request-id` it came with: not enumerable, so it is neither logged nor serialised with it. */
export type Answered<T> = T & { readonly _request_id: string | null }

export interface Settings {
  /** Without `/v1` and without a slash at the end. */
  baseURL: string
  apiKey: string
  timeoutMs: number
  maxRetries: number
  headers: Record<string, string>
  fetch: Fetch
}

export interface Call {
  method: 'GET' | 'POST' | 'DELETE'
  path: string
  query?: object
  body?: object
}

/** A hub may ask for a longer wait; then the error is passed on instead of keeping the caller waiting. */
const LONGEST_WAIT_MS = 60_000
const FIRST_BACKOFF_MS = 500
const LONGEST_BACKOFF_MS = 8_000
/** A timer set for longer than this fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export class Transport {
  // Truly private: a client that is printed or serialised must not show its key.
  readonly #settings: Settings

  constructor(settings: Settings) {
    this.#settings = settings
  }

  /** Sends `call` until it succeeds or may not be tried again, and reads the whole answer. */
  async json<T extends object>(call: Call, options: RequestOptions = {}): Promise<Answered<T>> {
    const attempt = () => this.send(call, options)
    // A POST whose answer broke off has been worked on and billed: only an idempotency key makes it safe to ask again.
    if (call.method === 'POST' && options.idempotencyKey === undefined)
      return bodyOf<T>(await this.retrying(options, attempt))
    return this.retrying(options, async () => bodyOf<T>(await attempt()))
  }

  /** As `json`, but resolves when the headers of a good answer are here. The caller closes the exchange. */
  async open(call: Call, options: RequestOptions = {}): Promise<Exchange> {
    const exchange = await this.retrying(options, () => this.send(call, options))
    exchange.unlimit()
    return exchange
  }

  private async retrying<T>(options: RequestOptions, attempt: () => Promise<T>): Promise<T> {
    const maxRetries = options.maxRetries ?? this.#settings.maxRetries
    for (let retry = 0; ; retry++) {
      try {
        return await attempt()
      } catch (error) {
        const waitMs = retry < maxRetries ? waitBeforeRetry(error, retry) : null
        if (waitMs === null) throw error
        await sleep(waitMs, options.signal)
      }
    }
  }

  private async send(call: Call, options: RequestOptions): Promise<Exchange> {
    const settings = this.#settings
    const exchange = new Exchange(options.signal, options.timeoutMs ?? settings.timeoutMs)
    try {
      const response = await exchange.start(settings.fetch, urlOf(settings.baseURL, call), {
        method: call.method,
        headers: headersOf(settings, call, options),
        body: call.body ? JSON.stringify(call.body) : undefined,
      })
      if (!response.ok) throw errorFromAnswer(response.status, response.headers, await exchange.text().catch(() => ''))
      return exchange
    } catch (error) {
      exchange.close()
      throw error
    }
  }
}

/** How long to wait before trying again, milliseconds; null: do not. `retry` counts from 0. */
export function waitBeforeRetry(error: unknown, retry: number, random: () => number = Math.random): number | null {
  if (!(error instanceof GpuHubError) || !error.retryable) return null
  // The caller's own limit has passed: trying again would double it, and pay for the work twice.
  if (error instanceof TimeoutError && error.status === null) return null
  if (error.retryAfterMs !== null) return error.retryAfterMs <= LONGEST_WAIT_MS ? error.retryAfterMs : null
  const backoffMs = Math.min(FIRST_BACKOFF_MS * 2 ** retry, LONGEST_BACKOFF_MS)
  return backoffMs * (1 - random() / 4)
}

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

function urlOf(baseURL: string, call: Call): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(call.query ?? {})) {
    if (value !== undefined && value !== null) query.set(name, String(value))
  }
  const search = query.toString()
  return `${baseURL}${call.path}${search && `?${search}`}`
}

function headersOf(settings: Settings, call: Call, options: RequestOptions): Headers {
  const headers = new Headers({ accept: 'application/json', authorization: `Bearer ${settings.apiKey}` })
  if (call.body) headers.set('content-type', 'application/json')
  if (options.idempotencyKey !== undefined) headers.set('idempotency-key', options.idempotencyKey)
  for (const [name, value] of Object.entries({ ...settings.headers, ...options.headers })) headers.set(name, value)
  return headers
}

async function bodyOf<T extends object>(exchange: Exchange): Promise<Answered<T>> {
  const { requestId } = exchange
  const text = await exchange.text().finally(() => exchange.close())
  let body: unknown
  try {
    body = JSON.parse(text)
  } catch (cause) {
    throw new GpuHubError('The answer is not JSON. Is baseURL the address of a hub?', { cause, requestId })
  }
  if (typeof body !== 'object' || body === null) throw new GpuHubError('The answer is not an object.', { requestId })
  return Object.defineProperty(body, '_request_id', { value: requestId, enumerable: false }) as Answered<T>
}

function sleep(waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }, waitMs)
    signal?.addEventListener('abort', stop, { once: true })
  })
}
