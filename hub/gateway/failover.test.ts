// What a client sees when the host of a plain answer fails: a pause. The emulator's oracle knows every token to come.
// Names in brackets are rows of the failure catalogue; docs/reliability.md lists them.
import { describe, expect, test } from 'bun:test'
import type { ChatCompletion } from '../../sdk/openai.ts'
import { MeterBusyError } from '../metering/meter.ts'
import { startHub, type TestClient, type TestHub } from '../testing.ts'
import {
  asked,
  costOf,
  dying,
  endAt,
  expectWhole,
  forgive,
  listen,
  passUntil,
  QUESTION,
  rowOf,
  stream,
} from './testing.ts'

/** Two hosts; the first turn of every request is the failing one's. */
async function twoHosts(conduct: object = {}, has: Parameters<TestHub['addHost']>[2] = {}) {
  const hub = await startHub({ credit: { ada: '$1' } })
  const failing = await hub.addHost('failing', conduct, has)
  const good = await hub.addHost('good', {}, { ...has, tamper: undefined })
  forgive(hub)
  return { hub, ada: hub.as('ada'), failing, good }
}

const tokensOf = (client: TestClient) => client.truth(QUESTION).ids.length

const places = [
  ['before the first token (F-kill0)', () => 0],
  ['after the first token (F-kill)', () => 1],
  ['in the middle (F-kill)', (tokens: number) => Math.floor(tokens / 2)],
  ['before the last token (F-kill)', (tokens: number) => tokens - 1],
  ['after the last token, before its end (F-kill)', (tokens: number) => tokens],
] as const

describe.each([
  ['token ids', true],
  ['text', false],
])('a stream that goes on by %s', (_, tokenIds) => {
  test.each([...places])('is whole when its host dies %s', async (__, place) => {
    const { hub, ada, failing } = await twoHosts({}, { tokenIds })
    await using _hub = hub
    const truth = ada.truth(QUESTION)
    for (const how of ['cut', 'eof', 'error'] as const) {
      failing.engine.set(dying(place(tokensOf(ada)), how))
      const heard = await listen(await ada.chat(QUESTION, stream()))
      expectWhole(heard, truth)
      expect(heard.usage?.completion_tokens).toBe(truth.ids.length)
      expect(heard.facts).toMatchObject({ attempts: 2, resumed: place(tokensOf(ada)) === 0 ? 0 : 1 })
      expect(await rowOf(hub, heard.requestId)).toMatchObject({
        ...{ state: 'completed', cost: costOf(truth), attempts: 2, hostId: hub.host('good').id },
      })
    }
    expect((await hub.balances()).failing).toBe('$0.00')
    expect(hub.hub.platform.ledger.openHolds()).toBe(0)
  })

  test('is whole wherever its host dies (F-kill)', async () => {
    const { hub, ada, failing } = await twoHosts({}, { tokenIds })
    await using _hub = hub
    const truth = ada.truth(QUESTION)
    for (let at = 2; at < truth.ids.length; at += 5) {
      failing.engine.set(dying(at))
      expectWhole(await listen(await ada.chat(QUESTION, stream())), truth)
    }
  })

  test('is whole when two hosts die, and when the machines themselves vanish (F-kill)', async () => {
    await using hub = await startHub({ credit: { ada: '$1' } })
    const ada = hub.as('ada')
    const truth = ada.truth(QUESTION)
    for (const [name, at] of [
      ['first', 10],
      ['second', 30],
      ['third', 50],
    ] as const)
      await hub.addHost(name, { hangAfterTokens: at }, { tokenIds })
    await hub.addHost('last', {}, { tokenIds })
    const response = await ada.chat(QUESTION, stream())
    const reading = listen(response)
    for (const name of ['first', 'second', 'third']) {
      const { engine } = hub.host(name)
      await engine.tally.until(({ tokens }) => tokens >= 10 && engine.tally.running === 1)
      hub.host(name).kill()
    }
    const heard = await reading
    expectWhole(heard, truth)
    expect(heard.facts?.attempts).toBe(4)
    expect(await rowOf(hub, heard.requestId)).toMatchObject({ cost: costOf(truth), hostId: hub.host('last').id })
  })

  test.each(['cut', 'eof', 'hang'] as const)(
    'is complete once its finish_reason is there, whatever happens then: %s (F-kill)',
    async (how) => {
      const { hub, ada } = await twoHosts({}, { tokenIds, tamper: endAt((event) => event === 'data: [DONE]', how) })
      await using _hub = hub
      const heard = await passUntil(hub, ada.chat(QUESTION, stream()).then(listen))
      expectWhole(heard, ada.truth(QUESTION))
      expect([heard.facts?.attempts, (await rowOf(hub, heard.requestId)).hostId]).toEqual([1, hub.host('failing').id])
    },
  )

  test('is whole when the host falls silent (F-halfopen, F-hang, F-slow)', async () => {
    const { hub, ada, failing } = await twoHosts({ hangAfterTokens: 20 }, { tokenIds })
    await using _hub = hub
    const reading = ada.chat(QUESTION, stream()).then(listen)
    await failing.engine.tally.until(({ tokens }) => tokens === 20)
    await hub.env.advance(9_900)
    expect(hub.host('good').engine.tally.requests).toBe(0)
    await hub.env.advance(200)
    expectWhole(await reading, ada.truth(QUESTION))
    expect(failing.engine.tally.aborted).toBe(1)
    expect((await hub.balances()).failing).toBe('$0.00')
  })
})

test.each([
  ['garbage (F-garbage)', { garbageAfterTokens: 12 }],
  ['an error event (F-oom)', dying(12, 'error')],
  ['a clean end in mid-answer', dying(12, 'eof')],
  ['a reset connection', dying(12)],
  ['status 500', { refuseStatus: 500 }],
  ['status 503 (F-busy)', { refuseStatus: 503 }],
  ['an empty answer (F-empty)', { emptyAnswer: true }],
])('an engine that answers with %s is left for another', async (_, conduct) => {
  const { hub, ada } = await twoHosts(conduct)
  await using _hub = hub
  const truth = ada.truth(QUESTION)
  expectWhole(await listen(await ada.chat(QUESTION, stream())), truth)
  const whole = (await (await ada.chat(QUESTION)).json()) as ChatCompletion
  expect(whole.choices[0]?.message.content).toBe(truth.text)
  expect((await hub.balances()).failing).toBe('$0.00')
})

test.each([
  [
    'with another finish_reason than any',
    (event: string) => event.replace('"finish_reason":null', '"finish_reason":"abort"'),
  ],
  ['with a choice nobody asked for', (event: string) => event.replace('"index":0', '"index":1')],
  ['that is no event of an answer', () => 'data: {"choices":"none"}'],
  ['without a finish_reason', (event: string) => event.replace(/"finish_reason":"\w+"/, '"finish_reason":null')],
])('a stream %s is left for another host (F-garbage)', async (_, change) => {
  const { hub, ada } = await twoHosts({}, { tamper: (event, place) => (place < 9 ? event : change(event)) })
  await using _hub = hub
  expectWhole(await listen(await ada.chat(QUESTION, stream())), ada.truth(QUESTION))
  expect((await hub.balances()).failing).toBe('$0.00')
})

test('events without a word do not keep a silent host alive (F-slow)', async () => {
  const empty = 'data: {"choices":[{"index":0,"delta":{"content":""},"finish_reason":null}]}'
  const { hub, ada, failing } = await twoHosts(
    { tokensPerSecond: 50 },
    { tamper: (event, place) => (place < 20 ? event : `: ping\n\n${empty}`) },
  )
  await using _hub = hub
  expectWhole(await passUntil(hub, ada.chat(QUESTION, stream()).then(listen)), ada.truth(QUESTION))
  expect([failing.engine.tally.finished, failing.engine.tally.aborted]).toEqual([0, 1])
})

test('a slow host is waited for where nobody else could answer, and no longer than the first token may take', async () => {
  await using hub = await startHub({ credit: { ada: '$1' }, hosts: { slow: {} } })
  const { engine } = hub.host('slow')
  engine.block()
  const ada = hub.as('ada')
  const asking = ada.chat(QUESTION)
  await engine.tally.until(({ requests }) => requests === 1)
  await hub.env.advance(45_000)
  engine.release()
  expect((await passUntil(hub, asking)).status).toBe(200)
  engine.block()
  const refused = await passUntil(hub, ada.chat(QUESTION))
  expect(refused.status).toBe(504)
  expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('upstream_timeout')
})

test('a hub that stood still does not blame its hosts (F-pause)', async () => {
  const { hub, ada, failing: host } = await twoHosts({ hangAfterTokens: 20 })
  await using _hub = hub
  const reading = ada.chat(QUESTION, stream()).then(listen)
  await host.engine.tally.until(({ tokens }) => tokens === 20)
  await hub.env.advance(2_000)
  hub.stall(9_500)
  await hub.env.advance(3_000)
  expect(hub.host('good').engine.tally.requests).toBe(0)
  host.engine.set({ hangAfterTokens: null })
  expectWhole(await passUntil(hub, reading), ada.truth(QUESTION))
  expect(hub.host('good').engine.tally.requests).toBe(0)
})

test('a client who reads slowly is not taken for a silent host', async () => {
  const { hub, ada } = await twoHosts()
  await using _hub = hub
  const bulky = { logprobs: true, top_logprobs: 20 }
  const response = await ada.chat(QUESTION, stream(bulky))
  // Nobody reads: what may be under way fills up, and the host has to wait for longer than any patience.
  for (let second = 0; second < 60; second++) await hub.env.advance(1_000)
  expectWhole(await passUntil(hub, listen(response)), ada.truth(QUESTION, bulky))
  expect(hub.host('good').engine.tally.requests).toBe(0)
})

test('frames of a host that was given up change nothing (F-zombie)', async () => {
  const { hub, ada, failing } = await twoHosts({ hangAfterTokens: 20 })
  await using _hub = hub
  const reading = ada.chat(QUESTION, stream()).then(listen)
  await failing.engine.tally.until(({ tokens }) => tokens === 20)
  failing.freeze()
  await passUntil(
    hub,
    hub.host('good').engine.tally.until(({ requests }) => requests === 1),
  )
  failing.engine.set({ hangAfterTokens: null })
  expectWhole(await passUntil(hub, reading), ada.truth(QUESTION))
})

describe('nobody is left', () => {
  test('when every host fails: a wrapped error, then [DONE], and nothing is billed (F-killall)', async () => {
    await using hub = await startHub({ credit: { ada: '$1' }, hosts: { a: dying(5), b: dying(9) } })
    const heard = await listen(await hub.as('ada').chat(QUESTION, stream()))
    expect(heard.error).toMatchObject({ code: 'upstream_error' })
    expect([heard.finishes, heard.done]).toEqual([[], true])
    expect(hub.as('ada').truth(QUESTION).text).toStartWith(heard.text)
    expect(await rowOf(hub, heard.requestId)).toMatchObject({ state: 'failed', cost: 0n, hostId: null, attempts: 2 })
    expect(await hub.balances()).toEqual({ ada: '$1.00', a: '$0.00', b: '$0.00' })
    expect(hub.hub.platform.ledger.openHolds()).toBe(0)
  })

  test('when three engines have failed, although there are more (F-limit)', async () => {
    const hosts = Object.fromEntries(['a', 'b', 'c', 'd', 'e'].map((name, place) => [name, dying(5 * (place + 1))]))
    await using hub = await startHub({ credit: { ada: '$1' }, hosts })
    const heard = await listen(await hub.as('ada').chat(QUESTION, stream()))
    expect([heard.error?.code, heard.done]).toEqual(['upstream_error', true])
    expect((await rowOf(hub, heard.requestId)).attempts).toBe(3)
  })

  test('but the only one comes back within a few seconds, and goes on', async () => {
    await using hub = await startHub({ credit: { ada: '$1' } })
    const only = await hub.addHost('only', { hangAfterTokens: 20 })
    const ada = hub.as('ada')
    const reading = ada.chat(QUESTION, stream()).then(listen)
    await only.engine.tally.until(({ tokens }) => tokens === 20)
    only.engine.set({ hangAfterTokens: null })
    only.cut()
    expectWhole(await passUntil(hub, reading), ada.truth(QUESTION))
    expect(hub.host('only').engine.tally.requests).toBe(2)
  })
})

test('the second host is never told more than the client was, whatever the first one claims', async () => {
  const honest = await promptsOfSecond('true')
  expect(honest.length).toBeGreaterThan(0)
  for (const tokenIds of ['bytes', 'wrong', 'none'] as const) expect(await promptsOfSecond(tokenIds)).toEqual(honest)
})

/** What a second host is asked when the first one, which reports such token ids, dies. */
async function promptsOfSecond(tokenIds: 'true' | 'bytes' | 'wrong' | 'none'): Promise<unknown[]> {
  const { hub, ada, failing } = await twoHosts({ tokenIds })
  await using _hub = hub
  for (const at of [1, 17, 50]) {
    failing.engine.set(dying(at))
    expectWhole(await listen(await ada.chat(QUESTION, stream())), ada.truth(QUESTION))
  }
  return asked(hub, 'good').map(({ path, body }) => [path, body.prompt, body.max_tokens])
}

test('the next host is asked with the client’s own settings, and for what is left', async () => {
  const { hub, ada } = await twoHosts(dying(15))
  await using _hub = hub
  const settings = { temperature: 0.5, top_p: 0.9, seed: 7, presence_penalty: 0.1, max_tokens: 40 }
  expectWhole(await listen(await ada.chat(QUESTION, stream(settings))), ada.truth(QUESTION, settings))
  const [{ path, body }] = asked(hub, 'good') as [{ path: string; body: Record<string, unknown> }]
  expect(path).toBe('/v1/completions')
  const { max_tokens: _, ...others } = settings
  expect(body).toMatchObject({ ...others, max_tokens: 25, stream: true, return_token_ids: true })
  expect(body.messages).toBeUndefined()
})

test('an answer that had all its tokens when its host died needs nobody else', async () => {
  const { hub, ada } = await twoHosts({}, { tamper: endAt((event) => /"finish_reason":"length"/.test(event), 'cut') })
  await using _hub = hub
  const truth = ada.truth(QUESTION, { max_tokens: 20 })
  // The last event brings a token and the finish; without it one token is missing, and the next host is asked for it.
  const heard = await listen(await ada.chat(QUESTION, stream({ max_tokens: 20 })))
  expectWhole(heard, truth)
  expect(asked(hub, 'good')[0]?.body.max_tokens).toBe(1)
  const separate: string[] = []
  const whole = await hub.addHost('whole', {}, { tamper: splitFinish(separate) })
  hub.host('failing').stop('soon')
  hub.host('good').stop('soon')
  const alone = await listen(await ada.chat(QUESTION, stream({ max_tokens: 20 })))
  expectWhole(alone, truth)
  expect((await rowOf(hub, alone.requestId)).hostId).toBe(whole.id)
})

/** The last token comes without the finish, and then nothing more. */
function splitFinish(seen: string[]) {
  return (event: string) => {
    if (seen.length > 0) return { ends: 'cut' as const }
    if (!event.includes('"finish_reason":"length"')) return event
    seen.push(event)
    return event.replace('"finish_reason":"length"', '"finish_reason":null')
  }
}

test('a host that goes on past the limit is cut there, also when it was not the first (F-over)', async () => {
  for (const tokenIds of ['true', 'bytes', 'none'] as const)
    for (const chunkTokens of [1, 3]) {
      const { hub, ada, good } = await twoHosts(dying(9))
      await using _hub = hub
      good.engine.set({ overGenerateTokens: 60, tokenIds, chunkTokens })
      const heard = await listen(await ada.chat(QUESTION, stream({ max_tokens: 20 })))
      expectWhole(heard, ada.truth(QUESTION, { max_tokens: 20 }))
      expect(heard.usage?.completion_tokens).toBe(20)
    }
})

test.each([401, 404, 408, 429])('status %d speaks of the engine, never of the client’s request', async (status) => {
  const { hub, ada, good } = await twoHosts({ refuseStatus: status })
  await using _hub = hub
  expectWhole(await listen(await ada.chat(QUESTION, stream())), ada.truth(QUESTION))
  good.engine.set({ refuseStatus: status })
  expect((await ada.chat(QUESTION)).status).toBe(502)
})

test('an answer without a word is believed when two hosts give it, or the only one (F-empty)', async () => {
  const { hub, ada, failing, good } = await twoHosts({ emptyAnswer: true })
  await using _hub = hub
  good.engine.set({ emptyAnswer: true })
  const body = (await (await ada.chat(QUESTION)).json()) as ChatCompletion
  expect(body.choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'stop' })
  expect(body.usage.completion_tokens).toBe(0)
  hub.host('good').stop('soon')
  await hub.env.flush()
  for (let time = 0; time < 5; time++) {
    const alone = (await (await passUntil(hub, ada.chat(QUESTION))).json()) as ChatCompletion
    expect(alone.choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'stop' })
  }
  failing.engine.set({ emptyAnswer: false })
  expect((await ada.chat(QUESTION)).status).toBe(200)
  expect(hub.hub.platform.ledger.openHolds()).toBe(0)
})

test('an answer that is all marks for want of room is one, and of a longer one that is not believed (F-empty)', async () => {
  const marksOnly = (event: string) =>
    event.replace(/"content":"[^"]*"/, '"content":""').replace('"finish_reason":"stop"', '"finish_reason":"length"')
  const { hub, ada } = await twoHosts({}, { tamper: marksOnly })
  await using _hub = hub
  hub.host('good').stop('soon')
  await hub.env.flush()
  const short = (await (await ada.chat(QUESTION, { max_tokens: 2 })).json()) as ChatCompletion
  expect(short.choices[0]).toMatchObject({ message: { content: '' }, finish_reason: 'length' })
  expect(short.usage.completion_tokens).toBe(0)
  expect((await passUntil(hub, ada.chat(QUESTION))).status).toBe(502)
})

test('hosts that are only busy are no failure: the client is told to come back (F-busy)', async () => {
  const { hub, ada, failing, good } = await twoHosts()
  await using _hub = hub
  for (const host of [failing, good]) host.fill()
  const refused = await ada.chat(QUESTION)
  expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '5'])
  expect(((await refused.json()) as { error: { code: string } }).error.code).toBe('no_capacity')
})

test('what each host is blamed for', async () => {
  const { hub, ada, failing, good } = await twoHosts()
  await using _hub = hub
  const blamed: string[] = []
  hub.hub.platform.health.failed = (seat, { class: whose, code }, { tokens, attempt }) =>
    void blamed.push(`${seat.hostId === failing.id ? 'failing' : 'good'} ${whose} ${code} ${attempt} ${tokens}`)
  const answered: number[] = []
  const { health } = hub.hub.platform
  const kept = health.answered.bind(health)
  health.answered = (seat, timing) => {
    answered.push(timing.gapsMs.length)
    kept(seat, timing)
  }
  const after = async (conduct: object, conductOfGood: object = {}) => {
    failing.engine.next(conduct)
    if (Object.keys(conductOfGood).length > 0) good.engine.next(conductOfGood)
    await (await ada.chat(QUESTION)).text()
    return blamed.splice(0)
  }
  expect(await after(dying(7))).toEqual(['failing engine cut 1 7'])
  expect(await after({ garbageAfterTokens: 4 })).toEqual(['failing engine garbage 1 4'])
  expect(await after({ refuseStatus: 500 })).toEqual(['failing engine status_500 1 0'])
  expect(await after({ emptyAnswer: true })).toEqual(['failing engine empty 1 1'])
  // One engine that refuses what another takes is wrong; two that refuse it are right.
  expect(await after({ refuseStatus: 400 })).toEqual(['failing engine status_400 1 0'])
  expect(await after({ refuseStatus: 400 }, { refuseStatus: 400 })).toEqual([
    'failing client status_400 1 0',
    'good client status_400 2 0',
  ])
  expect(answered.length).toBe(5)
  expect(Math.max(...answered)).toBeLessThanOrEqual(64)
})

test('an answer that lost its host waits for a meter that is busy, and is refused only when it stays so', async () => {
  const { hub, ada, failing } = await twoHosts(dying(20))
  await using _hub = hub
  const { meter } = hub.hub.platform
  const agree = meter.agree.bind(meter)
  let busy = 5
  meter.agree = (name, said) => {
    if (busy-- > 0) throw new MeterBusyError('The hub is busy counting.')
    return agree(name, said)
  }
  expectWhole(await passUntil(hub, ada.chat(QUESTION, stream()).then(listen)), ada.truth(QUESTION))
  busy = Number.POSITIVE_INFINITY
  failing.engine.set(dying(20))
  const heard = await passUntil(hub, ada.chat(QUESTION, stream()).then(listen))
  expect([heard.error?.code, heard.done]).toEqual(['no_capacity', true])
})
