// The client: where its settings come from, and what it offers.
import {
  type Balance,
  Keys,
  Licences,
  type Me,
  type Page,
  type PageQuery,
  type UsageQuery,
  type UsageRow,
  type VariantPrice,
} from './account.ts'
import { Chat } from './chat.ts'
import { Completions } from './completions.ts'
import { GpuHubError } from './errors.ts'
import type { Fetch } from './exchange.ts'
import { Models } from './models.ts'
import { Receipts } from './receipts.ts'
import { type Answered, type RequestOptions, Transport } from './request.ts'

export interface GpuHubOptions {
  /** Default: the environment variable `GPUHUB_API_KEY`. */
  apiKey?: string
  /** The address of the hub, such as `https://hub.example.com`, with or without `/v1`. Default: `GPUHUB_BASE_URL`. */
  baseURL?: string
  /** The longest wait of one attempt, milliseconds. Default: 600,000. */
  timeoutMs?: number
  /** Attempts after the first one that failed in a way that may pass. Default: 2. */
  maxRetries?: number
  /** Sent with every request. */
  headers?: Record<string, string>
  /** Used instead of the global `fetch`. */
  fetch?: Fetch
}

/**
 * A client of one hub. Keep one and share it: it holds no connection and no state.
 *
 * @example
 * import { GpuHub } from '@gpuhub/sdk'
 *
 * const hub = new GpuHub({ baseURL: 'https://hub.example.com', apiKey: 'gh_…' })
 * const answer = await hub.chat.completions.create({
 *   model: 'Qwen/Qwen3-8B',
 *   messages: [{ role: 'user', content: 'Hello!' }],
 * })
 * console.log(answer.choices[0]?.message.content)
 */
export class GpuHub {
  /** The address of the hub, without `/v1`. */
  readonly baseURL: string
  readonly chat: Chat
  readonly completions: Completions
  readonly models: Models
  readonly receipts: Receipts
  readonly keys: Keys
  readonly licences: Licences
  readonly #transport: Transport

  /** @throws GpuHubError when the key or the address is missing, or is not one. */
  constructor(options: GpuHubOptions = {}) {
    this.baseURL = hubAddress(options.baseURL ?? environment('GPUHUB_BASE_URL'))
    const transport = new Transport({
      baseURL: this.baseURL,
      apiKey: apiKey(options.apiKey ?? environment('GPUHUB_API_KEY')),
      timeoutMs: options.timeoutMs ?? 600_000,
      maxRetries: options.maxRetries ?? 2,
      headers: options.headers ?? {},
      fetch: options.fetch ?? ((url, init) => fetch(url, init)),
    })
    this.#transport = transport
    this.chat = new Chat(transport)
    this.completions = new Completions(transport)
    this.models = new Models(transport)
    this.receipts = new Receipts(transport)
    this.keys = new Keys(transport)
    this.licences = new Licences(transport)
  }

  /** The user this key speaks for. */
  me(options?: RequestOptions): Promise<Answered<Me>> {
    return this.#transport.json({ method: 'GET', path: '/api/v1/me' }, options)
  }

  /**
   * What the account has.
   *
   * @example
   * const { available } = await hub.balance()
   * console.log(`$${available} left`)
   */
  balance(options?: RequestOptions): Promise<Answered<Balance>> {
    return this.#transport.json({ method: 'GET', path: '/api/v1/balance' }, options)
  }

  /**
   * What was used and paid, by day, model or key.
   *
   * @example
   * const { data } = await hub.usage({ from: '2026-11-01', group: 'model' })
   * for (const row of data) console.log(row.label, row.requests, row.cost)
   */
  usage(query?: UsageQuery, options?: RequestOptions): Promise<Answered<Page<UsageRow>>> {
    return this.#transport.json({ method: 'GET', path: '/api/v1/usage', query }, options)
  }

  /**
   * Today's price of every variant.
   *
   * @example
   * for (const price of (await hub.prices()).data) console.log(price.id, price.prompt, price.completion)
   */
  prices(query?: PageQuery, options?: RequestOptions): Promise<Answered<Page<VariantPrice>>> {
    return this.#transport.json({ method: 'GET', path: '/api/v1/prices', query }, options)
  }
}

function hubAddress(given: string | undefined): string {
  if (!given) throw new GpuHubError('Say where the hub is: pass baseURL, or set GPUHUB_BASE_URL.')
  if (!/^https?:\/\/[^/]/i.test(given))
    throw new GpuHubError(`"${given}" is not the address of a hub: write it like https://hub.example.com`)
  return given.replace(/\/+$/, '').replace(/\/v1$/, '')
}

function apiKey(given: string | undefined): string {
  if (!given) throw new GpuHubError('An API key is missing: pass apiKey, or set GPUHUB_API_KEY.')
  if (!/^[\x21-\x7e]+$/.test(given)) throw new GpuHubError('The API key has a character no key has. Copy it again.')
  return given
}

/** Undefined where there is no environment, as in browsers, or where reading it is not allowed. */
function environment(name: string): string | undefined {
  const { process } = globalThis as { process?: { env?: Record<string, string | undefined> } }
  try {
    return process?.env?.[name]
  } catch {
    return undefined
  }
}
