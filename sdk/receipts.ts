// Receipts: the signed record of each request, and how to check one.
import type { Page, PageQuery } from './account.ts'
import { GpuHubError } from './errors.ts'
import type { Answered, RequestOptions, Transport } from './request.ts'

/** The record of one request that has ended. */
export interface Receipt {
  /** The `x-request-id` of the answer. */
  id: string
  at: string
  endedAt: string
  model: string
  precision: string
  /** Completed and cancelled requests are charged; failed and lost ones never. */
  state: 'completed' | 'cancelled' | 'failed' | 'lost'
  stream: boolean
  promptTokens: number
  completionTokens: number
  /** USD per million tokens, fixed when the request was admitted. */
  pricePrompt: string
  priceCompletion: string
  /** Nano-dollars: `feeNanos` + `hostShareNanos`. */
  costNanos: string
  /** USD. */
  cost: string
  feeNanos: string
  hostShareNanos: string
  /** Hosts that were asked until one finished. */
  attempts: number
  /** How often the answer went on with another host after it had begun. */
  resumed: number
  host: string | null
  finishReason: string | null
  firstTokenMs: number | null
  refunded: boolean
  signature: ReceiptSignature
}

export interface ReceiptSignature {
  keyId: string
  algorithm: 'ed25519'
  /** 64 bytes, base64. */
  value: string
}

/** A public key that receipts are signed with: 32 raw bytes, base64. */
export interface ReceiptKey {
  id: string
  algorithm: 'ed25519'
  publicKey: string
}

/**
 * The text a hub signs, as UTF-8: a line that says what it is, then the receipt without its signature as JSON, the
 * names in order, without spaces. A receipt is flat: its values are strings, whole numbers, booleans and null.
 */
export function receiptText(receipt: Omit<Receipt, 'signature'>): string {
  const names = Object.keys(receipt).filter((name) => name !== 'signature')
  return `gpuhub receipt 1\n${JSON.stringify(receipt, names.sort())}`
}

export class Receipts {
  constructor(private readonly transport: Transport) {}

  /**
   * Your receipts, newest first.
   *
   * @example
   * let before: string | undefined
   * do {
   *   const page = await hub.receipts.list({ before, limit: 200 })
   *   for (const receipt of page.data) console.log(receipt.at, receipt.model, receipt.cost)
   *   before = page.next ?? undefined
   * } while (before)
   */
  list(query?: PageQuery, options?: RequestOptions): Promise<Answered<Page<Receipt>>> {
    return this.transport.json({ method: 'GET', path: '/api/v1/receipts', query }, options)
  }

  /**
   * The receipt of one request.
   *
   * @example
   * const answer = await hub.chat.completions.create({ model, messages })
   * const receipt = await hub.receipts.get(answer.x_gpuhub.request_id)
   */
  get(id: string, options?: RequestOptions): Promise<Answered<Receipt>> {
    return this.transport.json({ method: 'GET', path: `/api/v1/receipts/${encodeURIComponent(id)}` }, options)
  }

  /** The public keys receipts are signed with. */
  keys(query?: PageQuery, options?: RequestOptions): Promise<Answered<Page<ReceiptKey>>> {
    return this.transport.json({ method: 'GET', path: '/api/v1/receipts/keys', query }, options)
  }

  /**
   * Checks that the hub signed exactly this receipt. Without `publicKey` the hub is asked for its keys; hand over one
   * you have kept and the hub cannot change its mind. Needs a runtime whose WebCrypto knows Ed25519.
   *
   * @throws GpuHubError when the hub has no key of the receipt's name.
   * @example
   * if (!(await hub.receipts.verify(receipt))) throw new Error('not signed by this hub')
   */
  async verify(
    receipt: Receipt,
    { publicKey, ...options }: RequestOptions & { publicKey?: string } = {},
  ): Promise<boolean> {
    const signature = bytesOf(receipt.signature.value)
    if (signature?.length !== 64) return false
    const raw = bytesOf(publicKey ?? (await this.publicKey(receipt.signature.keyId, options)))
    if (raw?.length !== 32) throw new GpuHubError('The public key is not 32 bytes in base64.')
    const key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify'])
    return crypto.subtle.verify('Ed25519', key, signature, new TextEncoder().encode(receiptText(receipt)))
  }

  private async publicKey(id: string, options: RequestOptions): Promise<string> {
    let before: string | undefined
    do {
      const page: Page<ReceiptKey> = await this.keys({ before }, options)
      const found = page.data.find((key) => key.id === id)
      if (found) return found.publicKey
      before = page.next ?? undefined
    } while (before)
    throw new GpuHubError(`The hub has no key named ${id} to check this receipt with.`)
  }
}

function bytesOf(base64: string): Uint8Array<ArrayBuffer> | null {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
  } catch {
    return null
  }
}
