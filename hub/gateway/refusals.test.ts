import { afterAll, beforeAll, expect, test } from 'bun:test'
import { revokeKey } from '../identity/keys.ts'
import { suspendUser } from '../identity/testing.ts'
import { MODEL, startHub, type TestHub } from '../testing.ts'

let hub: TestHub
beforeAll(async () => {
  hub = await startHub({
    credit: { ada: '$1', broke: '$0', gone: '$1', bad: '$1' },
    hosts: { berlin: {} },
    config: { keyConcurrency: 2 },
  })
})
afterAll(() => hub[Symbol.asyncDispose]())

const good = { model: MODEL, messages: [{ role: 'user', content: 'hi' }] }
const tools = (count: number, parameters: object = {}) =>
  Array.from({ length: count }, (_, at) => ({ type: 'function', function: { name: `tool${at}`, parameters } }))
const post = (body: unknown, headers: Record<string, string> = {}, path = '/v1/chat/completions') =>
  hub.as('ada').fetch(path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers })

async function refusal(response: Response) {
  const { error } = (await response.json()) as {
    error: { code: string; type: string; param: string | null; message: string; request_id: string }
  }
  expect(response.headers.get('content-type')).toStartWith('application/json')
  expect(response.headers.get('x-request-id')).toBe(error.request_id)
  expect(response.headers.get('request-id')).toBe(error.request_id)
  expect(response.headers.get('access-control-allow-origin')).toBe('*')
  expect(error.message.length).toBeGreaterThan(20)
  expect(hub.hub.platform.ledger.openHolds()).toBe(0)
  return [response.status, error.type, error.code, error.param]
}

test.each([
  ['malformed JSON', '{"model":', [400, 'invalid_request_error', 'invalid_json', null]],
  ['a wrong type', { ...good, temperature: 'x' }, [400, 'invalid_request_error', 'invalid_request', 'temperature']],
  [
    'five megabytes',
    JSON.stringify({ ...good, messages: [{ role: 'user', content: 'x'.repeat(5e6) }] }),
    [413, 'invalid_request_error', 'request_too_large', null],
  ],
  ['ten thousand levels', '['.repeat(10_000), [400, 'invalid_request_error', 'schema_too_deep', null]],
  ['an unknown model', { ...good, model: 'nope' }, [404, 'invalid_request_error', 'model_not_found', 'model']],
  [
    'a model that is not on offer',
    { ...good, model: 'Qwen/Qwen3-32B' },
    [404, 'invalid_request_error', 'model_not_found', 'model'],
  ],
  ['(F-none) a model nobody serves', { ...good, model: 'Qwen/Qwen3-8B' }, [503, 'server_error', 'no_capacity', null]],
  [
    'a prompt beyond the context',
    { ...good, messages: [{ role: 'user', content: 'word '.repeat(40_000) }] },
    [400, 'invalid_request_error', 'context_length_exceeded', 'messages'],
  ],
  ['too many values', `[${'0,'.repeat(20_001)}0]`, [400, 'invalid_request_error', 'schema_too_deep', null]],
  ['a level too many', '{"a":'.repeat(65), [400, 'invalid_request_error', 'schema_too_deep', null]],
  ['no body', '', [400, 'invalid_request_error', 'invalid_json', null]],
  ['too many tools', { ...good, tools: tools(129) }, [400, 'invalid_request_error', 'invalid_request', 'tools']],
  ['too many answers', { ...good, n: 5 }, [400, 'invalid_request_error', 'invalid_request', 'n']],
  ['no answer', { ...good, n: 0 }, [400, 'invalid_request_error', 'invalid_request', 'n']],
  [
    'too many stops',
    { ...good, stop: ['a', 'b', 'c', 'd', 'e'] },
    [400, 'invalid_request_error', 'invalid_request', 'stop'],
  ],
  ['a long stop', { ...good, stop: 'x'.repeat(65) }, [400, 'invalid_request_error', 'invalid_request', 'stop']],
  [
    'a tool whose pattern is none',
    { ...good, tools: tools(1, { type: 'object', properties: { a: { type: 'string', pattern: '(' } } }) },
    [400, 'invalid_request_error', 'invalid_request', 'tools.0.function.parameters.properties.a.pattern'],
  ],
  [
    'a schema that is none',
    { ...good, response_format: { type: 'json_schema', json_schema: { name: 'x', schema: { type: 'wizard' } } } },
    [400, 'invalid_request_error', 'invalid_request', 'response_format.json_schema.schema.type'],
  ],
  [
    'a picture that somebody should fetch',
    { ...good, messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'http://10.0.0.1/' } }] }] },
    [400, 'invalid_request_error', 'invalid_request', 'messages.0.content'],
  ],
])('%s', async (_, body, expected) => {
  const { requests } = hub.host('berlin').engine.tally
  const response = await post(body)
  expect(response.headers.get('retry-after')).toBe(expected[0] === 503 ? response.headers.get('retry-after') : null)
  expect(await refusal(response)).toEqual(expected as (string | number | null)[])
  expect(hub.host('berlin').engine.tally.requests).toBe(requests)
})

test('as many tools, answers and stops as may be are taken', async () => {
  expect((await post({ ...good, tools: tools(128), n: 4, stop: ['#', '@', '^', '~'], max_tokens: 4 })).status).toBe(200)
})

test('what an engine knows beyond the documented fields never reaches one', async () => {
  const vllm = {
    ...{ chat_template: '{{ x }}', chat_template_kwargs: { a: 1 }, prompt_embeds: 'AAAA', guided_regex: '(a+)+$' },
    ...{ guided_json: {}, guided_grammar: 'root', structured_outputs: {}, ignore_eos: true, min_tokens: 9, best_of: 9 },
    ...{ use_beam_search: true, prompt_logprobs: 5, logits_processors: ['os'], mm_processor_kwargs: {}, priority: -1 },
    ...{ add_special_tokens: false, documents: [], truncate_prompt_tokens: 1, kv_transfer_params: {}, vllm_xargs: {} },
    ...{ user: 'ada@example.com', metadata: { name: 'Ada' }, safety_identifier: 'ada', store: true, service_tier: 'x' },
  }
  expect((await post({ ...good, ...vllm })).status).toBe(200)
  const { records } = hub.host('berlin').engine.tally
  const sent = Object.keys(records[records.length - 1]!.body as object)
  expect(sent.filter((name) => name in vllm)).toEqual([])
})

test('a missing, mistyped and unknown key look the same', async () => {
  for (const authorization of ['', 'Bearer nonsense', `Bearer gh_${'0'.repeat(38)}`]) {
    const request = new Request('http://hub.test/v1/chat/completions', {
      method: 'POST',
      body: JSON.stringify(good),
      headers: { authorization, 'content-type': 'application/json' },
    })
    const response = (await hub.hub.fetch(request, { timeout() {} } as never))!
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
    expect(await refusal(response)).toEqual([401, 'invalid_request_error', 'invalid_api_key', null])
  }
})

test('a revoked key and a suspended user are refused within a second', async () => {
  for (const name of ['gone', 'bad']) expect((await hub.as(name).chat('hi')).status).toBe(200)
  await revokeKey(hub.env, hub.world.db, { id: hub.as('gone').keyId })
  await suspendUser(hub.env, hub.world.db, hub.as('bad').userId)
  await hub.env.advance(1_000)
  expect(await refusal(await hub.as('gone').chat('hi'))).toEqual([
    401,
    'invalid_request_error',
    'invalid_api_key',
    null,
  ])
  expect(await refusal(await hub.as('bad').chat('hi'))).toEqual([403, 'permission_error', 'account_suspended', null])
})

test('(F-low) no credit is 402 and not worth a retry', async () => {
  const response = await hub.as('broke').chat('hi')
  expect(response.headers.get('x-should-retry')).toBe('false')
  expect(await refusal(response)).toEqual([402, 'insufficient_quota', 'insufficient_quota', null])
})

test('a price above the client’s maximum is 402', async () => {
  expect(await refusal(await post(good, { 'x-gpuhub-max-price-completion': '0.05' }))).toEqual([
    402,
    'insufficient_quota',
    'price_above_max',
    null,
  ])
  expect((await post(good, { 'x-gpuhub-max-price-completion': '0.10' })).status).toBe(200)
})

test('a key may only have so many requests running', async () => {
  const { engine } = hub.host('berlin')
  engine.block()
  const running = [post(good), post(good)]
  await engine.tally.until((seen) => seen.waiting + seen.running === 2)
  const response = await post(good)
  expect([response.status, response.headers.get('retry-after')]).toEqual([429, '1'])
  engine.release()
  for (const one of running) expect((await one).status).toBe(200)
  expect(await refusal(response)).toEqual([429, 'rate_limit_error', 'rate_limit_exceeded', null])
})

test.each([
  '/v1/chat/completions',
  '/chat/completions',
  '/api/v1/chat/completions',
  '/openai/v1/chat/completions',
  '/v1/v1/chat/completions',
])('%s is the same door', async (path) => {
  expect((await post(good, {}, path)).status).toBe(200)
})

test('unknown addresses and methods are refused in JSON', async () => {
  expect(await refusal(await hub.as('ada').fetch('/v1/_stainless_unknown_path'))).toEqual([
    404,
    'invalid_request_error',
    'not_found',
    null,
  ])
  expect(await refusal(await hub.as('ada').fetch('/v1/chat/completions'))).toEqual([
    405,
    'invalid_request_error',
    'method_not_allowed',
    null,
  ])
})

test('a browser is told which headers it may send', async () => {
  const response = await hub.as('ada').fetch('/v1/chat/completions', {
    method: 'OPTIONS',
    headers: { 'access-control-request-headers': 'authorization, x-stainless-lang' },
  })
  expect(response.status).toBe(204)
  expect(response.headers.get('access-control-allow-headers')).toBe('authorization, x-stainless-lang')
})

test('models are listed and found by raw and encoded ids, without a key', async () => {
  for (const id of [MODEL, encodeURIComponent(MODEL), `${MODEL}:emulated`]) {
    const response = (await hub.hub.fetch(new Request(`http://hub.test/v1/models/${id}`), { timeout() {} } as never))!
    expect(response.status).toBe(200)
    expect(await response.json()).toMatchObject({
      object: 'model',
      precision: 'emulated',
      context_length: 32_768,
      x_gpuhub: { hosts_online: 1 },
    })
  }
  const list = (await (await hub.as('ada').fetch('/v1/models')).json()) as { data: { id: string }[] }
  expect(list.data.map((model) => model.id)).toContain('Qwen/Qwen3-8B')
})
