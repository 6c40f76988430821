import { expect, test } from 'bun:test'
import { Value } from '@sinclair/typebox/value'
import { CatalogPage } from '../../sdk/catalog.ts'
import { startHub } from '../testing.ts'

test('the catalog has every variant, with what a host needs to know, for anybody', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const answer = await hub.as('ada').fetch('/api/v1/catalog?limit=200', { headers: { authorization: '' } })
  const body: unknown = await answer.json()
  expect(Value.Errors(CatalogPage, body).First()).toBeUndefined()
  const { data, next, feePpm, network } = body as CatalogPage
  expect(next).toBeNull()
  expect({ feePpm, network }).toEqual({
    feePpm: 150_000,
    network: { downMbits: 20, upMbits: 5, roundTripMs: 60_000 },
  })
  const byId = new Map(data.map((variant) => [variant.id, variant]))
  expect(byId.get('Qwen/Qwen3-8B:fp8')).toMatchObject({
    model: 'Qwen/Qwen3-8B',
    repo: 'Qwen/Qwen3-8B-FP8',
    isDefault: false,
    onOffer: true,
    minVramGb: 12,
    minComputeCapability: '8.9',
    priceCompletion: '0.10',
  })
  expect(byId.get('meta-llama/Llama-3.1-8B-Instruct:bf16')).toMatchObject({
    gated: true,
    onOffer: false,
    terms: expect.any(String),
    attribution: ['Built with Llama'],
  })
  expect([...byId.keys()].filter((id) => id.startsWith('gpuhub/'))).toEqual([])
})

test('its downloads are never larger than said where their size is known', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const { data }: CatalogPage = await (await hub.as('ada').fetch('/api/v1/catalog?limit=200')).json()
  const sizeOf = (id: string) => data.find((variant) => variant.id === id)?.weightBytes ?? 0
  // As published: vllm-project/recipes and the repositories' own indexes.
  for (const [id, bytes] of [
    ['Qwen/Qwen3-8B:bf16', 16_381_470_720],
    ['Qwen/Qwen3.8-27B:fp8', 30_866_866_928],
    ['Qwen/Qwen3-32B:awq', 19_300_000_000],
    ['Qwen/Qwen3-8B:awq', 6_100_000_000],
  ] as const) {
    expect(sizeOf(id)).toBeGreaterThanOrEqual(bytes)
    expect(sizeOf(id)).toBeLessThan(bytes * 1.4)
  }
})

test.each(['catalog', 'prices', 'receipts', 'keys', 'licences', 'usage'])(
  'a page of %s is as long as asked for, and the next goes on where it ended',
  async (list) => {
    await using hub = await startHub({ credit: { ada: '$1' } })
    const answer = await hub.as('ada').fetch(`/api/v1/${list}?limit=1`)
    expect(answer.status).toBe(200)
    const first: { data: { id?: string }[]; next: string | null } = await answer.json()
    expect(first.data.length).toBeLessThan(2)
    if (first.next === null) return
    const second = await hub.as('ada').fetch(`/api/v1/${list}?limit=1&before=${encodeURIComponent(first.next)}`)
    const { data }: { data: { id?: string }[] } = await second.json()
    expect(data).toHaveLength(1)
    expect(data).not.toEqual(first.data)
    expect((await hub.as('ada').fetch(`/api/v1/${list}?limit=0`)).status).toBe(400)
  },
)
