// Who pays what, and who is paid, when hosts fail and clients leave.
import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { SseParser } from '../../sdk/stream.ts'
import { until } from '../../sdk/testing.ts'
import { HubError } from '../errors.ts'
import { revokeKey } from '../identity/keys.ts'
import { silentLog } from '../log.ts'
import { startHub, type TestHub } from '../testing.ts'
import { costOf, dying, expectWhole, forgive, listen, passUntil, QUESTION, rowOf, stream } from './testing.ts'

/** A client that reads until it has this text, and then can leave. */
async function readUntil(response: Response, text: string) {
  const reader = response.body!.getReader()
  let heard = ''
  const parser = new SseParser((payload) => {
    if (payload !== '[DONE]') heard += JSON.parse(payload).choices?.[0]?.delta.content ?? ''
  })
  while (heard.length < text.length) parser.push((await reader.read()).value!)
  return () => reader.cancel()
}

async function earnings({ world }: TestHub): Promise<string[]> {
  const { requests } = world.db.tables
  const rows = await world.db.query.select().from(requests).where(eq(requests.state, 'completed'))
  return rows.filter((row) => row.hostShare > 0n).map((row) => row.hostId!)
}

describe.each(testDialects)('on %s', (database) => {
  test('the host that finishes is paid for all of it, the others for nothing, and the client pays what it always pays', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1', bob: '$1' } })
    await hub.addHost('first', dying(10))
    await hub.addHost('second', dying(20))
    await hub.addHost('third')
    const ada = hub.as('ada')
    const heard = await listen(await ada.chat(QUESTION, stream()))
    expectWhole(heard, ada.truth(QUESTION))
    const row = await rowOf(hub, heard.requestId)
    expect(row).toMatchObject({
      cost: costOf(ada.truth(QUESTION)),
      attempts: 3,
      resumed: 2,
      hostId: hub.host('third').id,
    })
    expect(row.fee + row.hostShare).toBe(row.cost)
    const balances = await hub.balances()
    expect([balances.first, balances.second]).toEqual(['$0.00', '$0.00'])
    expect(await earnings(hub)).toEqual([hub.host('third').id])
  })

  test('a client who leaves after the answer went on pays its second host for what was written (F-disc)', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' } })
    await hub.addHost('first', dying(10))
    const second = await hub.addHost('second', { hangAfterTokens: 15 })
    const ada = hub.as('ada')
    const response = await ada.chat(QUESTION, stream())
    const truth = ada.truth(QUESTION, { max_tokens: 25 })
    const leave = await readUntil(response, truth.text)
    await leave()
    await second.engine.tally.until(({ aborted }) => aborted === 1)
    await hub.hub.drain(5_000)
    const row = await rowOf(hub, response.headers.get('x-request-id')!)
    expect(row).toMatchObject({ state: 'cancelled', cost: costOf(truth), completionTokens: 25, hostId: second.id })
    expect((await hub.balances()).first).toBe('$0.00')
  })

  test('a client who leaves between two hosts pays nothing, for the one that spoke has failed (F-disc-mig)', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' } })
    await hub.addHost('first', dying(10))
    const second = await hub.addHost('second')
    second.engine.block()
    const ada = hub.as('ada')
    const response = await ada.chat(QUESTION, stream())
    const leave = await readUntil(response, ada.truth(QUESTION, { max_tokens: 10 }).text)
    await second.engine.tally.until(({ requests }) => requests === 1)
    await leave()
    await second.engine.tally.until(({ aborted }) => aborted === 1)
    await hub.hub.drain(5_000)
    expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({
      state: 'cancelled',
      cost: 0n,
      hostId: null,
    })
    expect(await hub.balances()).toEqual({ ada: '$1.00', first: '$0.00', second: '$0.00' })
    expect(hub.hub.platform.ledger.openHolds()).toBe(0)
  })

  test('a client who leaves as the last host fails pays nothing (F-disc-503)', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { only: dying(10) } })
    const ada = hub.as('ada')
    const response = await ada.chat(QUESTION, stream())
    const leave = await readUntil(response, ada.truth(QUESTION, { max_tokens: 10 }).text)
    await leave()
    await hub.hub.drain(5_000)
    expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({ cost: 0n })
    expect(await hub.balances()).toEqual({ ada: '$1.00', only: '$0.00' })
  })
})

test('a host that says nothing leaves the next one as much to say as it had', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  // Held back for a stop string, the end of the ninth word is not seen; written anew, what is seen takes ten tokens.
  await hub.addHost('first', { death: { afterTokens: 9, how: 'cut' } })
  await hub.addHost('second', { refuseStatus: 500 }, { tokenIds: false })
  await hub.addHost('third', {}, { tokenIds: false })
  const more = { max_tokens: 10, stop: '. ' }
  const heard = await listen(await hub.as('ada').chat('#4# Tell me about good bread.', { ...stream(), ...more }))
  expect(heard.facts).toMatchObject({ attempts: 3, resumed: 1 })
  expect(await earnings(hub)).toEqual([hub.host('third').id])
})

test('a client who leaves while the books are away pays nothing, and that is no fault of the hub’s', async () => {
  const errors: string[] = []
  const log = { ...silentLog, error: (event: string) => void errors.push(event) }
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} }, log })
  const ada = hub.as('ada')
  hub.host('berlin').engine.set({ hangAfterTokens: 5 })
  const response = await ada.chat(QUESTION, stream())
  const leave = await readUntil(response, ada.truth(QUESTION, { max_tokens: 5 }).text)
  const { ledger } = hub.hub.platform
  const { settle } = ledger
  ledger.settle = async (hold, ended) => {
    ledger.release(hold)
    ledger.record({ ...ended, state: 'failed', errorCode: 'hub_unavailable' })
    throw new HubError('hub_unavailable', 'The books are away.')
  }
  await leave()
  await hub.hub.drain(5_000)
  ledger.settle = settle
  expect(errors).toEqual([])
  expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({
    ...{ state: 'failed', errorCode: 'hub_unavailable', cost: 0n },
  })
  expect(ledger.openHolds()).toBe(0)
})

test('a client who leaves as the last tokens come is billed once, for what it got or for all of it (F-disc-race)', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  await hub.addHost('first', dying(10))
  await hub.addHost('second')
  forgive(hub)
  const ada = hub.as('ada')
  const truth = ada.truth(QUESTION)
  const full = costOf(truth)
  const states = new Set<string>()
  for (let before = 12; before >= 0; before--) {
    const response = await ada.chat(QUESTION, stream())
    const words = ada.truth(QUESTION, { max_tokens: truth.ids.length - before }).text
    const leave = await readUntil(response, words)
    for (let turn = 0; turn < before % 4; turn++) await new Promise((resolve) => setImmediate(resolve))
    await leave()
    const row = await rowOf(hub, response.headers.get('x-request-id')!)
    states.add(row.state)
    expect(row.cost).toBeLessThanOrEqual(full)
    expect(row.cost).toBeGreaterThanOrEqual(costOf(ada.truth(QUESTION, { max_tokens: truth.ids.length - before })))
    if (row.state === 'completed') expect(row.cost).toBe(full)
  }
  const { entries } = hub.world.db.tables
  const paid = await hub.world.db.query.select().from(entries)
  expect(paid.filter(({ account, amount }) => account.startsWith('host:') && amount > 0n)).toHaveLength(13)
})

test('the price of a request is the one it was admitted at, whatever it becomes meanwhile (F-price)', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const first = await hub.addHost('first', { hangAfterTokens: 10 })
  await hub.addHost('second')
  const ada = hub.as('ada')
  const reading = ada.chat(QUESTION, stream()).then(listen)
  await first.engine.tally.until(({ tokens }) => tokens === 10)
  hub.hub.platform.prices = { current: () => ({ prompt: 9_000_000, completion: 9_000_000 }) }
  first.kill()
  const heard = await reading
  expectWhole(heard, ada.truth(QUESTION))
  expect((await rowOf(hub, heard.requestId)).cost).toBe(costOf(ada.truth(QUESTION)))
})

test('a key that is revoked in mid-stream ends nothing that has begun (F-revoke)', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const first = await hub.addHost('first', { hangAfterTokens: 10 })
  await hub.addHost('second')
  const ada = hub.as('ada')
  const reading = ada.chat(QUESTION, stream()).then(listen)
  await first.engine.tally.until(({ tokens }) => tokens === 10)
  await revokeKey(hub.env, hub.world.db, { userId: ada.userId, id: ada.keyId })
  await hub.env.advance(1_500)
  expect((await ada.chat(QUESTION)).status).toBe(401)
  first.kill()
  const heard = await reading
  expectWhole(heard, ada.truth(QUESTION))
  expect((await rowOf(hub, heard.requestId)).cost).toBe(costOf(ada.truth(QUESTION)))
})

test('where no host serves a model, nothing is held and nobody waits (F-none)', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  const refused = await hub.as('ada').chat(QUESTION, stream())
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  expect(hub.hub.platform.ledger.openHolds()).toBe(0)
})

test('a host that claims far more tokens than it said earns no more for going on (F-usage)', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  await hub.addHost('first', dying(10))
  await hub.addHost('greedy', { claimFactor: 50 })
  const ada = hub.as('ada')
  const heard = await listen(await ada.chat(QUESTION, stream()))
  expect(await rowOf(hub, heard.requestId)).toMatchObject({ cost: costOf(ada.truth(QUESTION)), countsDiffer: true })
})

describe('an owner who wants the card back', () => {
  test('and waits: what runs there finishes, and nothing new comes (F-drain)', async () => {
    await using hub = await startHub({ credit: { ada: '$1' } })
    const leaving = await hub.addHost('leaving', { hangAfterTokens: 20 })
    const other = await hub.addHost('other')
    const ada = hub.as('ada')
    const reading = ada.chat(QUESTION, stream()).then(listen)
    await leaving.engine.tally.until(({ tokens }) => tokens === 20)
    leaving.stop('soon')
    for (let round = 0; round < 3; round++)
      expectWhole(await listen(await ada.chat(QUESTION, stream())), ada.truth(QUESTION))
    expect(other.engine.tally.requests).toBe(3)
    leaving.engine.set({ hangAfterTokens: null })
    const heard = await reading
    expectWhole(heard, ada.truth(QUESTION))
    expect((await rowOf(hub, heard.requestId)).hostId).toBe(leaving.id)
  })

  test('at once: streams move elsewhere, and the card is free (F-drain)', async () => {
    await using hub = await startHub({ credit: { ada: '$1' } })
    const leaving = await hub.addHost('leaving', { hangAfterTokens: 20 })
    const ada = hub.as('ada')
    const reading = Array.from({ length: 20 }, () => ada.chat(QUESTION, stream()).then(listen))
    await leaving.engine.tally.until(({ tokens }) => tokens === 20 * 20)
    await hub.addHost('third')
    leaving.stop('now')
    for (const heard of await Promise.all(reading)) {
      expectWhole(heard, ada.truth(QUESTION))
      expect(heard.facts).toMatchObject({ attempts: 2, resumed: 1 })
    }
    await leaving.engine.tally.until(({ running }) => running === 0)
    expect((await hub.balances()).leaving).toBe('$0.00')
  })
})

describe('a hub that stops', () => {
  test('lets streams finish within its grace', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: { hangAfterTokens: 20 } } })
    const ada = hub.as('ada')
    const { engine } = hub.host('berlin')
    const reading = ada.chat(QUESTION, stream()).then(listen)
    await engine.tally.until(({ tokens }) => tokens === 20)
    const draining = hub.hub.drain(30_000)
    expect((await hub.hub.fetch(new Request('http://hub.test/readyz'), undefined as never))?.status).toBe(503)
    expect((await ada.chat(QUESTION)).status).toBe(503)
    engine.set({ hangAfterTokens: null })
    expectWhole(await reading, ada.truth(QUESTION))
    expect(await draining).toBe(0)
  })

  test('tells a request so that waited for its money until nobody is waited for any more', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
    const ada = hub.as('ada')
    const { ledger } = hub.hub.platform
    const hold = ledger.hold.bind(ledger)
    const [asked, money] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    ledger.hold = async (...args) => {
      asked.resolve()
      await money.promise
      return hold(...args)
    }
    const late = ada.chat(QUESTION, stream())
    await asked.promise
    const draining = hub.hub.drain(0)
    await passUntil(hub, draining)
    money.resolve()
    expect((await late).status).toBe(503)
    expect(hub.host('berlin').engine.tally.requests).toBe(0)
  })

  test('tells those that are left, bills them nothing, and goes', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: { hangAfterTokens: 20 } } })
    const ada = hub.as('ada')
    const { engine } = hub.host('berlin')
    const reading = ada.chat(QUESTION, stream()).then(listen)
    const whole = ada.chat(QUESTION)
    await engine.tally.until(({ tokens }) => tokens === 40)
    const left = await passUntil(hub, hub.hub.drain(30_000))
    expect(left).toBe(2)
    const heard = await reading
    expect([heard.error?.code, heard.finishes, heard.done]).toEqual(['hub_unavailable', [], true])
    expect(ada.truth(QUESTION).text).toStartWith(heard.text)
    const refused = await whole
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await rowOf(hub, heard.requestId)).toMatchObject({ state: 'failed', cost: 0n, errorCode: 'hub_unavailable' })
    expect(await hub.balances()).toEqual({ ada: '$1.00', berlin: '$0.00' })
    await engine.tally.until(({ aborted }) => aborted === 2)
  })

  test('gives the money back to who did not read fast enough, and was cut off', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
    const response = await hub.as('ada').chat(QUESTION, stream())
    await until('it is settled', async () => (await hub.balances()).ada !== '$1.00')
    // Its body is not read. Past the grace and the last words, the server closes what is left.
    await passUntil(hub, hub.hub.drain(30_000))
    await response.body!.cancel()
    await hub.hub.close()
    expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({ state: 'lost' })
    expect((await hub.balances()).ada).toBe('$1.00')
  })
})
