// A thousand streams, each of which loses its host. Every one is compared with the oracle, and every cent accounted for.
import { expect, test } from 'bun:test'
import type { Conduct } from '../../host/testing.ts'
import { charge } from '../../sdk/money.ts'
import { decode } from '../../sdk/wire/vocabulary.ts'
import { startHub, type TestClient, type TestHub } from '../testing.ts'
import { expectWhole, forgive, listen, price, stream } from './testing.ts'

const STREAMS = 1_000
const AT_A_TIME = 100
const tools = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } },
    },
  },
]
const response_format = {
  type: 'json_schema',
  json_schema: {
    name: 'places',
    schema: { type: 'object', properties: { city: { type: 'string' }, country: { type: 'string' } } },
  },
}

/** What happens to the first host of a request. */
type Fate = Partial<Conduct>

interface Request {
  text: string
  more: { max_tokens: number; tools?: object; response_format?: object }
  fate: Fate
}

test('a thousand streams lose their hosts, and no client notices (F-kill)', async () => {
  const draw = dice(20_261_125)
  const fates = new Map<string, Fate>()
  /** Each question names itself: whoever is asked it first meets its fate, whoever is asked next does not. */
  const except = (prompt: readonly number[]): Fate => {
    const name = /stream \d+/.exec(decode(prompt))![0]
    const fate = fates.get(name) ?? {}
    fates.delete(name)
    return fate
  }
  const config = { keyConcurrency: STREAMS }
  await using hub = await startHub({ credit: { ada: '$10' }, config })
  for (let host = 0; host < 6; host++) await hub.addHost(`host-${host}`, { chunkTokens: 1 + host }, { except })
  forgive(hub)
  const ada = hub.as('ada')

  let spent = 0n
  let resumed = 0
  const hosts = new Set<string>()
  const one = async (place: number) => {
    const { text, more, fate } = requestOf(place, draw, ada)
    fates.set(`stream ${place}`, fate)
    const heard = await listen(await ada.chat(text, stream(more)))
    const truth = ada.truth(text, more)
    expectWhole(heard, truth)
    expect(heard.facts!.attempts).toBe(2)
    resumed += heard.facts!.resumed
    hosts.add(heard.facts!.host)
    // What a parser takes out of a call is billed too, and is not in what the client sees.
    if (!more.tools) {
      expect(heard.usage!.completion_tokens).toBe(truth.ids.length)
      spent += charge(price, { prompt: truth.prompt.length, completion: truth.ids.length })
    } else {
      expect(heard.usage!.completion_tokens).toBeLessThanOrEqual(truth.ids.length)
      spent += charge(price, { prompt: truth.prompt.length, completion: heard.usage!.completion_tokens })
    }
  }
  let next = 0
  const worker = async () => {
    while (next < STREAMS) await one(next++)
  }
  await Promise.all(Array.from({ length: AT_A_TIME }, worker))

  expect(fates.size).toBe(0)
  expect(resumed).toBeGreaterThan(STREAMS / 2)
  expect(hosts.size).toBe(6)
  await expectBooks(hub, spent)
}, 120_000)

/** Seven in ten plain, two with tools, one as JSON. A quarter of the hosts dies at the first or at the last token. */
function requestOf(place: number, draw: () => number, ada: TestClient): Request {
  const kind = place % 10
  const text = kind < 2 ? `stream ${place}: use get_weather` : `stream ${place}: tell me about rivers, towns and tea`
  const more = { max_tokens: 200, ...(kind < 2 ? { tools } : kind === 2 ? { response_format } : {}) }
  const { ids, finish } = ada.truth(text, more)
  // The end of an answer is a token of its own, unless the limit ended it.
  const last = finish === 'length' ? ids.length - 1 : ids.length
  const at = [0, 1, last - 1, last][Math.floor(draw() * 16)] ?? Math.floor(draw() * (last + 1))
  const how = (['cut', 'eof', 'error'] as const)[Math.floor(draw() * 3)]!
  return { text, more, fate: { chunkTokens: 1, death: { afterTokens: Math.max(0, at), how } } }
}

/** Every request has one row and one payment to one host; the client paid `spent`, and the hosts and the fee are that. */
async function expectBooks(hub: TestHub, spent: bigint): Promise<void> {
  const { requests, entries } = hub.world.db.tables
  const rows = await hub.world.db.query.select().from(requests)
  expect(rows.length).toBe(STREAMS)
  expect(rows.every((row) => row.state === 'completed' && row.hostId !== null && row.attempts === 2)).toBe(true)
  expect(rows.reduce((sum, row) => sum + row.cost, 0n)).toBe(spent)
  const paid = await hub.world.db.query.select().from(entries)
  const toHosts = paid.filter(({ account, amount }) => account.startsWith('host:') && amount > 0n)
  expect(toHosts.length).toBe(STREAMS)
  expect(rows.reduce((sum, row) => sum + row.hostShare, 0n)).toBe(toHosts.reduce((sum, { amount }) => sum + amount, 0n))
  expect(hub.hub.platform.ledger.openHolds()).toBe(0)
}

/** Numbers in [0, 1), the same ones for the same seed: mulberry32. */
function dice(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
