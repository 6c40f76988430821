// The caller's own account: who they are, what they have and spent, their keys, and the licences they agreed to.
// Amounts are decimal strings: `…Nanos` in whole nano-dollars for programs (BigInt reads them), the others in USD.
import type { Answered, RequestOptions, Transport } from './request.ts'

/** A page of a list. */
export interface Page<T> {
  data: T[]
  /** Opaque: `before` of the next page. Null: this was the last one. */
  next: string | null
}

export interface PageQuery {
  /** Rows on a page at most, 1 to 200. Default 50. */
  limit?: number
  /** `next` of the page before. */
  before?: string
}

export interface Me {
  id: string
  email: string
  roles: ('client' | 'host' | 'admin')[]
  keyId: string | null
}

/** `balance` = `available` + `held`; what is held for running requests comes back as far as they do not need it. */
export interface Balance {
  balance: string
  balanceNanos: string
  available: string
  availableNanos: string
  held: string
  heldNanos: string
  currency: 'USD'
}

export interface UsageQuery extends PageQuery {
  /** First moment counted: a UTC day (`2026-11-01`) or a time in ISO 8601. Default: 30 days ago. */
  from?: string
  /** First moment not counted any more. Default: now. */
  to?: string
  /** What a row stands for. Default: day. */
  group?: 'day' | 'model' | 'key'
}

export interface UsageRow {
  /** The UTC day, the variant or the id of the key. */
  group: string
  /** The same for people: the name of the key, otherwise equal to `group`. */
  label: string
  requests: number
  promptTokens: number
  completionTokens: number
  costNanos: string
  cost: string
}

/** What a request admitted now would pay for one variant. */
export interface VariantPrice {
  /** What to send as `model` for exactly this variant, e.g. `Qwen/Qwen3-8B:fp8`. */
  id: string
  model: string
  precision: string
  /** USD per million tokens. */
  prompt: string
  completion: string
  /** Pico-dollars (10⁻¹² USD) per token. */
  promptPicos: number
  completionPicos: number
  hostsOnline: number
}

export interface Key {
  id: string
  name: string
  /** The last four characters of the key, to recognise it by. */
  hint: string
  /** ISO 8601, as all times. */
  createdAt: string
  /** Requests a minute it may begin; 0: no limit; null: as the hub says for all. The same goes for the next two. */
  requestsPerMinute: number | null
  tokensPerMinute: number | null
  /** Requests it may have in progress at a time. */
  concurrency: number | null
  /** The most it may ever spend; null: as much as the account has. */
  budget: KeyBudget | null
  /** From then on it is refused; null: never. */
  expiresAt: string | null
  /** What it may ask for: a model in every precision, a variant (`Qwen/Qwen3-8B:fp8`) in that one; null: everything. */
  models: string[] | null
}

/** What a key may spend, and has spent since it has limits of its own. USD, and the same in nano-dollars (10⁻⁹ USD). */
export interface KeyBudget {
  limit: string
  limitNanos: string
  spent: string
  spentNanos: string
}

/** What a new key is called and may do. Left out: as much as the hub lets every key do. */
export interface NewKey {
  name: string
  /** Requests a minute; 0: no limit. */
  requestsPerMinute?: number
  /** Tokens a minute, of prompts and answers; 0: no limit. */
  tokensPerMinute?: number
  /** Requests in progress at a time; 0: no limit. */
  concurrency?: number
  /** The most it may ever spend, USD, such as `5.00`. Beyond it requests fail with 402 `key_budget_exceeded`. */
  budget?: string
  /** ISO 8601. From then on it is refused with 401. */
  expiresAt?: string
  /** What it may ask for, at most 50 ids of models or variants. Others fail with 403 `model_not_allowed`. */
  models?: string[]
}

export interface CreatedKey extends Key {
  /** The key itself, shown this once. */
  key: string
}

export interface DeletedKey {
  id: string
  deleted: true
}

/** The terms of one model, and whether you have agreed to them. */
export interface Licence {
  model: string
  license: string
  licenseUrl: string
  licenseClass: 'permissive' | 'restricted'
  baseModel: string | null
  baseLicense: string | null
  /** What to show where the model's output is used. */
  attribution: string[]
  aupUrl: string | null
  /** What has to be confirmed to acknowledge the licence. */
  statements: { id: string; text: string }[]
  acknowledgementRequired: boolean
  acknowledgedAt: string | null
}

export class Keys {
  constructor(private readonly transport: Transport) {}

  /** The keys that work, newest first. */
  list(query?: PageQuery, options?: RequestOptions): Promise<Answered<Page<Key>>> {
    return this.transport.json({ method: 'GET', path: '/api/v1/keys', query }, options)
  }

  /**
   * Makes a key. Not retried unless you say so: a key whose answer was lost would exist all the same.
   *
   * @example
   * const { key } = await hub.keys.create({ name: 'staging', budget: '5.00' })   // store it now: it is not shown again
   */
  create(body: NewKey, options?: RequestOptions): Promise<Answered<CreatedKey>> {
    return this.transport.json({ method: 'POST', path: '/api/v1/keys', body }, { maxRetries: 0, ...options })
  }

  /** Makes a key stop working, at once. */
  delete(id: string, options?: RequestOptions): Promise<Answered<DeletedKey>> {
    return this.transport.json({ method: 'DELETE', path: `/api/v1/keys/${encodeURIComponent(id)}` }, options)
  }
}

export class Licences {
  constructor(private readonly transport: Transport) {}

  /** The licences of the models on offer, and which of them you have acknowledged. */
  list(query?: PageQuery, options?: RequestOptions): Promise<Answered<Page<Licence>>> {
    return this.transport.json({ method: 'GET', path: '/api/v1/licences', query }, options)
  }

  /**
   * Agrees to the licence of a restricted model, so that it answers.
   *
   * @example
   * const model = 'meta-llama/Llama-3.1-8B-Instruct'
   * await hub.licences.acknowledge(model, { statements: ['mau_700m_2024-07-23'] })
   */
  acknowledge(
    model: string,
    body: { statements?: string[] } = {},
    options?: RequestOptions,
  ): Promise<Answered<Licence>> {
    const path = `/api/v1/models/${encodeURIComponent(model)}/license/acknowledge`
    return this.transport.json({ method: 'POST', path, body }, options)
  }
}
