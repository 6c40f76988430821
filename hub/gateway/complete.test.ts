import { describe, expect, test } from 'bun:test'
import { eq } from 'drizzle-orm'
import { testDialects } from '../../db/testing.ts'
import { charge, parseUsd, usdNumber } from '../../sdk/money.ts'
import type { ChatChunk, ChatCompletion } from '../../sdk/openai.ts'
import { SseParser } from '../../sdk/stream.ts'
import { MODEL, startHub, type TestHub } from '../testing.ts'

const price = { prompt: 20_000, completion: 100_000 }

/** The events of a stream, `[DONE]` included, comments not. */
async function events(response: Response): Promise<string[]> {
  const payloads: string[] = []
  const parser = new SseParser((payload) => payloads.push(payload))
  for await (const bytes of response.body!) parser.push(bytes)
  parser.end()
  return payloads
}

async function chunks(response: Response): Promise<ChatChunk[]> {
  const payloads = await events(response)
  expect(payloads.pop()).toBe('[DONE]')
  return payloads.map((payload) => JSON.parse(payload))
}

const textOf = (all: ChatChunk[]) => all.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')
const rowOf = async ({ world }: TestHub, id: string) => {
  const { requests } = world.db.tables
  const [row] = await world.db.query.select().from(requests).where(eq(requests.id, id))
  return row
}

describe.each(testDialects)('a paid request on %s', (database) => {
  test('streams exactly what the engine said, once each, then finish, usage and the end', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const ada = hub.as('ada')
    const truth = ada.truth('Why is the sky blue?', { stream: true })
    const response = await ada.chat('Why is the sky blue?', { stream: true, stream_options: { include_usage: true } })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
    const all = await chunks(response)
    expect(all[0]?.choices[0]?.delta).toEqual({ role: 'assistant', content: '' })
    expect(textOf(all)).toBe(truth.text)
    expect(
      all.filter((chunk) => chunk.choices[0]?.finish_reason).map((chunk) => chunk.choices[0]?.finish_reason),
    ).toEqual([truth.finish as 'stop'])
    const last = all[all.length - 1]!
    const cost = charge(price, { prompt: truth.prompt.length, completion: truth.ids.length })
    expect(last.choices).toEqual([])
    expect(last.usage).toEqual({
      prompt_tokens: truth.prompt.length,
      completion_tokens: truth.ids.length,
      total_tokens: truth.prompt.length + truth.ids.length,
      cost: usdNumber(cost),
    })
    expect(new Set(all.map((chunk) => `${chunk.id} ${chunk.created} ${chunk.model}`)).size).toBe(1)
    expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({
      state: 'completed',
      cost,
      stream: true,
      attempts: 1,
    })
  })

  test('gives a whole answer with its cost, the same as the ledger', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const ada = hub.as('ada')
    const truth = ada.truth('Tell me about tea')
    const response = await ada.chat('Tell me about tea')
    const body = (await response.json()) as ChatCompletion
    expect(body.choices[0]?.message.content).toBe(truth.text)
    expect(body.choices[0]?.finish_reason).toBe(truth.finish as 'stop')
    const row = await rowOf(hub, response.headers.get('x-request-id')!)
    expect(body.usage.cost).toBe(usdNumber(row!.cost))
    expect(response.headers.get('x-gpuhub-cost')).toBe(String(usdNumber(row!.cost)))
    expect(row!.fee + row!.hostShare).toBe(row!.cost)
    expect(await hub.balances()).toMatchObject({ ada: `$${(1 - usdNumber(row!.cost)).toFixed(9).replace(/0+$/, '')}` })
  })

  test('is settled before its end is sent', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const response = await hub.as('ada').chat('hello', { stream: true })
    const id = response.headers.get('x-request-id')!
    const parser = new SseParser((payload) => payloads.push(payload))
    const payloads: string[] = []
    for await (const bytes of response.body!) {
      parser.push(bytes)
      const finished = payloads.some(
        (payload) => payload === '[DONE]' || JSON.parse(payload).choices?.[0]?.finish_reason,
      )
      if (finished) expect((await rowOf(hub, id))?.state).toBe('completed')
    }
    expect(payloads).toContain('[DONE]')
  })

  test('a client who hangs up stops the engine and pays for the tokens written until then (F-disc)', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: { hangAfterTokens: 12 } } })
    const ada = hub.as('ada')
    const { tally } = hub.host('berlin').engine
    const response = await ada.chat('Why is the sky blue?', { stream: true })
    const reader = response.body!.getReader()
    const payloads: string[] = []
    const parser = new SseParser((payload) => payloads.push(payload))
    const words = () =>
      payloads
        .slice(1)
        .map((payload) => JSON.parse(payload).choices[0].delta.content)
        .join('')
    const truth = ada.truth('Why is the sky blue?', { stream: true, max_tokens: 12 })
    while (words() !== truth.text) parser.push((await reader.read()).value!)
    await reader.cancel()
    await tally.until((seen) => seen.aborted === 1)
    await hub.hub.drain(5_000)
    const row = await rowOf(hub, response.headers.get('x-request-id')!)
    expect(row).toMatchObject({ state: 'cancelled', promptTokens: truth.prompt.length, completionTokens: 12 })
    expect(row!.cost).toBe(charge(price, { prompt: truth.prompt.length, completion: 12 }))
  })

  test('a client who hangs up before the first token pays nothing (F-disc0)', async () => {
    await using hub = await startHub({ database, credit: { ada: '$1' }, hosts: { berlin: {} } })
    const { engine } = hub.host('berlin')
    engine.block()
    const leaving = new AbortController()
    const asked = hub.as('ada').chat('hello', {}, { signal: leaving.signal })
    await engine.tally.until((seen) => seen.requests === 1)
    leaving.abort()
    expect((await asked).status).toBe(499)
    await engine.tally.until((seen) => seen.aborted === 1)
    expect(await hub.balances()).toEqual({ ada: '$1.00', berlin: '$0.00' })
  })
})

test('a host that dies before its first token is not noticed, and not paid (F-kill0)', async () => {
  await using hub = await startHub({
    credit: { ada: '$1' },
    hosts: { dying: { death: { afterTokens: 0, how: 'cut' } }, good: {} },
  })
  const ada = hub.as('ada')
  const attempts: string[] = []
  for (let round = 0; round < 2; round++) {
    const response = await ada.chat('hello', { stream: true })
    attempts.push(response.headers.get('x-gpuhub-attempts')!)
    expect(textOf(await chunks(response))).toBe(ada.truth('hello', { stream: true }).text)
  }
  expect(attempts).toContain('2')
  expect((await hub.balances()).dying).toBe('$0.00')
})

test('a host that dies in mid-answer ends the stream with a wrapped error, and nothing is billed', async () => {
  await using hub = await startHub({
    credit: { ada: '$1' },
    hosts: { berlin: { death: { afterTokens: 5, how: 'cut' } } },
  })
  const response = await hub.as('ada').chat('hello', { stream: true })
  const payloads = await events(response)
  expect(payloads.pop()).toBe('[DONE]')
  const { error } = JSON.parse(payloads.pop()!)
  expect(error).toMatchObject({ code: 'upstream_error', type: 'server_error', param: null })
  expect(await hub.balances()).toEqual({ ada: '$1.00', berlin: '$0.00' })
  expect(hub.hub.platform.ledger.openHolds()).toBe(0)
})

test.each([
  ['garbage', { garbageAfterTokens: 0 }],
  ['a clean end without an answer', { death: { afterTokens: 0, how: 'eof' as const } }],
  ['an error event', { death: { afterTokens: 0, how: 'error' as const } }],
  ['status 500', { refuseStatus: 500 }],
  ['an event of three megabytes', { oversizeChunkBytes: 3 * 1024 * 1024, hangAfterTokens: 1 }],
])('an engine that answers with %s is left for another', async (_, conduct) => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { bad: conduct, good: {} } })
  const ada = hub.as('ada')
  for (let round = 0; round < 2; round++) {
    const answer = (await (await ada.chat(`hello ${round}`)).json()) as ChatCompletion
    expect(answer.choices[0]?.message.content).toBe(ada.truth(`hello ${round}`).text)
  }
  expect((await hub.balances()).bad).toBe('$0.00')
})

test.each([
  ['by its status', { refuseStatus: 400 }],
  ['in its stream', { refuseStatus: 400, refuseLate: true }],
])(
  'a refusal by one engine, %s, is checked with another before it becomes the client’s (F-400)',
  async (_, conduct) => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { wrong: conduct, right: {} } })
    const ada = hub.as('ada')
    for (let round = 0; round < 2; round++) expect((await ada.chat('hello')).status).toBe(200)
    hub.host('right').engine.set(conduct)
    const refused = await ada.chat('hello')
    expect([refused.status, ((await refused.json()) as { error: { code: string } }).error.code]).toEqual([
      400,
      'invalid_request',
    ])
  },
)

test.each([
  ['claims 1.01 times the tokens', { claimFactor: 1.01 }],
  ['claims 100 times the tokens', { claimFactor: 100 }],
  ['claims 100 times the tokens and shows no ids', { claimFactor: 100, tokenIds: 'none' as const }],
  ['returns ids character by character', { tokenIds: 'bytes' as const }],
  ['adds fields nobody asked for', { unknownFields: true }],
])('a host that %s earns no more', async (_, conduct) => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { honest: {} } })
  const ada = hub.as('ada')
  const fair = await rowOf(hub, (await ada.chat('hello')).headers.get('x-request-id')!)
  hub.host('honest').engine.set(conduct)
  const response = await ada.chat('hello')
  const text = await response.text()
  const row = await rowOf(hub, response.headers.get('x-request-id')!)
  expect(row!.cost).toBe(fair!.cost)
  expect(text).not.toContain('prompt_token_ids')
  expect(text).not.toContain('token_ids')
})

test('a host that writes past the limit is stopped there', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { eager: { overGenerateTokens: 400 } } })
  const ada = hub.as('ada')
  const answer = (await (await ada.chat('Why is the sky blue?', { max_tokens: 20 })).json()) as ChatCompletion
  expect(answer.choices[0]?.message.content).toBe(ada.truth('Why is the sky blue?', { max_tokens: 20 }).text)
  expect(answer.choices[0]?.finish_reason).toBe('length')
  expect(answer.usage.completion_tokens).toBe(20)
})

test('an engine that says nothing in time is left, and the client told when nobody answers', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { silent: {} } })
  hub.host('silent').engine.block()
  const asked = hub.as('ada').chat('hello')
  await hub.host('silent').engine.tally.until((seen) => seen.requests === 1)
  await hub.env.advance(60_000)
  const response = await asked
  expect([response.status, response.headers.get('retry-after')]).toEqual([504, '1'])
  expect(await hub.balances()).toEqual({ ada: '$1.00', silent: '$0.00' })
})

test('headers leave after five seconds even without a token, and comments keep the line open', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { slow: {} } })
  const { engine } = hub.host('slow')
  engine.block()
  const asked = hub.as('ada').chat('hello', { stream: true })
  await engine.tally.until((seen) => seen.requests === 1)
  await hub.env.advance(5_000)
  const response = await asked
  const reader = response.body!.getReader()
  const first = reader.read()
  await hub.env.advance(10_000)
  expect(new TextDecoder().decode((await first).value)).toBe(': keep-alive\n\n')
  engine.release()
  let rest = ''
  for (let part = await reader.read(); !part.done; part = await reader.read())
    rest += new TextDecoder().decode(part.value)
  expect(rest).toEndWith('data: [DONE]\n\n')
})

test('several choices, tools, logprobs and reasoning arrive in both forms', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: { reasons: true } } })
  const ada = hub.as('ada')
  const two = (await (await ada.chat('hello', { n: 2, logprobs: true, top_logprobs: 2 })).json()) as ChatCompletion
  expect(two.choices.map((choice) => choice.index)).toEqual([0, 1])
  expect(two.choices[0]?.logprobs?.content?.[0]?.top_logprobs.length).toBe(2)
  const streamed = await chunks(await ada.chat('hello', { stream: true }))
  const thought = streamed.map((chunk) => chunk.choices[0]?.delta.reasoning ?? '').join('')
  expect(thought).not.toBe('')
  expect(streamed.map((chunk) => chunk.choices[0]?.delta.reasoning_content ?? '').join('')).toBe(thought)
})

test('the raw completions format works for text and for token ids', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { berlin: {} } })
  const ada = hub.as('ada')
  const ask = async (prompt: unknown) => {
    const response = await ada.fetch('/v1/completions', {
      method: 'POST',
      body: JSON.stringify({ model: MODEL, prompt, max_tokens: 8 }),
    })
    return (await response.json()) as {
      object: string
      choices: { text: string }[]
      usage: { completion_tokens: number }
    }
  }
  const byText = await ask('The sky is')
  expect(byText.object).toBe('text_completion')
  expect(byText.choices[0]?.text).not.toBe('')
  expect(byText.usage.completion_tokens).toBe(8)
})

test('what a request holds never exceeds the balance, and comes back (F-low)', async () => {
  await using hub = await startHub({ credit: { poor: '$0.000001' }, hosts: { berlin: {} } })
  const refused = await hub.as('poor').chat('hello')
  expect([refused.status, refused.headers.get('x-should-retry')]).toEqual([402, 'false'])
  expect((await hub.balances()).poor).toBe('$0.000001')
  const fits = await hub.as('poor').chat('hello', { max_tokens: 1 })
  expect(fits.status).toBe(200)
  expect(parseUsd((await hub.balances()).poor!)).toBeLessThan(1_000n)
})

test('a host with little context gets what fits into it, and nothing that does not', async () => {
  await using hub = await startHub({ credit: { ada: '$1' } })
  await hub.addHost('small', {}, { contextTokens: 1_000 })
  const ada = hub.as('ada')
  expect((await ada.chat('hello')).status).toBe(200)
  expect((await ada.chat('hello', { max_tokens: 2_000 })).status).toBe(503)
  await hub.addHost('large')
  expect((await ada.chat('hello', { max_tokens: 2_000 })).status).toBe(200)
})
