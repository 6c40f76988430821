// Answers that are more than one plain text, when their host fails: what waits, what begins anew, what ends in an error.
import { describe, expect, test } from 'bun:test'
import type { ChatCompletion, Completion } from '../../sdk/openai.ts'
import { decode } from '../../sdk/wire/vocabulary.ts'
import { oracle } from '../../host/testing.ts'
import { MODEL, startHub, type TestHub } from '../testing.ts'
import {
  asked,
  costOf,
  dying,
  expectWhole,
  forgive,
  type Heard,
  listen,
  passUntil,
  QUESTION,
  rowOf,
  stream,
} from './testing.ts'

async function twoHosts(conduct: object = {}, both: object = {}, has: Parameters<TestHub['addHost']>[2] = {}) {
  const hub = await startHub({ credit: { ada: '$1' } })
  const failing = await hub.addHost('failing', { ...both, ...conduct }, has)
  const good = await hub.addHost('good', both, { ...has, tamper: undefined })
  forgive(hub)
  return { hub, ada: hub.as('ada'), failing, good }
}

const tools = [
  {
    type: 'function',
    function: {
      name: 'get_weather',
      parameters: { type: 'object', properties: { city: { type: 'string' }, days: { type: 'integer' } } },
    },
  },
  {
    type: 'function',
    function: { name: 'get_time', parameters: { type: 'object', properties: { zone: { type: 'string' } } } },
  },
]
const CALLS = 'use get_weather and get_time please'
const schema = {
  type: 'json_schema',
  json_schema: {
    name: 'place',
    schema: { type: 'object', properties: { city: { type: 'string' }, size: { type: 'integer' } } },
  },
}

/** Nothing of it, an error, and a clean end. */
function expectDocumentedError(heard: Heard): void {
  expect(heard.error).toMatchObject({ code: 'upstream_error', type: 'server_error' })
  expect([heard.finishes, heard.done]).toEqual([[], true])
}

/** What a request costs when nothing fails. Asked twice, so that whose turn it is stays the same. */
async function fairCost(hub: TestHub, text: string, more: object): Promise<bigint> {
  hub.host('failing').engine.set({ death: null })
  const [cost, again] = [await oneCost(hub, text, more), await oneCost(hub, text, more)]
  expect(again).toBe(cost)
  return cost
}

async function oneCost(hub: TestHub, text: string, more: object): Promise<bigint> {
  return (await rowOf(hub, (await listen(await hub.as('ada').chat(text, stream(more)))).requestId)).cost
}

describe('calls of tools', () => {
  test('come whole, in one event, and begin anew unseen when their host dies (F-kill)', async () => {
    const { hub, ada, failing } = await twoHosts()
    await using _hub = hub
    const truth = ada.truth(CALLS, { tools })
    expect(truth.toolCalls).toHaveLength(2)
    const cost = await fairCost(hub, CALLS, { tools })
    for (let at = 0; at <= truth.ids.length; at += 4) {
      failing.engine.set(dying(at))
      const response = await ada.chat(CALLS, stream({ tools }))
      const heard = await listen(response.clone())
      expectWhole(heard, truth)
      expect(heard.facts).toMatchObject({ attempts: 2, resumed: 0 })
      expect((await rowOf(hub, heard.requestId)).cost).toBe(cost)
      // One event has them, and the finish has the word once more.
      expect((await response.text()).split('"tool_calls"')).toHaveLength(3)
    }
  })

  test('that had begun after words are forgotten, and the answer goes on after the words (F-kill)', async () => {
    const words = 'Let me look. '
    const { hub, ada, failing, good } = await twoHosts(
      {},
      {},
      {
        tamper: (event, place) =>
          place === 0 ? event.replace('"content":""', `"content":${JSON.stringify(words)}`) : event,
      },
    )
    await using _hub = hub
    const end = ada.truth(CALLS, { tools }).ids.length
    for (const [at, byIds] of [
      [9, true],
      [end - 1, true],
      [end - 20, false],
    ] as const) {
      failing.engine.set(dying(at))
      if (!byIds) good.engine.next({ refuseStatus: 400 })
      const heard = await listen(await ada.chat(CALLS, stream({ tools })))
      const { path, body } = asked(hub, 'good').at(-1)!
      const goingOn = byIds ? { prompt: body.prompt as number[], max_tokens: 8_000 } : body
      expect([heard.error, heard.text, heard.calls]).toEqual([null, words + oracle(goingOn).text, []])
      expect([heard.finishes, heard.facts?.resumed, heard.done]).toEqual([['stop'], 1, true])
      expect(path).toBe(byIds ? '/v1/completions' : '/v1/chat/completions')
      if (byIds) expect(decode(body.prompt as number[])).toEndWith(words)
      else expect((body.messages as unknown[]).at(-1)).toEqual({ role: 'assistant', content: words })
    }
  })

  test('are read by the hub itself where another host goes on by token ids', async () => {
    const raw = [
      'Looking',
      ' it up.<tool',
      '_call>\n{"name": "get_time", "argu',
      'ments": {"zone": "UTC"}}\n</tool_call>',
      '',
    ]
    const hub = await startHub({ credit: { ada: '$1' } })
    await using _hub = hub
    await hub.addHost('failing', dying(12))
    await hub.addHost(
      'good',
      {},
      {
        tamper: (event, place) => {
          if (place >= raw.length) return event.includes('"finish_reason":"') ? { ends: 'eof' } : null
          const finish = place === raw.length - 1 ? '"stop"' : 'null'
          return `data: {"choices":[{"index":0,"text":${JSON.stringify(raw[place])},"finish_reason":${finish}}]}`
        },
      },
    )
    // No tool is named, so the emulator answers in words until its host dies.
    const heard = await listen(await hub.as('ada').chat(QUESTION, stream({ tools })))
    expect(heard.error).toBeNull()
    expect(heard.text).toEndWith('Looking it up.')
    expect(heard.calls).toEqual([
      { id: expect.stringMatching(/^call_/), name: 'get_time', arguments: '{"zone":"UTC"}' },
    ])
    expect(heard.finishes).toEqual(['tool_calls'])
  })
})

describe('a structured answer', () => {
  test('waits until it is complete, and begins anew unseen when its host dies (F-kill)', async () => {
    const { hub, ada, failing } = await twoHosts()
    await using _hub = hub
    for (const response_format of [schema, { type: 'json_object' }]) {
      const truth = ada.truth(QUESTION, { response_format })
      const cost = await fairCost(hub, QUESTION, { response_format })
      for (let at = 0; at <= truth.ids.length; at += 3) {
        failing.engine.set(dying(at))
        const heard = await listen(await ada.chat(QUESTION, stream({ response_format })))
        expectWhole(heard, truth)
        expect(JSON.parse(heard.text)).toBeObject()
        expect(heard.facts).toMatchObject({ attempts: 2, resumed: 0 })
        expect((await rowOf(hub, heard.requestId)).cost).toBe(cost)
      }
    }
    expect(asked(hub, 'good').every(({ path }) => path === '/v1/chat/completions')).toBe(true)
  })

  test('is never shown in part: a client that leaves before its end pays nothing', async () => {
    const { hub, ada, failing } = await twoHosts({ hangAfterTokens: 8 })
    await using _hub = hub
    const asking = ada.chat(QUESTION, stream({ response_format: schema }))
    await failing.engine.tally.until(({ tokens }) => tokens === 8)
    await hub.env.advance(5_000)
    const response = await asking
    await response.body!.cancel()
    await failing.engine.tally.until(({ aborted }) => aborted === 1)
    await hub.hub.drain(5_000)
    expect(await rowOf(hub, response.headers.get('x-request-id')!)).toMatchObject({ state: 'cancelled', cost: 0n })
  })
})

describe('what cannot be joined', () => {
  test.each([
    ['several choices', { n: 2 }],
    ['log probabilities', { logprobs: true, top_logprobs: 1 }],
  ])('%s: another host while nothing was sent, then the documented error (F-kill)', async (_, more) => {
    const { hub, ada, failing } = await twoHosts(dying(0))
    await using _hub = hub
    const whole = await listen(await ada.chat(QUESTION, stream(more)))
    expect([whole.error, whole.facts?.attempts]).toEqual([null, 2])
    failing.engine.set(dying(5))
    const broken = await listen(await ada.chat(QUESTION, stream(more)))
    expectDocumentedError(broken)
    expect(broken.error?.message).toContain('cannot go on elsewhere')
    expect(await rowOf(hub, broken.requestId)).toMatchObject({ state: 'failed', cost: 0n, hostId: null })
    // Whoever waits for the whole notices nothing.
    failing.engine.set(dying(5))
    expect((await ada.chat(QUESTION, more)).status).toBe(200)
  })

  test('and so a host that falls silent is waited for longer than one that could be left', async () => {
    const { hub, ada, failing } = await twoHosts({ hangAfterTokens: 8 })
    await using _hub = hub
    const reading = ada.chat(QUESTION, stream({ n: 2 })).then(listen)
    await failing.engine.tally.until(({ tokens }) => tokens === 16)
    await hub.env.advance(20_000)
    failing.engine.set({ hangAfterTokens: null })
    expect((await passUntil(hub, reading)).error).toBeNull()
    failing.engine.set({ hangAfterTokens: 8 })
    await (await ada.chat(QUESTION)).text()
    expectDocumentedError(await passUntil(hub, ada.chat(QUESTION, stream({ n: 2 })).then(listen)))
  })

  test('thoughts of a model whose way of writing them is not known wait for the answer, and then cannot go on', async () => {
    const { hub, ada, failing } = await twoHosts({}, { reasons: true })
    await using _hub = hub
    const { model } = hub.hub.platform.offers.find(MODEL)!
    const { raw } = model
    delete model.raw
    try {
      const truth = ada.truth(QUESTION, {}, { reasons: true })
      for (const [at, begun] of [
        [3, false],
        [10, false],
        [40, true],
      ] as const) {
        failing.engine.set(dying(at))
        const heard = await listen(await ada.chat(QUESTION, stream()))
        if (begun) expectDocumentedError(heard)
        else expectWhole(heard, truth)
      }
    } finally {
      model.raw = raw
    }
  })
})

describe('stop strings across the cut', () => {
  /** Every way to cut a stop string out of the answer, wherever in its tokens it lies. */
  const stopsIn = (text: string) => [text.slice(60, 64), text.slice(61, 75), text.slice(100, 130), text.slice(58, 60)]

  test('are honoured once, and nothing of them is shown', async () => {
    const { hub, ada, failing } = await twoHosts()
    await using _hub = hub
    const plain = ada.truth(QUESTION).text
    for (const stop of stopsIn(plain)) {
      const truth = ada.truth(QUESTION, { stop })
      for (let at = 1; at <= truth.ids.length; at += 2) {
        failing.engine.set(dying(at))
        const heard = await listen(await ada.chat(QUESTION, stream({ stop })))
        expect([stop, at, heard.text, heard.finishes, heard.error]).toEqual([stop, at, truth.text, ['stop'], null])
      }
    }
  })

  test('are never shown either where an answer goes on by text, in words that may then be others', async () => {
    const { hub, ada, failing } = await twoHosts({}, {}, { tokenIds: false })
    await using _hub = hub
    for (const name of ['failing', 'good']) ignoreStops(hub, name)
    const plain = ada.truth(QUESTION).text
    for (const stop of stopsIn(plain))
      for (let at = 5; at < 40; at += 3) {
        failing.engine.set(dying(at))
        const { text, finishes, error } = await listen(await ada.chat(QUESTION, stream({ stop })))
        expect([stop, at, text.includes(stop), finishes, error]).toEqual([stop, at, false, ['stop'], null])
      }
  })

  test('are honoured although the engines do not know them', async () => {
    const { hub, ada, failing } = await twoHosts()
    await using _hub = hub
    const plain = ada.truth(QUESTION).text
    for (const name of ['failing', 'good']) ignoreStops(hub, name)
    for (const stop of stopsIn(plain)) {
      const truth = ada.truth(QUESTION, { stop })
      for (const at of [3, 12, 14, 15, 16, 17, 20, 25, 30]) {
        failing.engine.set(dying(at))
        const heard = await listen(await ada.chat(QUESTION, stream({ stop: [stop, 'never said'] })))
        expect([stop, at, heard.text, heard.finishes, heard.error]).toEqual([stop, at, truth.text, ['stop'], null])
      }
    }
  })

  test('that only seem to begin are shown in the end', async () => {
    const { hub, ada } = await twoHosts(dying(20))
    await using _hub = hub
    const { text } = ada.truth(QUESTION)
    const stop = [`${text.slice(-4)}!`, `${text.slice(30, 34)}#`, '\u0000']
    expect((await listen(await ada.chat(QUESTION, stream({ stop })))).text).toBe(text)
  })
})

/** The engine of this host has never heard of stop strings. */
function ignoreStops(hub: TestHub, name: string): void {
  const { engine } = hub.host(name)
  const fetch = engine.fetch.bind(engine)
  engine.fetch = async (request) => {
    const { stop: _, ...body } = (await request.json()) as Record<string, unknown>
    return fetch(new Request(request.url, { method: 'POST', body: JSON.stringify(body), signal: request.signal }))
  }
}

describe('a client who wants no failover', () => {
  const headers = { 'x-gpuhub-no-failover': '1' }

  test('gets another host before the first token, and a clear failure after it', async () => {
    const { hub, ada, failing } = await twoHosts(dying(0))
    await using _hub = hub
    expectWhole(await listen(await ada.chat(QUESTION, stream(), { headers })), ada.truth(QUESTION))
    failing.engine.set(dying(9))
    expectDocumentedError(await listen(await ada.chat(QUESTION, stream(), { headers })))
    expect(hub.host('good').engine.tally.requests).toBe(1)
    failing.engine.set(dying(9))
    const whole = (await (await ada.chat(QUESTION, {}, { headers })).json()) as ChatCompletion
    expect(whole.choices[0]?.message.content).toBe(ada.truth(QUESTION).text)
    expect(whole.x_gpuhub.resumed).toBe(0)
  })

  test('sees calls and structured answers as they come', async () => {
    const { hub, ada, failing } = await twoHosts()
    await using _hub = hub
    for (const more of [{ tools }, { response_format: schema }]) {
      const words = 'tools' in more ? CALLS : QUESTION
      const response = await ada.chat(words, stream(more), { headers })
      expectWhole(await listen(response.clone()), ada.truth(words, more))
      expect((await response.text()).split('\n\n').length).toBeGreaterThan(8)
      failing.engine.set({ death: null })
    }
  })
})

describe('whole answers', () => {
  test('show nothing of a failure but its cost in time (F-kill)', async () => {
    const { hub, ada, failing } = await twoHosts()
    await using _hub = hub
    const truth = ada.truth(QUESTION)
    for (const at of [0, 1, 30, truth.ids.length]) {
      failing.engine.set(dying(at))
      const response = await ada.chat(QUESTION)
      const body = (await response.json()) as ChatCompletion
      expect(body.choices[0]).toMatchObject({ message: { content: truth.text }, finish_reason: truth.finish })
      expect(body.usage).toMatchObject({ prompt_tokens: truth.prompt.length, completion_tokens: truth.ids.length })
      expect(body.x_gpuhub).toMatchObject({ attempts: 2, resumed: at === 0 ? 0 : 1 })
      expect(response.headers.get('x-gpuhub-attempts')).toBe('2')
      expect((await rowOf(hub, body.x_gpuhub.request_id)).cost).toBe(costOf(truth))
    }
  })

  test('begin anew where no token ids say how to go on', async () => {
    const { hub, ada } = await twoHosts(dying(30), {}, { tokenIds: false })
    await using _hub = hub
    const body = (await (await ada.chat(QUESTION)).json()) as ChatCompletion
    expect(body.choices[0]?.message.content).toBe(ada.truth(QUESTION).text)
    expect(body.x_gpuhub).toMatchObject({ attempts: 2, resumed: 0 })
  })
})

test.each([
  ['token ids', true],
  ['text', false],
])('a raw completion goes on by %s, from a prompt of text or ids (F-kill)', async (_, tokenIds) => {
  const { hub, ada, failing } = await twoHosts({}, {}, { tokenIds })
  await using _hub = hub
  for (const prompt of ['The sky is', [300, 301, 302]])
    for (const at of [0, 1, 17, 39]) {
      failing.engine.set(dying(at))
      const ask = { model: MODEL, prompt, max_tokens: 40 }
      const truth = oracle({ prompt, max_tokens: 40 })
      const post = (body: object) => ada.fetch('/v1/completions', { method: 'POST', body: JSON.stringify(body) })
      const heard = await listen(await post({ ...ask, ...stream() }))
      expect([heard.error, heard.text, heard.finishes, heard.done]).toEqual([null, truth.text, [truth.finish], true])
      expect(heard.usage).toMatchObject({ prompt_tokens: truth.prompt.length, completion_tokens: truth.ids.length })
      const whole = (await (await post(ask)).json()) as Completion
      expect(whole.choices[0]?.text).toBe(truth.text)
    }
})

test('an engine that cannot go on by ids is asked again by text, and one that can do neither is no reason to blame the client', async () => {
  const { hub, ada, failing, good } = await twoHosts()
  await using _hub = hub
  const truth = ada.truth(QUESTION)
  failing.engine.set(dying(20))
  good.engine.next({ refuseStatus: 400 })
  const heard = await listen(await ada.chat(QUESTION, stream()))
  expectWhole(heard, truth)
  expect(asked(hub, 'good').map(({ path }) => path)).toEqual(['/v1/chat/completions'])
  good.engine.set({ refuseStatus: 400 })
  const broken = await listen(await ada.chat(QUESTION, stream()))
  expectDocumentedError(broken)
})

test('an engine that can go on neither by ids nor by text is no reason not to ask another', async () => {
  const { hub, ada, failing, good } = await twoHosts()
  await using _hub = hub
  failing.engine.set(dying(20))
  good.engine.set({ refuseStatus: 400 })
  await hub.addHost('another')
  expectWhole(await listen(await ada.chat(QUESTION, stream())), ada.truth(QUESTION))
})
