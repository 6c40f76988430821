// Requests with an `Idempotency-Key`: done once, however often they are sent. The first one with a key takes it, in the
// books, where every hub sees it; its whole answer is kept for a day. Whoever sends the same again meanwhile is told to
// wait; afterwards they get the same bytes, and pay nothing more. What failed is forgotten, so that trying again helps.
import { and, eq, inArray, lte, ne, not } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { Env } from '../../sdk/env.ts'
import { formatUsd } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import type { Bearer } from '../identity/keyring.ts'
import type { KnownOnce, Ledger, Once } from '../ledger/ledger.ts'
import { requestOf } from '../ledger/receipts.ts'
import type { Log } from '../log.ts'
import { jsonIn } from './body.ts'
import { canonical } from './canonical.ts'
import { type KeptAnswer, seal, unseal } from './sealed.ts'

const KEPT_MS = 24 * 60 * 60_000
/** A larger body is not kept. */
const MOST_KEPT_BYTES = 1024 * 1024
/** A request that runs was begun by this hub before that, or is none of its. */
const LEFT_MS = 60_000
/** Rows looked at in one round. */
const ROUND_ROWS = 200

/** What is asked once. */
export interface Wish {
  requestId: string
  bearer: Bearer
  /** The API key as it was presented. */
  apiKey: string
  route: string
  /** The `Idempotency-Key`. */
  key: string
  body: Uint8Array
  stream: boolean
}

export class Onces {
  /** Ids of requests that are the first with their key and have not ended. */
  private readonly running = new Set<string>()

  constructor(
    private readonly env: Env,
    private readonly db: Db,
    private readonly ledger: Ledger,
    private readonly log: Log,
  ) {}

  /**
   * The first with its key: the caller does the work and says how it ended. Otherwise the answer that is kept.
   * @throws HubError 400 or 409 when there is no answer to give, `hub_unavailable` when nobody can tell
   */
  async begin(wish: Wish): Promise<First | KeptAnswer> {
    const { requestId, bearer, route, key, body, stream } = wish
    const { userId, keyId } = bearer
    const at = this.env.now()
    const once: Once = {
      ...{ id: sha256([userId, route, key].join('\n')), requestId, userId, keyId, stream, at },
      body: sha256(canonical(jsonIn(body))),
      expiresAt: at + KEPT_MS,
    }
    const known = await this.ledger.begin(once)
    if (known) return this.again(wish, once, known)
    this.running.add(requestId)
    return new First(this.env, this.ledger, this.log, once, wish.apiKey, () => this.running.delete(requestId))
  }

  /** Forgets what is a day old, and gives back the money for answers that nobody ever got. @returns how many it forgot */
  async tidy(): Promise<number> {
    const { onces, requests } = this.db.tables
    const now = this.env.now()
    const { query } = this.db
    const old = await query
      .select({ id: onces.id, requestId: onces.requestId })
      .from(onces)
      .where(lte(onces.expiresAt, now))
      .limit(ROUND_ROWS)
    const undelivered = await query
      .select({ id: requests.id })
      .from(requests)
      .where(
        and(
          inArray(
            requests.id,
            old.map(({ requestId }) => requestId),
          ),
          not(requests.delivered),
          ne(requests.state, 'lost'),
        ),
      )
    // They stay until the books have it; then they are forgotten, too.
    const refunded = new Set(undelivered.map(({ id }) => id))
    for (const id of refunded) this.ledger.refund(id)
    const forgotten = old.filter(({ requestId }) => !refunded.has(requestId))

    // Left behind by a request whose end the books could not take.
    const left = await query
      .select({ id: onces.id, requestId: onces.requestId })
      .from(onces)
      .where(and(eq(onces.hubId, this.ledger.hubId), eq(onces.state, 'running'), lte(onces.at, now - LEFT_MS)))
      .limit(ROUND_ROWS)
    forgotten.push(...left.filter(({ requestId }) => !this.running.has(requestId)))
    await this.forget(forgotten)
    return forgotten.length
  }

  private async forget(rows: { id: string; requestId: string }[]): Promise<void> {
    if (rows.length === 0) return
    const { onces } = this.db.tables
    // By the request, too: somebody may have taken the key meanwhile.
    await this.db.query.delete(onces).where(
      and(
        inArray(
          onces.id,
          rows.map(({ id }) => id),
        ),
        inArray(
          onces.requestId,
          rows.map(({ requestId }) => requestId),
        ),
      ),
    )
  }

  private async again({ apiKey, bearer }: Wish, once: Once, known: KnownOnce): Promise<KeptAnswer> {
    const { requestId } = known
    if (known.body !== once.body)
      throw new HubError(
        'idempotency_mismatch',
        `This Idempotency-Key came with another body before (${requestId}). Use a new key for a new request.`,
      )
    if (known.state === 'running')
      throw new HubError(
        'idempotency_in_progress',
        `A request with this Idempotency-Key is running (${requestId}). Try again in a moment to get its answer.`,
      )
    if (known.stream)
      throw new HubError(
        'idempotency_completed',
        `The request with this Idempotency-Key was streamed to its end as ${requestId}. Use a new key to ask again.`,
      )
    const mine = known.hasAnswer && known.keyId === bearer.keyId
    const sealed = mine ? await this.ledger.keptAnswer(once.id).catch(unreadable) : null
    if (sealed !== null) return unseal(apiKey, once.id, sealed)
    const why = known.hasAnswer ? 'can be read with the API key alone that asked' : 'was too large to be kept'
    const row = await requestOf(this.db, bearer.userId, requestId).catch(unreadable)
    throw new HubError(
      'idempotency_body_not_kept',
      `The request with this Idempotency-Key was completed as ${requestId} and cost ${formatUsd(row?.cost ?? 0n)}; ` +
        `its answer ${why}. Use a new key to ask again.`,
    )
  }
}

/** The first request with its key, until it ends. */
export class First {
  private over = false

  constructor(
    private readonly env: Env,
    private readonly ledger: Ledger,
    private readonly log: Log,
    private readonly once: Once,
    private readonly apiKey: string,
    private readonly ended: () => void,
  ) {}

  /**
   * It was charged, and this is its answer; null: a stream, which cannot be given again. Durable when it resolves.
   * @returns whether the answer can be fetched from now on
   * @throws HubError when another request took the key, since this hub was thought dead: this one is given back
   */
  async keep(answer: KeptAnswer | null): Promise<boolean> {
    const { id, requestId } = this.once
    const kept =
      answer && Buffer.byteLength(answer.body) <= MOST_KEPT_BYTES ? seal(this.env, this.apiKey, id, answer) : null
    try {
      if (await this.ledger.keep(this.once, kept, this.env.now() + KEPT_MS)) return kept !== null
    } catch (error) {
      // It is charged, and so its client gets it; only fetching it again is not promised.
      const level = error instanceof HubError ? 'warn' : 'error'
      this.log[level]('an answer could not be kept', { request: requestId, error: String(error) })
      return false
    } finally {
      this.end()
    }
    this.ledger.refund(requestId)
    throw new HubError('idempotency_in_progress', 'Another request took this Idempotency-Key. Try again in a moment.')
  }

  /** It ended without an answer: the next one with the key is the first again. */
  forget(): void {
    if (this.over) return
    this.ledger.forget(this.once)
    this.end()
  }

  private end(): void {
    this.over = true
    this.ended()
  }
}

function unreadable(cause: unknown): never {
  const message = 'The hub cannot read its books just now. Nothing more was billed. Try again in a moment.'
  throw new HubError('hub_unavailable', message, { cause })
}

function sha256(text: string): string {
  return Bun.CryptoHasher.hash('sha256', text, 'hex')
}
