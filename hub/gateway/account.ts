// What an account can ask about itself and do for itself: the answers of the platform API.
import type {
  Balance,
  CreatedKey,
  DeletedKey,
  Key as KeyRow,
  Licence,
  Me,
  NewKey,
  Page,
  PageQuery,
  Receipt,
  ReceiptKey,
  UsageQuery,
  UsageRow,
  VariantPrice,
} from '../../sdk/api.ts'
import type { Env } from '../../sdk/env.ts'
import { type Money, parseUsd, usdDecimal as usd, usdPerMillion } from '../../sdk/money.ts'
import { receiptText } from '../../sdk/receipts.ts'
import { findOffer, type Offer } from '../catalog/find.ts'
import { effectiveClass } from '../catalog/licence.ts'
import type { ModelRecord } from '../catalog/records.ts'
import { HubError } from '../errors.ts'
import { allowancesOf, type KeyAllowance } from '../identity/allowances.ts'
import { keyModelsFrom, requireModel } from '../identity/key-models.ts'
import { addKey, type Key, listKeys, revokeKey } from '../identity/keys.ts'
import { acknowledge, listAcknowledgements } from '../identity/licences.ts'
import { userById } from '../identity/users.ts'
import { type RequestRow, requestOf, requestsOf, usageOf } from '../ledger/receipts.ts'
import type { Platform } from './platform.ts'
import type { Holder } from './whose.ts'

/** Who asks, and the hub that answers. */
export interface Account extends Platform {
  bearer: Holder
}

const DEFAULT_PAGE = 50
const DAY_MS = 24 * 60 * 60 * 1_000

export async function me({ db, bearer }: Account): Promise<Me> {
  const user = await userById(db, bearer.userId)
  if (!user) throw notFound()
  return { id: user.id, email: user.email, roles: user.roles, keyId: bearer.keyId }
}

export async function balance({ ledger, bearer }: Account): Promise<Balance> {
  const { balance: all, available, held } = await ledger.spendable(bearer.account)
  return {
    balance: usd(all),
    balanceNanos: String(all),
    available: usd(available),
    availableNanos: String(available),
    held: usd(held),
    heldNanos: String(held),
    currency: 'USD',
  }
}

export async function usage({ env, db, bearer }: Account, query: UsageQuery): Promise<Page<UsageRow>> {
  const { group = 'day', limit = DEFAULT_PAGE, before = null } = query
  const to = instant('to', query.to) ?? env.now() + 1
  const from = instant('from', query.from) ?? to - 30 * DAY_MS
  const rows = await usageOf(db, bearer.userId, { from, to, group, limit, before })
  const names = group === 'key' ? await keyNames(db, bearer) : new Map<string, string>()
  const data = rows.map(({ cost, ...row }) => ({
    ...row,
    label: names.get(row.group) ?? row.group,
    cost: usd(cost),
    costNanos: String(cost),
  }))
  return paged(data, limit, (row) => row.group)
}

export async function receipts(account: Account, { limit = DEFAULT_PAGE, before }: PageQuery): Promise<Page<Receipt>> {
  const rows = await requestsOf(account.db, account.bearer.userId, { limit, before: before ?? null })
  return paged(
    rows.map((row) => signedReceipt(account, row)),
    limit,
    (row) => row.id,
  )
}

export async function receipt(account: Account, id: string): Promise<Receipt> {
  const row = await requestOf(account.db, account.bearer.userId, id)
  if (!row) throw notFound()
  return signedReceipt(account, row)
}

export function receiptKeys({ seal }: Platform): Page<ReceiptKey> {
  return { data: [{ id: seal.keyId, algorithm: 'ed25519', publicKey: seal.publicKey }], next: null }
}

export function prices(
  { offers, prices: book, turns }: Platform,
  { limit = DEFAULT_PAGE, before }: PageQuery,
): Page<VariantPrice> {
  const rows = offers.all().map((offer) => {
    const price = book.current(offer)
    return {
      id: offer.id,
      model: offer.model.id,
      precision: offer.variant.precision,
      prompt: usdPerMillion(price.prompt),
      completion: usdPerMillion(price.completion),
      promptPicos: price.prompt,
      completionPicos: price.completion,
      hostsOnline: turns.count(offer.id),
    }
  })
  return slice(rows, limit, before, (row) => row.id)
}

export async function keys(
  { db, bearer }: Account,
  { limit = DEFAULT_PAGE, before }: PageQuery,
): Promise<Page<KeyRow>> {
  const rows = (await listKeys(db, { userId: bearer.userId, limit: 1_000 })).filter((key) => key.revokedAt === null)
  const page = slice(rows, limit, before, (row) => row.id)
  const allowances = await allowancesOf(
    db,
    page.data.map(({ id }) => id),
  )
  return { data: page.data.map((key) => keyRow(key, allowances.get(key.id))), next: page.next }
}

export async function createKey({ env, db, bearer }: Account, { name, ...wish }: NewKey): Promise<CreatedKey> {
  assertUnlimited(bearer)
  const { budget, expiresAt, models, ...counts } = wish
  const allowance = {
    ...counts,
    ...(budget === undefined ? {} : { budget: parseUsd(budget) }),
    ...(expiresAt === undefined ? {} : { expiresAt: timeToCome(env, 'expiresAt', expiresAt) }),
    ...(models === undefined ? {} : { models: keyModelsFrom(models) }),
  }
  const key = await addKey(env, db, { userId: bearer.userId, name, allowance })
  return { ...keyRow(key, allowance), key: key.key }
}

export async function deleteKey({ env, db, bearer }: Account, id: string): Promise<DeletedKey> {
  assertUnlimited(bearer)
  if (!(await revokeKey(env, db, { id, userId: bearer.userId }))) throw notFound()
  return { id, deleted: true }
}

export async function licences(account: Account, { limit = DEFAULT_PAGE, before }: PageQuery): Promise<Page<Licence>> {
  const agreed = await agreements(account)
  const models = [...new Map(account.offers.all().map((offer) => [offer.model.id, offer])).values()]
  return slice(
    models.map((offer) => licenceRow(offer, agreed)),
    limit,
    before,
    (row) => row.model,
  )
}

/** `path`: what follows `/api/v1/models/`; the id in it may be encoded or raw. */
export async function acknowledgeLicence(account: Account, path: string, statements: string[]): Promise<Licence> {
  const id = /^(.+)\/license\/acknowledge$/.exec(path)?.[1]
  const offer = id === undefined ? null : findOffer(decodeURIComponent(id))
  if (!offer) throw notFound()
  const { model, terms } = offer
  requireModel(account.bearer.models, offer, id ?? model.id)
  if (terms !== null) {
    const missing = model.statements.filter((statement) => !statements.includes(statement.id))
    if (missing.length > 0) {
      const list = missing.map((statement) => `"${statement.id}" (${statement.text})`).join(', ')
      throw new HubError('invalid_request', `Confirm by sending these in "statements": ${list}.`, {
        param: 'statements',
      })
    }
    const confirmed = model.statements.map((statement) => statement.text)
    await acknowledge(account.env, account.db, {
      userId: account.bearer.userId,
      model: model.id,
      licence: terms,
      statements: confirmed,
    })
  }
  return licenceRow(offer, await agreements(account))
}

function signedReceipt({ seal, nameHost, bearer }: Account, row: RequestRow): Receipt {
  const unsigned = {
    id: row.id,
    at: new Date(row.at).toISOString(),
    endedAt: new Date(row.endedAt).toISOString(),
    model: row.variant,
    precision: findOffer(row.variant)?.variant.precision ?? 'unknown',
    state: row.state,
    stream: row.stream,
    promptTokens: row.promptTokens,
    completionTokens: row.completionTokens,
    pricePrompt: usdPerMillion(row.promptPicos),
    priceCompletion: usdPerMillion(row.completionPicos),
    costNanos: String(row.cost),
    cost: usd(row.cost),
    feeNanos: String(row.fee),
    hostShareNanos: String(row.hostShare),
    attempts: row.attempts,
    resumed: row.resumed,
    host: row.hostId === null ? null : nameHost(row.hostId, bearer.account),
    finishReason: row.finishReason,
    firstTokenMs: row.firstTokenMs,
    refunded: row.state === 'lost',
  }
  return {
    ...unsigned,
    signature: { keyId: seal.keyId, algorithm: 'ed25519', value: seal.sign(receiptText(unsigned)) },
  }
}

type Agreed = Map<string, number>

async function agreements({ db, bearer }: Account): Promise<Agreed> {
  const rows = await listAcknowledgements(db, bearer.userId)
  return new Map(rows.map((row) => [agreementKey(row.model, row.licence), row.at]))
}

function agreementKey(model: string, terms: string): string {
  return `${model} ${terms}`
}

function licenceRow({ model, terms }: Offer, agreed: Agreed): Licence {
  const at = terms === null ? undefined : agreed.get(agreementKey(model.id, terms))
  return {
    model: model.id,
    license: model.licence.name,
    licenseUrl: model.licence.url,
    licenseClass: licenceClass(model),
    baseModel: model.bases[0]?.id ?? null,
    baseLicense: model.bases[0]?.licence ?? null,
    attribution: model.attribution,
    aupUrl: model.aupUrl,
    statements: model.statements,
    acknowledgementRequired: terms !== null,
    acknowledgedAt: at === undefined ? null : new Date(at).toISOString(),
  }
}

export function licenceClass(model: ModelRecord): 'permissive' | 'restricted' {
  return effectiveClass(model) === 'A' ? 'permissive' : 'restricted'
}

async function keyNames(db: Account['db'], { userId }: Holder): Promise<Map<string, string>> {
  return new Map((await listKeys(db, { userId, limit: 1_000 })).map((key) => [key.id, key.name]))
}

function keyRow(key: Key, allowance: Partial<KeyAllowance & { spent: Money }> = {}): KeyRow {
  const { requestsPerMinute = null, tokensPerMinute = null, concurrency = null } = allowance
  const { budget = null, spent = 0n, expiresAt = null, models = null } = allowance
  return {
    id: key.id,
    name: key.name,
    hint: key.hint,
    createdAt: new Date(key.createdAt).toISOString(),
    requestsPerMinute,
    tokensPerMinute,
    concurrency,
    budget:
      budget === null
        ? null
        : { limit: usd(budget), limitNanos: String(budget), spent: usd(spent), spentNanos: String(spent) },
    expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    models,
  }
}

/** A key with limits could otherwise make itself one without. */
function assertUnlimited({ limited }: Holder): void {
  if (!limited) return
  throw new HubError(
    'key_not_allowed',
    'This key has limits of its own, so it may not make or revoke keys. Use one without, or the dashboard.',
  )
}

function timeToCome(env: Env, name: string, text: string): number {
  const at = Date.parse(text)
  if (at > env.now()) return at
  throw new HubError('invalid_request', `'${name}' is not a time to come. Write it like 2027-01-31T12:00:00Z.`, {
    param: name,
  })
}

function instant(name: 'from' | 'to', text: string | undefined): number | null {
  if (text === undefined) return null
  const at = Date.parse(text)
  if (Number.isNaN(at))
    throw new HubError(
      'invalid_request',
      `'${name}' is not a time. Write it like 2026-11-01 or 2026-11-01T12:00:00Z.`,
      { param: name },
    )
  return at
}

function paged<T>(data: T[], limit: number, mark: (row: T) => string): Page<T> {
  return { data, next: data.length === limit ? mark(data[data.length - 1]!) : null }
}

/** A page of a list that is short enough to be made whole. */
export function slice<T>(rows: T[], limit: number, before: string | undefined, mark: (row: T) => string): Page<T> {
  const start = before === undefined ? 0 : rows.findIndex((row) => mark(row) === before) + 1
  const data = rows.slice(start, start + limit)
  return { data, next: start + limit < rows.length ? mark(data[data.length - 1]!) : null }
}

function notFound(): HubError {
  return new HubError('not_found', 'There is nothing like that in this account.')
}
