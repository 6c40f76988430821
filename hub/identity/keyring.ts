// Who a presented key belongs to, on the path of every request. Answers come from memory, yet a key that any process
// revoked is refused within a second, without a message bus: what is used is read again all the time, and what was not
// confirmed by the database within the last second is read before it is believed.
import { and, eq, inArray, isNull, or } from 'drizzle-orm'
import type { Db } from '../../db/open.ts'
import type { AcceptedTerms } from '../../db/schema/people.ts'
import type { Cancel, Env } from '../../sdk/env.ts'
import type { Money } from '../../sdk/money.ts'
import { HubError } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Allowance, NO_ALLOWANCE, saysSomething } from './allowances.ts'
import type { KeyModels } from './key-models.ts'
import { KEY_PREFIX } from './keys.ts'
import { licenceMark } from './licences.ts'
import { hashSecret, looksLikeSecret } from './secret.ts'
import { clientAccount } from './users.ts'

/** Who carries a valid key. */
export interface Bearer {
  keyId: string
  userId: string
  /** The ledger account that pays. */
  account: string
  suspended: boolean
  suspendedFor: string | null
  /** The newest terms they accepted, by role; null: the team added them, and they were never asked. */
  terms: AcceptedTerms | null
  /** Licences agreed to, as `licenceMark(model, licence)`. */
  acknowledged: ReadonlySet<string>
  /** The key may do less, or more, than others of its account. */
  limited: boolean
  allowance: { key: Allowance; account: Allowance }
  /** Null: the key may spend what its account has. */
  budget: Budget | null
  /** From then on the key is no longer valid; wall clock. */
  expiresAt: number | null
  models: KeyModels
}

export interface Budget {
  limit: Money
  spent: Money
  /** Monotonic: all that was charged before is in `spent`. */
  readAt: number
}

const REFRESH_MS = 400
/** The promise is one second from the revocation to its effect; a confirmation counts from before it was asked for. */
const BELIEVED_MS = 950
const ANSWER_MS = 5_000
const MOST_KNOWN = 100_000
const MOST_UNKNOWN = 10_000
const MOST_WAITING = 10_000
const CHUNK = 500

interface Entry {
  bearer: Bearer
  confirmedAt: number
}

interface Waiting {
  promise: Promise<Bearer | null>
  resolve: (bearer: Bearer | null) => void
  reject: (error: unknown) => void
}

export class Keyring {
  /** By hash; the least recently confirmed first. */
  private readonly known = new Map<string, Entry>()
  /** Hashes that belong to no valid key, and since when we know. */
  private readonly unknown = new Map<string, number>()
  private readonly used = new Set<string>()
  private readonly waiting = new Map<string, Waiting>()
  private reading = false
  private refresh: Cancel | null = null
  private closed = false

  constructor(private readonly world: { env: Env; db: Db; log: Log }) {}

  /**
   * @returns who carries `secret`, or null when it is no valid key; at once whenever the database confirmed it lately.
   * @throws HubError `hub_unavailable` when nobody can tell: never a stale yes.
   */
  find(secret: string): Bearer | null | Promise<Bearer | null> {
    // A flood of made-up keys ends here.
    if (!looksLikeSecret(KEY_PREFIX, secret)) return null
    const hash = hashSecret(secret)
    const now = this.world.env.mono()
    const entry = this.known.get(hash)
    if (entry && now - entry.confirmedAt < BELIEVED_MS) {
      this.use(hash)
      return this.unexpired(entry.bearer)
    }
    const unknownSince = this.unknown.get(hash)
    if (unknownSince !== undefined && now - unknownSince < BELIEVED_MS) return null
    return this.ask(hash)
  }

  /** As `find`, from the database: before refusing somebody for what may have changed a moment ago. */
  async findFresh(secret: string): Promise<Bearer | null> {
    return looksLikeSecret(KEY_PREFIX, secret) ? this.ask(hashSecret(secret)) : null
  }

  close(): void {
    this.closed = true
    this.refresh?.()
  }

  private unexpired(bearer: Bearer | null): Bearer | null {
    const expiresAt = bearer?.expiresAt ?? null
    return expiresAt !== null && expiresAt <= this.world.env.now() ? null : bearer
  }

  private use(hash: string): void {
    this.used.add(hash)
    if (!this.closed) this.refresh ??= this.world.env.timer(REFRESH_MS, () => void this.refreshUsed())
  }

  /** Requests that ask for the same key share one question, and all that wait share one query. */
  private ask(hash: string): Promise<Bearer | null> {
    const asked = this.waiting.get(hash)
    if (asked) return asked.promise
    if (this.waiting.size >= MOST_WAITING) throw unavailable(new Error('too many keys wait to be looked up'))
    const waiting = Promise.withResolvers<Bearer | null>()
    this.waiting.set(hash, waiting)
    void this.readWaiting()
    return waiting.promise
  }

  private async readWaiting(): Promise<void> {
    if (this.reading) return
    this.reading = true
    while (this.waiting.size > 0) {
      const batch = [...this.waiting].slice(0, CHUNK)
      // Who asks from here on waits for the next query: this one may not see what they know has happened.
      for (const [hash] of batch) this.waiting.delete(hash)
      try {
        const found = await this.read(batch.map(([hash]) => hash))
        for (const [hash, { resolve }] of batch) resolve(this.unexpired(found.get(hash) ?? null))
        for (const hash of found.keys()) this.use(hash)
      } catch (error) {
        for (const [, { reject }] of batch) reject(unavailable(error))
      }
    }
    this.reading = false
  }

  private async refreshUsed(): Promise<void> {
    const hashes = [...this.used]
    this.used.clear()
    try {
      for (let at = 0; at < hashes.length; at += CHUNK) await this.read(hashes.slice(at, at + CHUNK))
    } catch (error) {
      // What could not be confirmed is read again before it is believed.
      this.world.log.warn('keys.refresh_failed', { error: String(error) })
    }
    this.refresh = null
    for (const hash of this.used) this.use(hash)
  }

  /** Reads these keys and remembers the answer. */
  private async read(hashes: string[]): Promise<Map<string, Bearer>> {
    const { env, db } = this.world
    const askedAt = env.mono()
    const found = await within(env, ANSWER_MS, bearers(db, hashes, askedAt))
    for (const hash of hashes) {
      const bearer = found.get(hash)
      this.known.delete(hash)
      this.unknown.delete(hash)
      if (bearer) remember(this.known, hash, { bearer, confirmedAt: askedAt }, MOST_KNOWN)
      else remember(this.unknown, hash, askedAt, MOST_UNKNOWN)
    }
    return found
  }
}

/** The valid keys among `hashes`, with all that decides about them, in one statement and so as of one instant. */
async function bearers(db: Db, hashes: string[], readAt: number): Promise<Map<string, Bearer>> {
  const { keys, users, acknowledgements, limits } = db.tables
  const rows = await db.query
    .select({
      hash: keys.hash,
      keyId: keys.id,
      userId: keys.userId,
      suspendedAt: users.suspendedAt,
      suspendedFor: users.suspendedFor,
      terms: users.terms,
      model: acknowledgements.model,
      licence: acknowledgements.licence,
      limits,
    })
    .from(keys)
    .innerJoin(users, eq(users.id, keys.userId))
    .leftJoin(acknowledgements, eq(acknowledgements.userId, keys.userId))
    .leftJoin(limits, or(eq(limits.subject, keys.id), eq(limits.subject, keys.userId)))
    .where(and(inArray(keys.hash, hashes), isNull(keys.revokedAt)))
  const found = new Map<string, Bearer & { acknowledged: Set<string> }>()
  for (const { hash, keyId, userId, suspendedAt, suspendedFor, terms, model, licence, limits: limit } of rows) {
    const bearer = found.get(hash) ?? {
      keyId,
      userId,
      account: clientAccount(userId),
      suspended: suspendedAt !== null,
      suspendedFor,
      terms,
      acknowledged: new Set<string>(),
      limited: false,
      allowance: { key: NO_ALLOWANCE, account: NO_ALLOWANCE },
      budget: null,
      expiresAt: null,
      models: null,
    }
    if (limit?.subject === userId) bearer.allowance.account = limit
    else if (limit) {
      bearer.limited = saysSomething(limit)
      bearer.allowance.key = limit
      bearer.expiresAt = limit.expiresAt
      bearer.models = limit.models && new Set(limit.models)
      bearer.budget = limit.budget === null ? null : { limit: limit.budget, spent: limit.spent, readAt }
    }
    if (model !== null && licence !== null) bearer.acknowledged.add(licenceMark(model, licence))
    found.set(hash, bearer)
  }
  return found
}

/** Puts `key` last, and lets the first go when there are too many. */
function remember<V>(map: Map<string, V>, key: string, value: V, most: number): void {
  map.set(key, value)
  if (map.size <= most) return
  const [oldest] = map.keys()
  if (oldest !== undefined) map.delete(oldest)
}

function within<T>(env: Env, ms: number, work: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = env.timer(ms, () => reject(new Error(`the database did not answer within ${ms} ms`)))
    work.then(resolve, reject).finally(cancel)
  })
}

function unavailable(cause: unknown): HubError {
  return new HubError('hub_unavailable', 'The hub cannot check API keys right now. Try again in a few seconds.', {
    cause,
  })
}
