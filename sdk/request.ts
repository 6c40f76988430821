// One call to the hub: attempts, the waits between them, and errors in place of bad answers.
import { errorFromAnswer, GpuHubError, TimeoutError } from './errors.ts'
import { Exchange, type Fetch } from './exchange.ts'

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
