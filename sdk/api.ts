// The platform API under /api/v1, as schemas: the hub builds its routes and its OpenAPI document from them, and a test
// holds the published interfaces (account.ts, receipts.ts) equal to them. Conventions: camelCase; amounts of money as
// decimal strings, once for people (USD) and once for programs (whole nano-dollars); times as ISO 8601 in UTC; every
// list is paged. Errors are those of codes.ts.
import { type Static, type TSchema, Type } from '@sinclair/typebox'

const text = (description: string, maxLength = 200) => Type.String({ description, maxLength })
const time = (description: string) =>
  Type.String({ description: `${description} ISO 8601, UTC.`, examples: ['2026-11-23T10:00:00.000Z'] })
const usd = (description: string) =>
  Type.String({ description: `${description} USD, decimal.`, pattern: '^-?\\d+\\.\\d{2,9}$', examples: ['0.000131'] })
const nanos = (description: string) =>
  Type.String({
    description: `${description} Whole nano-dollars (10⁻⁹ USD).`,
    pattern: '^-?\\d+$',
    examples: ['131000'],
  })
const price = (description: string) =>
  Type.String({ description: `${description} USD per million tokens, decimal.`, examples: ['0.10'] })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const most = (description: string) =>
  Type.Integer({
    minimum: 0,
    maximum: 1_000_000_000,
    description: `${description} 0: no limit. Default: as the hub says for all.`,
  })
const orNull = <T extends TSchema>(schema: T, description: string) => Type.Union([schema, Type.Null()], { description })
// A union made from an array loses its type where schemas are decoded; said outright, it stays.
const oneOf = <const T extends string>(values: readonly T[], description: string) =>
  Type.Unsafe<T>(
    Type.Union(
      values.map((value) => Type.Literal(value)),
      { description },
    ),
  )

/** A page of a list. `next` is null on the last one; otherwise it goes into the next request as `before`. */
export const page = <T extends TSchema>(item: T) =>
  Type.Object({
    data: Type.Array(item),
    next: Type.Union([Type.String({ maxLength: 200 }), Type.Null()], {
      description: 'Opaque. Send it as `before` for the next page; null: this was the last one.',
    }),
  })

/** What `page` describes. */
export interface Page<T> {
  data: T[]
  next: string | null
}

/** The query of every paged list. */
export const PageQuery = Type.Object({
  limit: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 200, default: 50, description: 'Rows on a page at most. Default 50.' }),
  ),
  before: Type.Optional(text('The `next` of the page before.')),
})
export type PageQuery = Static<typeof PageQuery>

/** `GET /api/v1/me`: who the key speaks for. */
export const Me = Type.Object({
  id: text('The user.'),
  email: text('Where the hub writes to.', 320),
  roles: Type.Array(oneOf(['client', 'host', 'admin'], 'What the user may do.')),
  keyId: orNull(Type.String(), 'The API key this request came with; null: it came with a session.'),
})
export type Me = Static<typeof Me>

/** `GET /api/v1/balance`. `balance` = `available` + `held`. */
export const Balance = Type.Object({
  balance: usd('What the account owns.'),
  balanceNanos: nanos('What the account owns.'),
  available: usd('What new requests can spend now.'),
  availableNanos: nanos('What new requests can spend now.'),
  held: usd('Set aside for requests that are running; what they do not cost comes back when they end.'),
  heldNanos: nanos('Set aside for requests that are running.'),
  currency: Type.Literal('USD'),
})
export type Balance = Static<typeof Balance>

export const UsageQuery = Type.Composite([
  PageQuery,
  Type.Object({
    from: Type.Optional(text('First moment counted: a UTC day (`2026-11-01`) or a time. Default: 30 days ago.', 40)),
    to: Type.Optional(text('First moment not counted any more, as `from`. Default: now.', 40)),
    group: Type.Optional(oneOf(['day', 'model', 'key'], 'What a row stands for. Default: day.')),
  }),
])
export type UsageQuery = Static<typeof UsageQuery>

/** One row of `GET /api/v1/usage`: what was charged for, so completed and cancelled requests. */
export const UsageRow = Type.Object({
  group: text('The UTC day (`2026-11-23`), the variant (`Qwen/Qwen3-8B:fp8`) or the id of the key.'),
  label: text('The same for people: the name of the key; otherwise equal to `group`.'),
  requests: count('Requests charged.'),
  promptTokens: count('Tokens of their prompts.'),
  completionTokens: count('Tokens of their answers.'),
  costNanos: nanos('What they cost.'),
  cost: usd('What they cost.'),
})
export type UsageRow = Static<typeof UsageRow>
export const UsagePage = page(UsageRow)

/** The signed record of one request that has ended. What is signed, and how: receipts.ts. */
export const Receipt = Type.Object({
  id: text('The `x-request-id` of the answer.'),
  at: time('When the request was admitted.'),
  endedAt: time('When it ended.'),
  model: text('Variant that answered, e.g. `Qwen/Qwen3-8B:fp8`.'),
  precision: text('Precision of its weights, e.g. `fp8`.', 40),
  state: oneOf(
    ['completed', 'cancelled', 'failed', 'lost'],
    'How it ended. Completed and cancelled requests are charged; failed and lost ones never.',
  ),
  stream: Type.Boolean({ description: 'The answer was streamed.' }),
  promptTokens: count('Tokens of the prompt, chat template included, counted by the hub.'),
  completionTokens: count('Tokens of the answer, counted by the hub.'),
  pricePrompt: price('Price of the prompt, fixed when the request was admitted.'),
  priceCompletion: price('Price of the answer, fixed when the request was admitted.'),
  costNanos: nanos('What the client paid. `feeNanos` + `hostShareNanos`.'),
  cost: usd('What the client paid.'),
  feeNanos: nanos('The part of the cost the hub keeps.'),
  hostShareNanos: nanos('The part of the cost the host earned.'),
  attempts: count('Hosts that were asked until one finished.'),
  resumed: count('How often the answer went on with another host after it had begun.'),
  host: orNull(Type.String(), 'The host that finished. Opaque: the same host has the same name in all your receipts.'),
  finishReason: orNull(Type.String(), 'As in the answer: `stop`, `length`, `tool_calls`; null: it did not finish.'),
  firstTokenMs: orNull(Type.Integer({ minimum: 0 }), 'Milliseconds from admission to the first token sent.'),
  refunded: Type.Boolean({ description: 'The cost was given back later.' }),
  signature: Type.Object({
    keyId: text('Which of `GET /api/v1/receipts/keys` signed.'),
    algorithm: Type.Literal('ed25519'),
    value: text('The 64 bytes of the signature, base64.', 88),
  }),
})
export type Receipt = Static<typeof Receipt>
export const ReceiptPage = page(Receipt)

/** One row of `GET /api/v1/receipts/keys`, public, old keys included. */
export const ReceiptKey = Type.Object({
  id: text('As in `signature.keyId`.'),
  algorithm: Type.Literal('ed25519'),
  publicKey: text('The 32 raw bytes of the public key, base64.', 44),
})
export type ReceiptKey = Static<typeof ReceiptKey>
export const ReceiptKeyPage = page(ReceiptKey)

/** One row of `GET /api/v1/prices`, public: what a request admitted now would pay. */
export const VariantPrice = Type.Object({
  id: text('What to send as `model` for exactly this variant, e.g. `Qwen/Qwen3-8B:fp8`.'),
  model: text('The model, e.g. `Qwen/Qwen3-8B`.'),
  precision: text('Precision of the weights, e.g. `fp8`.', 40),
  prompt: price('Of the prompt.'),
  completion: price('Of the answer.'),
  promptPicos: count('The same, in whole pico-dollars (10⁻¹² USD) per token.'),
  completionPicos: count('The same, in whole pico-dollars (10⁻¹² USD) per token.'),
  hostsOnline: count('Hosts ready to serve it.'),
})
export type VariantPrice = Static<typeof VariantPrice>
export const PricePage = page(VariantPrice)

/** What a key may spend, and has spent since it has limits of its own. */
export const KeyBudget = Type.Object({
  limit: usd('What it may spend.'),
  limitNanos: nanos('What it may spend.'),
  spent: usd('What it has spent.'),
  spentNanos: nanos('What it has spent.'),
})
export type KeyBudget = Static<typeof KeyBudget>

/** One row of `GET /api/v1/keys`: the keys that work. */
export const Key = Type.Object({
  id: text('For `DELETE /api/v1/keys/{id}`.'),
  name: text('Given by its owner.', 80),
  hint: text('The last four characters of the key, to recognise it by.', 20),
  createdAt: time('When it was made.'),
  requestsPerMinute: orNull(count(''), 'Requests a minute it may begin; 0: no limit; null: as the hub says for all.'),
  tokensPerMinute: orNull(count(''), 'Tokens a minute it may use; 0 and null as above.'),
  concurrency: orNull(count(''), 'Requests it may have in progress at a time; 0 and null as above.'),
  budget: orNull(KeyBudget, 'The most it may ever spend; null: as much as the account has.'),
  expiresAt: orNull(time('From then on it is refused.'), 'From then on it is refused; null: never.'),
  models: orNull(
    Type.Array(Type.String()),
    'What it may ask for: a model (`Qwen/Qwen3-8B`) in every precision, a variant (`Qwen/Qwen3-8B:fp8`) in that one; null: everything.',
  ),
})
export type Key = Static<typeof Key>
export const KeyPage = page(Key)

/** `POST /api/v1/keys`. */
export const NewKey = Type.Object({
  name: Type.String({ minLength: 1, maxLength: 80, description: 'To tell keys apart.' }),
  requestsPerMinute: Type.Optional(most('Requests a minute it may begin.')),
  tokensPerMinute: Type.Optional(most('Tokens a minute it may use.')),
  concurrency: Type.Optional(most('Requests it may have in progress at a time.')),
  budget: Type.Optional(
    Type.String({
      description: 'The most it may ever spend. USD, decimal.',
      pattern: '^\\d{1,9}(\\.\\d{1,9})?$',
      examples: ['5.00'],
    }),
  ),
  expiresAt: Type.Optional(text('From then on it is refused. ISO 8601.', 40)),
  models: Type.Optional(
    Type.Array(Type.String({ maxLength: 200 }), {
      description: 'What it may ask for: ids of models, in every precision, or of variants. Left out: everything.',
      minItems: 1,
      maxItems: 50,
      examples: [['Qwen/Qwen3-8B']],
    }),
  ),
})
export type NewKey = Static<typeof NewKey>

/** The answer to `POST /api/v1/keys`. */
export const CreatedKey = Type.Composite([
  Key,
  Type.Object({ key: text('The key itself. It is shown this once: the hub keeps only its hash.') }),
])
export type CreatedKey = Static<typeof CreatedKey>

/** The answer to `DELETE /api/v1/keys/{id}`. */
export const DeletedKey = Type.Object({ id: text('The key that no longer works.'), deleted: Type.Literal(true) })
export type DeletedKey = Static<typeof DeletedKey>

/** One row of `GET /api/v1/licences`: the terms of one model on offer, and whether the caller has agreed to them. */
export const Licence = Type.Object({
  model: text('The model, e.g. `meta-llama/Llama-3.1-8B-Instruct`.'),
  license: text('SPDX name of the licence.'),
  licenseUrl: text('Its text.', 500),
  licenseClass: oneOf(
    ['permissive', 'restricted'],
    'Restricted models answer 403 `license_not_acknowledged` until their licence is acknowledged.',
  ),
  baseModel: orNull(Type.String(), 'The model it derives from.'),
  baseLicense: orNull(Type.String(), 'The licence of that model, which binds too.'),
  attribution: Type.Array(Type.String(), { description: 'What to show where its output is used.' }),
  aupUrl: orNull(Type.String(), 'Its acceptable use policy.'),
  statements: Type.Array(
    Type.Object({ id: text('Send this to confirm it.'), text: text('What you confirm.', 2_000) }),
    {
      description: 'What has to be confirmed to acknowledge the licence.',
    },
  ),
  acknowledgementRequired: Type.Boolean(),
  acknowledgedAt: orNull(Type.String(), 'When the caller acknowledged the current text; null: not yet. ISO 8601, UTC.'),
})
export type Licence = Static<typeof Licence>
export const LicencePage = page(Licence)

/** `POST /api/v1/models/{id}/license/acknowledge`; the answer is the `Licence`. `{id}` is URL-encoded, slash included. */
export const Acknowledgement = Type.Object({
  statements: Type.Optional(
    Type.Array(Type.String({ maxLength: 80 }), { maxItems: 20, description: 'The id of every statement confirmed.' }),
  ),
})
export type Acknowledgement = Static<typeof Acknowledgement>
