import { expect, test } from 'bun:test'
import { HubError } from '../errors.ts'
import { readAsk } from './ask.ts'

const ask = (format: 'chat' | 'completion', body: object) =>
  readAsk(format, new TextEncoder().encode(JSON.stringify(body)))
const messages = [{ role: 'user', content: 'hi' }]

test('what an engine must never see is not passed on', () => {
  const hostile = {
    request_id: 'x',
    session_id: 'x',
    priority: 1,
    kv_transfer_params: {},
    ec_transfer_params: {},
    vllm_xargs: {},
    chat_template: '{{ evil }}',
    chat_template_kwargs: {},
    mm_processor_kwargs: {},
    documents: [],
    prompt_embeds: 'x',
    use_beam_search: true,
    cache_salt: 'mine',
    return_token_ids: false,
    stream_options: { include_usage: true },
    structured_outputs: { regex: '(a+)+$' },
    user: 'ada@example.com',
    metadata: { secret: 'x' },
    service_tier: 'flex',
  }
  const { engine } = ask('chat', { model: 'm', messages, stream: true, temperature: 0.5, ...hostile })
  expect(engine).toEqual({ temperature: 0.5, messages: [{ role: 'user', content: 'hi' }] })
})

test('text in parts becomes one text, and a developer speaks as the system', () => {
  const parts = [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ]
  const { prompt } = ask('chat', { model: 'm', messages: [{ role: 'developer', content: parts }, ...messages] })
  expect(prompt).toEqual({
    kind: 'chat',
    chat: {
      messages: [
        { role: 'system', content: 'a\nb' },
        { role: 'user', content: 'hi' },
      ],
      tools: null,
    },
  })
})

test.each([
  [undefined, undefined],
  ['none', false],
  ['low', true],
])('an effort of %p to reason is counted as the engine’s template will have it', (effort, thinking) => {
  const { prompt, engine } = ask('chat', { model: 'm', messages, reasoning_effort: effort })
  expect(prompt).toMatchObject({ kind: 'chat', chat: thinking === undefined ? {} : { thinking } })
  expect('thinking' in (prompt as { chat: object }).chat).toBe(thinking !== undefined)
  expect(engine.reasoning_effort).toBe(effort)
})

test('null means not given', () => {
  const { engine, maxTokens, n } = ask('chat', {
    model: 'm',
    messages,
    temperature: null,
    max_tokens: null,
    n: null,
    stop: null,
  })
  expect({ keys: Object.keys(engine), maxTokens, n }).toEqual({ keys: ['messages'], maxTokens: null, n: 1 })
})

test('the newer name of the token limit wins', () => {
  expect(ask('chat', { model: 'm', messages, max_tokens: 5, max_completion_tokens: 9 }).maxTokens).toBe(9)
})

test('a completion without a limit has sixteen tokens, as everywhere', () => {
  expect(ask('completion', { model: 'm', prompt: 'hi' }).maxTokens).toBe(16)
  expect(ask('completion', { model: 'm', prompt: [1, 2, 3] }).prompt).toEqual({ kind: 'ids', ids: [1, 2, 3] })
})

test('stream options without a stream are refused', () => {
  expect(() => ask('chat', { model: 'm', messages, stream_options: { include_usage: true } })).toThrow(HubError)
})
