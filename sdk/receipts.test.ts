import { expect, test } from 'bun:test'
import { type Receipt, receiptText } from './receipts.ts'
import { json, standIn } from './stand-in.ts'

const unsigned: Omit<Receipt, 'signature'> = {
  id: 'req_1',
  at: '2026-11-23T10:00:00.000Z',
  endedAt: '2026-11-23T10:00:02.000Z',
  model: 'Qwen/Qwen3-8B:fp8',
  precision: 'fp8',
  state: 'completed',
  stream: true,
  promptTokens: 12,
  completionTokens: 34,
  pricePrompt: '0.05',
  priceCompletion: '0.20',
  costNanos: '7400',
  cost: '0.0000074',
  feeNanos: '1110',
  hostShareNanos: '6290',
  attempts: 2,
  resumed: 1,
  host: 'host_a',
  finishReason: 'stop',
  firstTokenMs: 210,
  refunded: false,
}

const base64 = (bytes: ArrayBuffer) => Buffer.from(bytes).toString('base64')

/** A hub's signing key, and `unsigned` signed with it. */
async function signed() {
  const pair = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify'])
  const value = await crypto.subtle.sign('Ed25519', pair.privateKey, new TextEncoder().encode(receiptText(unsigned)))
  const receipt: Receipt = { ...unsigned, signature: { keyId: 'sig_1', algorithm: 'ed25519', value: base64(value) } }
  return { receipt, publicKey: base64(await crypto.subtle.exportKey('raw', pair.publicKey)) }
}

test('a receipt is signed as names in order, without its signature, after a line that says what it is', () => {
  const text = receiptText({ ...unsigned, signature: 'x' } as never)
  const [title, body = ''] = text.split('\n')
  expect(title).toBe('gpuhub receipt 1')
  expect(body).toStartWith('{"at":"2026-11-23T10:00:00.000Z","attempts":2,"completionTokens":34,"cost":"0.0000074",')
  expect(JSON.parse(body)).toEqual(unsigned)
})

test('a genuine receipt verifies against the keys of the hub, in whatever order its fields arrive', async () => {
  const { receipt, publicKey } = await signed()
  const key = (id: string) => ({ id, algorithm: 'ed25519', publicKey })
  const reversed = Object.fromEntries(Object.entries(receipt).reverse())
  using hub = standIn(
    json(reversed),
    json({ data: [key('sig_3'), key('sig_2')], next: 'more' }),
    json({ data: [key('sig_1')], next: null }),
  )
  const { receipts } = hub.client()
  expect(await receipts.verify(await receipts.get('req_1'))).toBe(true)
  expect(hub.asked.map((asked) => asked.path).slice(1)).toEqual([
    '/api/v1/receipts/keys',
    '/api/v1/receipts/keys?before=more',
  ])
})

test('a changed receipt does not verify, whatever was changed', async () => {
  const { receipt, publicKey } = await signed()
  using hub = standIn(json({}))
  const { receipts } = hub.client()
  expect(await receipts.verify(receipt, { publicKey })).toBe(true)
  const changes: Partial<Receipt>[] = [
    { costNanos: '7401' },
    { host: null },
    { refunded: true },
    { signature: { ...receipt.signature, value: base64(new Uint8Array(64).buffer) } },
    { signature: { ...receipt.signature, value: 'not base64!' } },
    { signature: { ...receipt.signature, value: '' } },
  ]
  for (const change of changes) expect(await receipts.verify({ ...receipt, ...change }, { publicKey })).toBe(false)
  expect(await receipts.verify(receipt, { publicKey: (await signed()).publicKey })).toBe(false)
  expect(hub.asked).toHaveLength(0)
})

test('a receipt whose key the hub does not have cannot be checked, and says so', async () => {
  const { receipt } = await signed()
  using hub = standIn(json({ data: [], next: null }))
  expect(
    await hub
      .client()
      .receipts.verify(receipt)
      .catch((error) => error.message),
  ).toContain('sig_1')
})
