// `GET /api/v1/catalog`: what a host needs to know of every variant before it downloads a byte. Written for gpuhost, open
// to anybody.
import { type Static, type TSchema, Type } from '@sinclair/typebox'

const text = (description: string, maxLength = 200) => Type.String({ description, maxLength })
const orNull = <T extends TSchema>(schema: T, description: string) => Type.Union([schema, Type.Null()], { description })
const count = (description: string) => Type.Integer({ minimum: 0, description })
const price = (description: string) => Type.String({ description: `${description} USD per million tokens, decimal.` })

export const CatalogVariant = Type.Object({
  id: text('The variant, e.g. `Qwen/Qwen3-8B:fp8`: what a host offers.'),
  model: text('Its model.'),
  name: text('As people call it.'),
  precision: text('How its weights are stored.', 40),
  isDefault: Type.Boolean({ description: 'Meant when the model is named without a precision.' }),
  onOffer: Type.Boolean({ description: 'This hub sells it now.' }),
  whyNot: orNull(Type.String({ maxLength: 300 }), 'Why it is not on offer; null: it is.'),
  parameters: Type.Object({ total: count('Of the model.'), active: count('Of them at work for one token.') }),
  repo: text('The weights: a HuggingFace repository …'),
  revision: orNull(
    Type.String({ maxLength: 64 }),
    '… at this commit; null: not pinned, the newest when it is downloaded.',
  ),
  weightBytes: orNull(
    Type.Integer({ minimum: 0 }),
    'Size of the download, bytes: counted where the publisher says it, else estimated from above; null: not known.',
  ),
  minVramGb: count('Least memory of its GPUs together, GiB as cards are sold, with a small cache.'),
  minComputeCapability: orNull(
    Type.String({ maxLength: 10 }),
    'Least NVIDIA compute capability, e.g. "8.9"; null: any processor, with an engine of the owner’s own.',
  ),
  contextTokens: count('Longest prompt plus answer.'),
  maxOutputTokens: count('Longest answer.'),
  minTokensPerSecond: Type.Optional(
    count('Least tokens a second a host has to give one request alone; absent: an older hub, which asks for none.'),
  ),
  args: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 64, description: 'Flags of vLLM beyond the model.' }),
  gated: orNull(Type.Boolean(), 'Each host has to accept its publisher’s terms on HuggingFace first; null: not known.'),
  license: text('SPDX name of the licence.'),
  licenseUrl: text('Its text.', 500),
  baseModel: orNull(Type.String({ maxLength: 200 }), 'The model it derives from.'),
  baseLicense: orNull(Type.String({ maxLength: 200 }), 'The licence of that model, which binds too.'),
  aupUrl: orNull(Type.String({ maxLength: 500 }), 'Its acceptable use policy.'),
  attribution: Type.Array(Type.String({ maxLength: 500 }), { maxItems: 20, description: 'What has to be shown.' }),
  statements: Type.Array(Type.Object({ id: text('Of the statement.', 80), text: text('What is confirmed.', 2_000) }), {
    maxItems: 20,
    description: 'What a host confirms before it serves the model.',
  }),
  terms: orNull(Type.String({ maxLength: 64 }), 'Names the exact terms to acknowledge first; null: none.'),
  pricePrompt: price('The price of a prompt token now.'),
  priceCompletion: price('The price of an answered token now.'),
  hostsOnline: count('Hosts that serve it now.'),
})
export type CatalogVariant = Static<typeof CatalogVariant>

export const CatalogPage = Type.Object({
  data: Type.Array(CatalogVariant, { maxItems: 200 }),
  next: orNull(Type.String({ maxLength: 200 }), 'Opaque. Send it as `before` for the next page; null: the last one.'),
  feePpm: count('The platform’s share of what clients pay, parts per million.'),
  network: Type.Object(
    {
      downMbits: Type.Number({ description: 'Mbit/s.' }),
      upMbits: Type.Number({ description: 'Mbit/s.' }),
      roundTripMs: Type.Number({ description: 'Milliseconds.' }),
    },
    { description: 'The least a host’s connection has to do.' },
  ),
})
export type CatalogPage = Static<typeof CatalogPage>
